"""The largest entities, with some of their records and what these share: for people who judge the rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from c360_graph.extract_joins.engine import JoinEngine
from c360_graph.identity.records import RecordExtract

MOST_CLUSTERS, MOST_RECORDS = 10, 12


@dataclass(frozen=True, kw_only=True)
class ClusterRecord:
    """A record of an entity; without its key where values of rows are not shown."""

    table: str
    key: str | None


@dataclass(frozen=True, kw_only=True)
class SharedIdentifier:
    """A value that several of the records have, as their indexes in `Cluster.shown`."""

    kind: str
    records: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """An entity with more than one record; `shown` are the first of its records."""

    id: int
    records: int
    shown: tuple[ClusterRecord, ...]
    shared: tuple[SharedIdentifier, ...]


def largest_clusters(
    engine: JoinEngine,
    tables: Sequence[RecordExtract],
    kinds: tuple[str, ...],
    *,
    limit: int,
    keys: bool,
) -> tuple[Cluster, ...]:
    """The largest entities, after ids were given.

    Args:
        engine: has all tables of a resolution.
        tables: with the records.
        kinds: of identifiers, by number.
        limit: an identifier that more records share is none.
        keys: whether the keys of records may be told.
    """
    engine.rows(
        "CREATE TABLE largest AS SELECT root, id, records FROM entities WHERE records > 1"
        f" ORDER BY records DESC, id LIMIT {MOST_CLUSTERS}"
    )
    every = " UNION ALL ".join(
        f"SELECT record, {number} AS number, key FROM {table.name}"
        for number, table in enumerate(tables)
    )
    engine.rows(
        "CREATE TABLE shown AS SELECT * FROM (SELECT l.id, m.record, row_number() OVER"
        " (PARTITION BY l.id ORDER BY m.record) - 1 AS ordinal FROM largest AS l"
        f" JOIN members AS m ON l.root = m.root) WHERE ordinal < {MOST_RECORDS}"
    )
    records: dict[int, list[ClusterRecord]] = defaultdict(list)
    for entity, number, key in engine.rows(
        f"SELECT s.id, r.number, r.key FROM shown AS s JOIN ({every}) AS r ON s.record = r.record"
        " ORDER BY s.id, s.ordinal"
    ):
        shown = key.replace("\t", ", ") if keys else None
        records[entity].append(ClusterRecord(table=tables[number].qualified_name, key=shown))
    shared: dict[int, list[SharedIdentifier]] = defaultdict(list)
    for entity, kind, indexes in engine.rows(
        "SELECT s.id, i.kind, list(s.ordinal ORDER BY s.ordinal) AS indexes FROM shown AS s"
        " JOIN identifiers AS i ON s.record = i.record"
        " JOIN shared AS h ON i.kind = h.kind AND i.token = h.token"
        f" WHERE h.records <= {limit} GROUP BY s.id, i.kind, i.token HAVING count(*) > 1"
        " ORDER BY ALL"
    ):
        shared[entity].append(SharedIdentifier(kind=kinds[kind], records=tuple(indexes)))
    return tuple(
        Cluster(
            id=entity, records=count, shown=tuple(records[entity]), shared=tuple(shared[entity])
        )
        for entity, count in engine.rows(
            "SELECT id, records FROM largest ORDER BY records DESC, id"
        )
    )
