"""What of a source's tables no message of the stream tells: tables made anew, partitions that come and go.

PostgreSQL sends nothing where a partition is attached, detached, dropped or emptied, where ALTER TABLE
rewrites rows, and where a table is not published for a while. All of that leaves traces in the catalog.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import psycopg

_READ = """
SELECT c.relname::text, c.oid::bigint, r.oid::bigint, c.relfilenode::bigint,
    (SELECT pg_catalog.string_agg(a.xmin::text, ',' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0),
    ARRAY(SELECT ARRAY[p.oid::bigint, p.relfilenode::bigint, CASE WHEN p.oid::bigint = ANY(%(filled)s)
            THEN 1 ELSE (pg_catalog.pg_relation_size(p.oid) > 0)::int END]
        FROM pg_catalog.pg_partition_tree(CASE WHEN c.relkind = 'p' THEN c.oid END) AS tree
        JOIN pg_catalog.pg_class p ON p.oid = tree.relid WHERE tree.isleaf ORDER BY p.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_publication_rel r ON r.prrelid = c.oid
    AND r.prpubid = (SELECT oid FROM pg_catalog.pg_publication WHERE pubname = %(publication)s)
WHERE n.nspname = %(schema)s AND c.relname = ANY(%(names)s)
ORDER BY c.relname
"""


@dataclass(frozen=True, kw_only=True)
class Partition:
    """A leaf of a partitioned table. `file` is another after TRUNCATE."""

    oid: int
    file: int
    is_filled: bool


@dataclass(frozen=True, kw_only=True)
class TableFacts:
    """One published table. `published` is the number of its place in the publication, None where it has none."""

    name: str
    oid: int
    published: int | None
    file: int
    columns: str
    """Another after each ALTER TABLE that touches a column."""
    partitions: tuple[Partition, ...] = ()


Facts = Mapping[str, TableFacts]
"""By the name of the table."""


def read_table_facts(
    connection: psycopg.Connection[Any],
    *,
    publication: str,
    schema: str,
    names: Iterable[str],
    before: Facts | None = None,
) -> dict[str, TableFacts]:
    """The facts of these tables. psycopg's errors pass through.

    The size of a partition that was filled `before` is not asked again: that waits for whoever locks it.
    """
    filled = [p.oid for one in (before or {}).values() for p in one.partitions if p.is_filled]
    rows = connection.execute(
        _READ,
        {"publication": publication, "schema": schema, "names": [*names], "filled": filled},
    ).fetchall()
    return {
        name: TableFacts(
            name=name,
            oid=oid,
            published=published,
            file=file,
            columns=columns or "",
            partitions=tuple(
                Partition(oid=number, file=of, is_filled=bool(is_filled))
                for number, of, is_filled in partitions
            ),
        )
        for name, oid, published, file, columns, partitions in rows
    }


def facts_digest(facts: Facts) -> str:
    """What the graph keeps, to be compared when following begins again.

    A partition without rows is left out, since it is often made long before it is filled.
    """
    said = [
        (
            one.name,
            one.oid,
            one.published,
            one.columns,
            [(p.oid, p.file) for p in one.partitions if p.is_filled],
        )
        for _, one in sorted(facts.items())
    ]
    return sha256(repr(said).encode()).hexdigest()[:32]


def why_missed(before: Facts, now: Facts) -> str | None:
    """Why changes may not have been in the stream between two looks; None where all of them were.

    >>> one = TableFacts(name="legs", oid=1, published=2, file=0, columns="7",
    ...     partitions=(Partition(oid=3, file=3, is_filled=True),))
    >>> why_missed({"legs": one}, {"legs": one}) is None
    True
    >>> from dataclasses import replace
    >>> why_missed({"legs": one}, {"legs": replace(one, partitions=())})
    'a partition of legs was removed'
    """
    for name, old in before.items():
        new = now.get(name)
        if new is None or new.oid != old.oid:
            return f"{name} was made anew"
        if new.published != old.published:
            return f"{name} was not published for a while"
        if new.file != old.file and new.columns != old.columns:
            return f"the rows of {name} were rewritten"
        why = _why_partitions(name, old.partitions, new.partitions)
        if why is not None:
            return why
    return None


def _why_partitions(
    name: str, before: Collection[Partition], now: Collection[Partition]
) -> str | None:
    known = {partition.oid: partition for partition in before}
    if known.keys() - {partition.oid for partition in now}:
        return f"a partition of {name} was removed"
    for partition in now:
        old = known.get(partition.oid)
        if old is None and partition.is_filled:
            return f"a partition with rows was added to {name}"
        if old is not None and old.file != partition.file:
            return f"a partition of {name} was emptied or rewritten"
    return None
