"""Gathers from a source's messages which keys are to be read again, and up to where that is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

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
from c360_graph.following.publication import FollowedTable
from c360_graph.mapping.model import TableMapping
from c360_graph.source.key_reads import Key, WantedKeys


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
