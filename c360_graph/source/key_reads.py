"""Reads rows of a mapped table again by their keys, each time as they are then, as extraction reads all of them.

COPY takes no parameters, so the texts of the keys are settings of the transaction, `c360.k0` and so on:
arrays, one for each column of the key. No key stands in a statement, where a log would show it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from c360_graph.cypher.following import with_key_alone
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.join_forms import column_of
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.source.copy_query import (
    CopiedValues,
    key_properties,
    rendered_value,
    row_conditions,
)
from c360_graph.source.snapshot import SourceSession
from c360_graph.sql_quoting import quoted, quoted_table

Key = tuple[str, ...]
"""The texts of a key's columns, as PostgreSQL writes them."""

_FIRST_WAIT, _LONGEST_WAIT = 0.001, 0.05
_TOLD_AFTER_SECONDS = 10.0
_SNAPSHOT = re.compile(r"(\d+):(\d+):([\d,]*)")


def set_keys(columns: int) -> str:
    """Takes an array of texts for each column of the key."""
    settings = ", ".join(
        f"pg_catalog.set_config('c360.k{number}', %s::text[]::text, true)"
        for number in range(columns)
    )
    return f"SELECT {settings}"


def copy_rows_of_keys(table: TableMapping, types: Sequence[str]) -> str:
    """COPY of the rows that have one of the keys, columns as `copy_rows` has them.

    `types` are the SQL names of the types of the key's columns.
    """
    columns = ", ".join(rendered_value(table, prop) for prop in table.properties)
    conditions = " AND ".join([*_equal(table), *row_conditions(table)])
    return (
        f"COPY (SELECT {columns} FROM {_keys(table, types)} AS d, {_table(table)} AS t"
        f" WHERE {conditions}) TO STDOUT"
    )


def copy_keys_without_row(table: TableMapping, types: Sequence[str]) -> str:
    """COPY of the keys that no row has, each as a node of the graph has it.

    A row may equal a key and be written otherwise, as 'a' and 'A' of a citext: its node is another.
    """
    columns = ", ".join(rendered_value(table, prop, alias="d") for prop in key_properties(table))
    alike = [
        f"({rendered_value(table, prop)})::text = ({rendered_value(table, prop, alias='d')})::text"
        for prop in key_properties(table)
    ]
    conditions = " AND ".join([*_equal(table), *alike, *row_conditions(table)])
    return (
        f"COPY (SELECT {columns} FROM {_keys(table, types)} AS d"
        f" WHERE NOT EXISTS (SELECT FROM {_table(table)} AS t WHERE {conditions})) TO STDOUT"
    )


def copy_rows_of_values(table: TableMapping, columns: Sequence[str]) -> str:
    """COPY of the rows that have one of the values in these columns, integers, texts or uuids."""
    casts = [_CASTS[_property(table, column).type.base] for column in columns]
    names = ", ".join(f"v{number}" for number, _ in enumerate(columns))
    arrays = ", ".join(
        f"pg_catalog.current_setting('c360.k{number}')::text[]" for number, _ in enumerate(columns)
    )
    equal = [
        f"{column_of(_property(table, column))} = d.v{number}::{cast}"
        for number, (column, cast) in enumerate(zip(columns, casts, strict=True))
    ]
    read = ", ".join(rendered_value(table, prop) for prop in table.properties)
    conditions = " AND ".join([*equal, *row_conditions(table)])
    return (
        f"COPY (SELECT {read} FROM unnest({arrays}) AS d({names}), {_table(table)} AS t"
        f" WHERE {conditions}) TO STDOUT"
    )


_CASTS = dict.fromkeys(("int2", "int4", "int8"), "pg_catalog.int8") | {
    "text": "pg_catalog.text",
    "varchar": "pg_catalog.text",
    "uuid": "pg_catalog.uuid",
}
"""An index of a smaller integer's column serves a bigint, too."""


def _property(table: TableMapping, name: str) -> PropertyMapping:
    found = table.property_of(name)
    assert found is not None
    return found


def _table(table: TableMapping) -> str:
    return quoted_table(table.source.db_schema, table.table_name)


def _equal(table: TableMapping) -> list[str]:
    return [f"t.{quoted(column)} = d.{quoted(column)}" for column in table.key_columns]


def _keys(table: TableMapping, types: Sequence[str]) -> str:
    columns = ", ".join(
        f"u.v{number}::{kind} AS {quoted(column)}"
        for number, (column, kind) in enumerate(zip(table.key_columns, types, strict=True))
    )
    names = ", ".join(f"v{number}" for number, _ in enumerate(types))
    arrays = ", ".join(
        f"pg_catalog.current_setting('c360.k{number}')::text[]" for number, _ in enumerate(types)
    )
    return f"(SELECT {columns} FROM unnest({arrays}) AS u({names}))"


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
