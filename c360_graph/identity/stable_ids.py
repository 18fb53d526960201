"""Ids of entities that stay the same from load to load, given in the join engine.

A component takes the smallest, and so the oldest, of the ids that its records had before. An id that
records of several components had goes to the one with most of them, then to the one with the first record.
Any other component gets a new id, and no id is ever given again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from c360_graph.extract_joins.engine import JoinEngine
from c360_graph.extract_joins.extract_sql import file_rows
from c360_graph.extracts import Extract
from c360_graph.identity.records import TAB

MOST_LISTED = 20
"""Changes that are listed; all are counted."""


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
