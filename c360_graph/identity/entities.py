"""Entities in the join engine: records that are linked, with ids that stay the same from load to load.

Components are found in rounds. Each replaces the edges by such that lead to smaller records (large-star and
small-star of Kiveris and others, "Connected Components in MapReduce and Beyond", 2014). The edges are never more
than they were, and the rounds grow with the logarithm of the longest chain, so that nothing has to fit into memory.

A component takes the smallest, and so the oldest, of the ids that its records had before. An id that
records of several components had goes to the one with most of them, then to the one with the first record.
Any other component gets a new id, and no id is ever given again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from c360_graph.errors import ExtractError
from c360_graph.extract_joins.engine import JoinEngine
from c360_graph.extract_joins.extract_sql import file_rows
from c360_graph.extracts import Extract
from c360_graph.identity.records import TAB, RecordExtract

MOST_ROUNDS = 64
"""Chains of 2^32 records take no more."""

MOST_LISTED = 20
"""Changes that are listed; all are counted."""

MOST_CLUSTERS, MOST_RECORDS = 10, 12


def connect(engine: JoinEngine, agreements: Sequence[int], *, limit: int) -> None:
    """Fill `links (record, other, kind)`, where `other` is the smaller record.

    A token that counts by itself links each record with the first that has it; one that does not links
    each two records that agree on enough kinds.

    Args:
        engine: has the tables that `records` fills.
        agreements: by a kind's number, how many kinds have to agree.
        limit: a token that more records share links none.
    """
    alone = ", ".join(str(n) for n, least in enumerate(agreements) if least <= 1)
    # No kind has this number.
    alone = alone or "-2"
    engine.rows(
        "CREATE TABLE links AS SELECT i.record, s.first AS other, i.kind FROM identifiers AS i"
        " JOIN shared AS s ON i.kind = s.kind AND i.token = s.token"
        f" WHERE s.records <= {limit} AND i.record > s.first AND i.kind IN ({alone})"
    )
    least = " ".join(f"WHEN {n} THEN {least}" for n, least in enumerate(agreements) if least > 1)
    if least:
        engine.rows(
            "INSERT INTO links WITH weak AS (SELECT i.record, i.kind, i.token FROM identifiers AS i"
            " JOIN shared AS s ON i.kind = s.kind AND i.token = s.token"
            f" WHERE s.records <= {limit} AND i.kind NOT IN ({alone})),"
            " pairs AS (SELECT DISTINCT a.record, b.record AS other, a.kind FROM weak AS a"
            " JOIN weak AS b ON a.kind = b.kind AND a.token = b.token AND a.record > b.record)"
            " SELECT record, other, min(kind) FROM pairs GROUP BY record, other"
            f" HAVING count(*) >= min(CASE kind {least} END)"
        )


def find_components(engine: JoinEngine) -> int:
    """Fill `parents (record, parent)` for each record that is not the first of its component; returns
    the rounds that it took.

    Raises:
        ExtractError: the engine failed.
    """
    engine.rows("CREATE TABLE parents AS SELECT DISTINCT record, other AS parent FROM links")
    before = None
    for done in range(MOST_ROUNDS):
        now = engine.rows(
            "SELECT count(*), sum(hash(record, parent)::HUGEINT)::VARCHAR FROM parents"
        )
        if now == before:
            return done
        before = now
        engine.rows(f"CREATE OR REPLACE TABLE stars AS {_LARGE_STAR}")
        engine.rows(f"CREATE OR REPLACE TABLE parents AS {_SMALL_STAR}")
    raise ExtractError(f"records are still being linked after {MOST_ROUNDS} rounds")


# Every larger neighbour is led to the smallest neighbour.
_LARGE_STAR = (
    "WITH both_ways AS (SELECT record AS a, parent AS b FROM parents"
    " UNION ALL SELECT parent, record FROM parents),"
    " least AS (SELECT a, least(a, min(b)) AS parent FROM both_ways GROUP BY a)"
    " SELECT DISTINCT b AS record, parent FROM both_ways JOIN least USING (a) WHERE b > a"
)
# Every smaller neighbour, and the record itself, is led to the smallest neighbour.
_SMALL_STAR = (
    "WITH least AS (SELECT record, min(parent) AS parent FROM stars GROUP BY record)"
    " SELECT record, parent FROM least UNION SELECT s.parent, l.parent FROM stars AS s"
    " JOIN least AS l ON s.record = l.record WHERE s.parent <> l.parent"
)


@dataclass(frozen=True, kw_only=True)
class Merge:
    """An entity that has become part of an older one."""

    id: int
    into: int


@dataclass(frozen=True, kw_only=True)
class Split:
    """An entity whose records are of several entities now, the first of which keeps its id if any does."""

    id: int
    parts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class IdChanges:
    """What became of the ids of the load before; the lists hold the first of them."""

    created: int
    changed_records: int
    merges: int
    merged: tuple[Merge, ...]
    splits: int
    split: tuple[Split, ...]
    highest_id: int


def give_ids(engine: JoinEngine, former: Mapping[str, Extract], *, highest: int) -> IdChanges:
    """Fill `entities (root, id, records)` and `members (record, root)`.

    Args:
        engine: has the tables of records and `parents`.
        former: the links of the load before, by the name of the table with their records.
        highest: the highest id that was ever given.
    """
    names = engine.rows(
        "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'records\\_%' ESCAPE '\\'"
        " ORDER BY table_name"
    )
    every = " UNION ALL ".join(f"SELECT record FROM {name}" for (name,) in names)
    engine.rows(
        "CREATE TABLE members AS SELECT r.record, coalesce(p.parent, r.record) AS root"
        f" FROM ({every}) AS r LEFT JOIN parents AS p ON r.record = p.record"
    )
    engine.rows("CREATE TABLE before (record BIGINT, id BIGINT)")
    for name, extract in former.items():
        engine.rows(f"INSERT INTO before {_ids_before(name, extract)}")
    # Also where a folder of extracts was restored without its newest manifest.
    ((known,),) = engine.rows("SELECT coalesce(max(id), 0) FROM before")
    highest = max(highest, known)
    engine.rows(
        "CREATE TABLE votes AS SELECT m.root, b.id, count(*) AS records FROM before AS b"
        " JOIN members AS m ON b.record = m.record GROUP BY m.root, b.id"
    )
    engine.rows(
        "CREATE TABLE kept AS SELECT root, min(id) AS id FROM (SELECT id, root, row_number() OVER"
        " (PARTITION BY id ORDER BY records DESC, root) AS ordinal FROM votes) WHERE ordinal = 1 GROUP BY root"
    )
    engine.rows(
        "CREATE TABLE entities AS WITH sizes AS (SELECT root, count(*) AS records FROM members"
        " GROUP BY root), new AS (SELECT root, row_number() OVER (ORDER BY root) AS number FROM sizes"
        " WHERE root NOT IN (SELECT root FROM kept))"
        f" SELECT s.root, coalesce(k.id, {highest} + n.number) AS id, s.records FROM sizes AS s"
        " LEFT JOIN kept AS k ON s.root = k.root LEFT JOIN new AS n ON s.root = n.root"
    )
    return _changes(engine, highest)


def _ids_before(name: str, links: Extract) -> str:
    """SQL for the id that each record of a table had."""
    columns = range(1, len(links.manifest.table.properties))
    key = f" || {TAB} || ".join(f"l.c{i}" for i in columns)
    return f"SELECT r.record, l.c0::BIGINT FROM {file_rows(links)} AS l JOIN {name} AS r ON r.key = {key}"


def _changes(engine: JoinEngine, highest: int) -> IdChanges:
    created, top = engine.rows(
        f"SELECT count(*) FILTER (id > {highest}), greatest({highest}, coalesce(max(id), 0)) FROM entities"
    )[0]
    ((changed,),) = engine.rows(
        "SELECT count(*) FROM before AS b JOIN members AS m ON b.record = m.record"
        " JOIN entities AS e ON m.root = e.root WHERE b.id <> e.id"
    )
    merged = (
        "SELECT v.id, e.id AS into FROM votes AS v JOIN entities AS e ON v.root = e.root"
        " WHERE v.id <> e.id AND v.id NOT IN (SELECT id FROM entities)"
        " AND v.id NOT IN (SELECT id FROM votes GROUP BY id HAVING count(*) > 1)"
    )
    split = (
        "SELECT v.id, list(e.id ORDER BY e.id <> v.id, e.id) AS parts FROM votes AS v"
        " JOIN entities AS e ON v.root = e.root GROUP BY v.id HAVING count(*) > 1"
    )
    (merges,), (splits,) = (
        engine.rows(f"SELECT count(*) FROM ({query})")[0] for query in (merged, split)
    )
    return IdChanges(
        created=created,
        changed_records=changed,
        merges=merges,
        merged=tuple(
            Merge(id=gone, into=into)
            for gone, into in engine.rows(f"{merged} ORDER BY v.id LIMIT {MOST_LISTED}")
        ),
        splits=splits,
        split=tuple(
            Split(id=gone, parts=tuple(parts))
            for gone, parts in engine.rows(f"{split} ORDER BY v.id LIMIT {MOST_LISTED}")
        ),
        highest_id=top,
    )


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
