"""One read-only snapshot of a source database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import psycopg

from c360_graph.control_db import CONNECT_TIMEOUT_SECONDS, Credentials, first_line
from c360_graph.errors import SettingsError, SourceError, SourceUnavailableError
from c360_graph.hashing import KeyedHash, hashing_lines
from c360_graph.mapping.catalog import SourceCatalog
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.model import TableMapping
from c360_graph.source_db.catalog import read_catalog
from c360_graph.source_db.copy_query import RowLoss, copy_rows, count_losses, find_long_key

ROWS_BETWEEN_REPORTS = 5_000
ASKED_SECONDS = 10
"""For a statement whose answer can be done without; one that takes longer is given up."""

# PostgreSQL's SQLSTATEs: a lost connection, a shutdown, a start, too many connections, a read on a
# standby that the primary's changes cut short.
_PASSING = frozenset(
    {"08000", "08001", "08003", "08006", "57P01", "57P02", "57P03", "53300", "40001", "40P01"}
)
_PASSING_REFUSALS = (
    "the database system is ",
    "too many clients already",
    "remaining connection slots",
)

# What the text of a value depends on is the same for every server and role.
_SESSION = (
    "SET client_encoding = 'UTF8'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601';"
    " SET timezone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex';"
    " SET standard_conforming_strings = on; SET xmloption = 'content';"
    " SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
    " SET row_security = on;"
    # A function or type of the source's own must not stand in for the built-in one; what its views
    # call is found as the role finds it.
    " SELECT set_config('search_path', concat_ws(', ', 'pg_catalog',"
    " nullif(current_setting('search_path'), '')), false)"
)


@dataclass(frozen=True, kw_only=True)
class CopiedRows:
    """How many rows were written, and the size of the longest with its newline."""

    rows: int
    longest_bytes: int


class SourceSnapshot:
    """One REPEATABLE READ, READ ONLY transaction on a source: everything is read as of one moment."""

    def __init__(self, connection: psycopg.Connection, source: SourceRow) -> None:
        self._connection = connection
        self.source = source

    def catalog(self, table_names: frozenset[str]) -> SourceCatalog:
        """The schema's table names, and the named tables in full."""
        return read_catalog(self._connection, self.source, table_names)

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """All rows of a statement; of few rows only."""
        return self._connection.execute(statement).fetchall()

    def losses(self, table: TableMapping) -> RowLoss:
        """Rows left out and values absent because Neo4j cannot hold them.

        Raises:
            SourceError: a key is longer than an index of Neo4j takes; names the row.
        """
        loss = self._connection.execute(count_losses(table))
        found = RowLoss.from_row(table, loss.fetchone())
        if found.longest_key_bytes > RowLoss.MAX_KEY_BYTES:
            row = self._connection.execute(find_long_key(table)).fetchone()
            shown = ", ".join(
                f"{name} = {str(value)[:60]!r}"
                for name, value in zip(table.key, row or (), strict=False)
            )
            raise SourceError(
                f"{table.place}: the key of row {shown}... has {found.longest_key_bytes} bytes, and"
                f" Neo4j's index takes {RowLoss.MAX_KEY_BYTES}. Shorten it, or exclude the column so"
                " that another key serves."
            )
        return found

    def ask(
        self, statement: str, *parameters: Any, seconds: int = ASKED_SECONDS
    ) -> list[tuple[Any, ...]]:
        """All rows of a statement that may fail: the snapshot can be used afterwards.

        Args:
            statement: has a `%s` for each of the parameters, and then any other `%` doubled.
            parameters: what it is sent with.
            seconds: how long it may take.

        Raises:
            SourceUnavailableError: the source left.
            SourceError: it was refused or took too long. No value is in the message.
        """
        try:
            with self._connection.transaction():
                self._connection.execute(f"SET LOCAL statement_timeout = '{seconds}s'")
                rows = self._connection.execute(statement, parameters or None).fetchall()
                # A savepoint that is released keeps what was set since.
                self._connection.execute("SET LOCAL statement_timeout = 0")
                return rows
        except psycopg.Error as error:
            # The server's own words may hold a value: a function of the source's may raise anything.
            kind = f"{type(error).__name__} (SQLSTATE {error.sqlstate})"
            left = self._connection.closed
            raise (SourceUnavailableError if left else SourceError)(
                f"source {self.source.source_name} {'left' if left else 'refused'}: {kind}"
            ) from None

    def copy(
        self,
        table: TableMapping,
        out: BinaryIO,
        report: Callable[[int], None],
        *,
        hashing: KeyedHash | None = None,
    ) -> CopiedRows:
        """Write the table's rows in COPY's text form.

        Args:
            table: what to read; excluded columns are in no statement.
            out: takes one line a row.
            report: told now and then how many rows have come.
            hashing: what the treatment `hash` makes of a value, before it is written.

        Raises:
            SettingsError: a column is to be hashed, and `hashing` is None.
        """
        treated = _treating(table, hashing)
        rows = longest = 0
        with self._connection.cursor() as cursor:
            with cursor.copy(copy_rows(table)) as stream:
                for read in stream:
                    line = treated(bytes(read)) if treated else read
                    out.write(line)
                    rows += 1
                    longest = max(longest, len(line))
                    if rows % ROWS_BETWEEN_REPORTS == 0:
                        report(rows)
            sent = cursor.rowcount
        # The server's own count: a row lost on the way is an error, never a smaller graph.
        if sent != rows:
            raise SourceError(
                f"{table.place}: the server sent {sent:,} rows, {rows:,} came. Run it again."
            )
        return CopiedRows(rows=rows, longest_bytes=longest)


def _treating(table: TableMapping, hashing: KeyedHash | None) -> Callable[[bytes], bytes] | None:
    """What a line goes through before it is written; None where it is written as it came."""
    hashed = [n for n, prop in enumerate(table.properties) if prop.treatment == "hash"]
    if not hashed:
        return None
    if hashing is None:
        columns = ", ".join(table.properties[n].column for n in hashed)
        raise SettingsError(
            f"{table.place}: {columns} are to be hashed, and C360_HASH_KEY is not set."
        )
    return hashing_lines(hashing, hashed)


@contextmanager
def open_snapshot(source: SourceRow, credentials: Credentials) -> Iterator[SourceSnapshot]:
    """Connect to a source and hold one read-only snapshot of it.

    Raises:
        SourceError: it cannot be reached, refuses the login or a statement; no password in it.
    """
    where = f"source {source.source_name} ({credentials.place})"
    try:
        connection = psycopg.connect(
            host=credentials.host,
            port=credentials.port,
            dbname=credentials.database,
            user=credentials.user,
            password=credentials.password,
            sslmode=credentials.sslmode,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name="c360_graph",
            autocommit=True,
        )
    except psycopg.Error as error:
        raise kind_of(error)(
            f"{where} cannot be reached: {_without(credentials.password, first_line(error))}."
            f" Check source_databases row {source.source_id}."
        ) from None
    try:
        with connection:
            connection.execute(_SESSION)
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield SourceSnapshot(connection, source)
    except psycopg.Error as error:
        raise kind_of(error)(f"{where} failed: {first_line(error)}.") from None


def kind_of(error: psycopg.Error) -> type[SourceError]:
    """Whether another try may succeed: nobody answered, or a server that starts, stops or is full.

    A login or a database that the server refuses comes without SQLSTATE, as a refused connection
    does; only the text tells them apart.
    """
    if not isinstance(error, psycopg.OperationalError):
        return SourceError
    if error.sqlstate is not None:
        return SourceUnavailableError if error.sqlstate in _PASSING else SourceError
    refused = "FATAL:" in str(error) and not any(text in str(error) for text in _PASSING_REFUSALS)
    return SourceError if refused else SourceUnavailableError


def _without(password: str | None, message: str) -> str:
    return message.replace(password, "***") if password else message
