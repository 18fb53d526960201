"""Reads rows of a source again by their keys, each time as they are then."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from c360_graph.cypher.following import with_key_alone
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.model import TableMapping
from c360_graph.source.copy_query import CopiedValues
from c360_graph.source.key_query import (
    copy_keys_without_row,
    copy_rows_of_keys,
    copy_rows_of_values,
    set_keys,
)
from c360_graph.source.snapshot import SourceSession

Key = tuple[str, ...]
"""The texts of a key's columns, as PostgreSQL writes them."""

_FIRST_WAIT, _LONGEST_WAIT = 0.001, 0.05
_TOLD_AFTER_SECONDS = 10.0
_SNAPSHOT = re.compile(r"(\d+):(\d+):([\d,]*)")


@dataclass(frozen=True, kw_only=True)
class WantedKeys:
    """Keys of a table; `types` are the SQL names of the types of the key's columns."""

    table: TableMapping
    types: tuple[str, ...]
    keys: tuple[Key, ...]
    may_be_gone: bool = True
    """False where each was inserted or changed in place: as long as all are found, none is gone."""


@dataclass(frozen=True, kw_only=True)
class RowsRead:
    """Lines of COPY's text form without their newlines: whole rows, and keys that no row has."""

    table: TableMapping
    rows: tuple[bytes, ...]
    gone: tuple[bytes, ...]


class KeyReader:
    """Reads by key over one connection."""

    def __init__(
        self,
        session: SourceSession,
        *,
        hashing: KeyedHash | None,
        waiting: Callable[[], None] = lambda: None,
        warn: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._session = session
        self._hashing = hashing
        self._waiting = waiting
        self._warn = warn

    def read(self, wanted: Iterable[WantedKeys], *, xids: Collection[int]) -> list[RowsRead]:
        """What the tables hold under these keys, as of one moment at which all transactions are visible.

        A commit is in the log, and so in the stream, a moment before other sessions see what it wrote;
        with a synchronous standby that does not answer, long before. So the snapshot is taken again
        until it shows the transactions `xids`.

        Raises:
            SourceUnavailableError: the source cannot be reached or left.
            SourceError: a statement was refused, as where a column is gone.
            SettingsError: a column is to be hashed, and there is no key.
        """
        try:
            self._begin(xids)
            read = [self._read(keys) for keys in wanted]
            self._session.connection.execute("COMMIT")
        except psycopg.Error as error:
            with suppress(psycopg.Error):
                self._session.connection.execute("ROLLBACK")
            raise self._session.failure(error) from None
        return read

    def read_by_values(
        self, table: TableMapping, columns: Sequence[str], values: Sequence[Key]
    ) -> list[bytes]:
        """Whole rows that have one of the values in these columns; errors as `read`."""
        try:
            self._begin(())
            given = [list(column) for column in zip(*values, strict=True)]
            self._session.connection.execute(set_keys(len(columns)).encode(), given)
            rows = self._copy(copy_rows_of_values(table, columns))
            self._session.connection.execute("COMMIT")
        except psycopg.Error as error:
            with suppress(psycopg.Error):
                self._session.connection.execute("ROLLBACK")
            raise self._session.failure(error) from None
        return list(self._treated(rows, table))

    def _begin(self, xids: Collection[int]) -> None:
        begun = time.monotonic()
        wait = _FIRST_WAIT
        told = False
        while True:
            self._session.begin()
            row = self._session.connection.execute(
                "SELECT pg_catalog.pg_current_snapshot()::text"
            ).fetchone()
            if row is None or shows(str(row[0]), xids):
                return
            self._session.connection.execute("ROLLBACK")
            if not told and time.monotonic() - begun > _TOLD_AFTER_SECONDS:
                told = True
                self._warn(
                    "A committed transaction is not visible in the source yet: it waits for a"
                    " synchronous standby. Following waits with it."
                )
            self._waiting()
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def _read(self, wanted: WantedKeys) -> RowsRead:
        table = wanted.table
        columns = [list(column) for column in zip(*wanted.keys, strict=True)]
        self._session.connection.execute(set_keys(len(wanted.types)).encode(), columns)
        rows = self._copy(copy_rows_of_keys(table, wanted.types))
        gone: list[bytes] = []
        if wanted.may_be_gone or len(rows) < len(wanted.keys):
            gone = self._copy(copy_keys_without_row(table, wanted.types))
        return RowsRead(
            table=table,
            rows=self._treated(rows, table),
            gone=self._treated(gone, with_key_alone(table)),
        )

    def _copy(self, statement: str) -> list[bytes]:
        with (
            self._session.connection.cursor() as cursor,
            cursor.copy(statement.encode()) as stream,
        ):
            lines = [bytes(line) for line in stream]
        self._session.wait.move()
        return lines

    def _treated(self, lines: Sequence[bytes], table: TableMapping) -> tuple[bytes, ...]:
        """Lines of a table's properties, normalised and hashed as extraction does."""
        replace = CopiedValues(table, self._hashing).replace
        chosen = map(replace, lines) if replace else lines
        # One row may be found by two keys that are equal and written differently.
        return tuple(dict.fromkeys(line[:-1] for line in chosen))


def shows(snapshot: str, xids: Iterable[int]) -> bool:
    """Whether a snapshot (`xmin:xmax:running`) shows transactions, given by the lower 32 bits of their ids.

    >>> shows("10:12:10", [9, 11]), shows("10:12:10", [10]), shows("10:12:10", [12])
    (True, False, False)
    >>> shows("4294967298:4294967298:", [4294967295])
    True
    """
    match = _SNAPSHOT.fullmatch(snapshot)
    assert match is not None
    lowest, next_id = int(match[1]), int(match[2])
    running = {int(number) for number in match[3].split(",") if number}
    for xid in xids:
        # The one of that number that is nearest to now.
        whole = next_id - ((next_id - xid + (1 << 31)) % (1 << 32)) + (1 << 31)
        if whole >= next_id or (whole >= lowest and whole in running):
            return False
    return True
