"""What changed in a source: the keys that its messages name, up to where that is known, and what no message tells.

PostgreSQL sends nothing where a partition is attached, detached, dropped or emptied, where ALTER TABLE
rewrites rows, and where a table is not published for a while. All of that leaves traces in the catalog.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

import psycopg

from c360_graph.errors import MappingChangedError
from c360_graph.following.messages import (
    UNCHANGED,
    Begin,
    Commit,
    Delete,
    Insert,
    Message,
    Relation,
    Truncate,
    Update,
    Values,
)
from c360_graph.following.replication import FollowedTable
from c360_graph.mapping.model import TableMapping
from c360_graph.source.key_reads import Key, WantedKeys

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


@dataclass(kw_only=True)
class TableKeys:
    """Keys of one table. `may_be_gone` is whether one was deleted or replaced by another."""

    followed: FollowedTable
    indexes: tuple[int, ...] = ()
    """Where the columns of the key are in the relation's rows."""
    keys: dict[Key, None] = field(default_factory=dict)
    may_be_gone: bool = False
    is_emptied: bool = False

    def wanted(self) -> WantedKeys:
        """What is to be read."""
        return WantedKeys(
            table=self.followed.table,
            types=self.followed.key_types,
            keys=tuple(self.keys),
            may_be_gone=self.may_be_gone,
        )


@dataclass(frozen=True, kw_only=True)
class Dirty:
    """What was gathered: all of it is applied together, and then `position` may be confirmed."""

    wanted: tuple[WantedKeys, ...]
    emptied: tuple[TableMapping, ...]
    xids: frozenset[int]
    commit_times: tuple[datetime, ...]
    changes: int
    position: int


class DirtyKeys:
    """Of one source."""

    def __init__(self, followed: Iterable[FollowedTable], *, source: str, position: int) -> None:
        self._source = source
        self._by_name = {
            (one.table.source.db_schema, one.table.table_name): one for one in followed
        }
        # By the table's own number; where it is read again before anything came, the indexes are unknown.
        self._tables: dict[int, TableKeys] = {}
        self._relations: dict[int, Relation] = {}
        self._xids: list[int] = []
        self._commit_times: list[datetime] = []
        self._position = position
        self.is_in_transaction = False
        self.count = 0
        """Keys that are gathered; one that changed twice counts once."""
        self.changes = 0
        """Messages of rows since the last time."""
        self.may_have_changed = False
        """Whether a table was described again, as it is after its columns changed."""

    @property
    def is_dirty(self) -> bool:
        """Whether anything is to be read again."""
        return bool(self.count or self._emptied())

    def add(self, message: Message | None) -> None:
        """Take in a message.

        Raises:
            MappingChangedError: a table is not as it was mapped.
        """
        match message:
            case Insert():
                self._add(message.oid, message.new, None)
            case Update():
                self._update(message)
            case Delete():
                self._add(message.oid, message.old, None, is_gone=True)
            case Begin():
                self.is_in_transaction = True
                self._xids.append(message.xid)
                self._commit_times.append(message.commit_time)
            case Commit():
                self.is_in_transaction = False
                self._position = message.end_lsn
            case Relation():
                self._describe(message)
            case Truncate():
                self._truncate(message)

    def read_again(self, table_name: str, key: Key) -> None:
        """A key that is read again although no message named it."""
        for followed in self._by_name.values():
            if followed.table.table_name == table_name:
                keys = self._tables.setdefault(followed.oid, TableKeys(followed=followed))
                keys.keys[key] = None
                keys.may_be_gone = True
                self.count += 1

    def take(self) -> Dirty:
        """What was gathered, to be gathered anew."""
        dirty = Dirty(
            wanted=tuple(keys.wanted() for keys in self._tables.values() if keys.keys),
            emptied=tuple(keys.followed.table for keys in self._emptied()),
            xids=frozenset(self._xids),
            commit_times=tuple(self._commit_times),
            changes=self.changes,
            position=self._position,
        )
        for keys in self._tables.values():
            keys.keys, keys.may_be_gone, keys.is_emptied = {}, False, False
        self._forget_ended()
        self.count = self.changes = 0
        return dirty

    def _forget_ended(self) -> None:
        """Forget the transactions that came as a whole.

        The one that goes on is kept: nothing of it may have been read yet, so that whoever reads its rows
        still has to wait until they are visible.
        """
        kept = -1 if self.is_in_transaction else len(self._xids)
        self._xids, self._commit_times = self._xids[kept:], self._commit_times[kept:]

    def skip_to(self, position: int) -> None:
        """The server has looked through its log up to here, and there was nothing of ours."""
        self._position = max(self._position, position)

    @property
    def position(self) -> int:
        """The end of the last transaction that came as a whole."""
        return self._position

    def _emptied(self) -> list[TableKeys]:
        return [keys for keys in self._tables.values() if keys.is_emptied]

    def _update(self, message: Update) -> None:
        self._add(message.oid, message.new, message.old)
        keys = self._tables.get(message.oid)
        if message.old is not None and keys is not None:
            old, new = (_key(keys, values, message.old) for values in (message.old, message.new))
            if old != new:
                self._add(message.oid, message.old, None, is_gone=True)

    def _add(self, oid: int, values: Values, old: Values | None, *, is_gone: bool = False) -> None:
        keys = self._tables.get(oid)
        if keys is None:
            return
        before = len(keys.keys)
        keys.keys[_key(keys, values, old)] = None
        keys.may_be_gone |= is_gone
        self.count += len(keys.keys) - before
        self.changes += 1

    def _truncate(self, message: Truncate) -> None:
        for oid in message.oids:
            keys = self._tables.get(oid)
            if keys is not None:
                # What is in the table now was written afterwards, and comes afterwards.
                self.count -= len(keys.keys)
                keys.keys, keys.is_emptied = {}, True

    def _describe(self, relation: Relation) -> None:
        known = self._relations.get(relation.oid)
        self._relations[relation.oid] = relation
        self.may_have_changed |= known is not None
        if known == relation:
            return
        followed = self._by_name.get((relation.schema, relation.name))
        if followed is None:
            return
        if known is not None or followed.oid != relation.oid:
            raise MappingChangedError(
                f"source {self._source}: table {relation.name} is not as it was mapped."
            )
        missing = [name for name in followed.table.key_columns if name not in relation.columns]
        if missing:
            raise MappingChangedError(
                f"source {self._source}: the stream of {relation.name} lacks {', '.join(missing)}."
            )
        indexes = tuple(relation.columns.index(name) for name in followed.table.key_columns)
        keys = self._tables.setdefault(relation.oid, TableKeys(followed=followed))
        keys.indexes = indexes


def _key(keys: TableKeys, values: Values, old: Values | None) -> Key:
    found = []
    for index in keys.indexes:
        value = values[index]
        if value == UNCHANGED:
            value = old[index] if old is not None else None
        if value is None or value == UNCHANGED:
            raise MappingChangedError(
                f"{keys.followed.table.qualified_name}: a row came without a part of its key."
            )
        found.append(value)
    return tuple(found)
