"""One read-only snapshot of a source database, whose statements are watched: a source that goes silent is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import psycopg

from c360_graph.control.connection import CONNECT_TIMEOUT_SECONDS, Credentials, first_line
from c360_graph.errors import SourceError, SourceUnavailableError
from c360_graph.faults import (
    CONNECT_SECONDS,
    KEEPALIVE,
    Wait,
    backend_answer,
    end_connection,
    end_statement,
    is_passing,
    log_warning,
    watched,
)
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.catalog import SourceCatalog
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.model import TableMapping
from c360_graph.mapping.table_steps import PageRange
from c360_graph.source.catalog import read_catalog
from c360_graph.source.copy_query import (
    CopiedValues,
    RowLoss,
    copy_rows,
    count_losses,
    find_left_out,
    measure_pages,
    read_one_row,
)
from c360_graph.sql_quoting import sql_literal


def watched_cursor(wait: Wait) -> type[psycopg.Cursor[Any]]:
    """The class of a connection's cursors; nothing is watched between two statements."""

    class WatchedCursor(psycopg.Cursor[Any]):
        def execute(self, *arguments: Any, **options: Any) -> WatchedCursor:
            """As psycopg's."""
            with watched(wait):
                return super().execute(*arguments, **options)

        @contextmanager
        def copy(self, *arguments: Any, **options: Any) -> Iterator[psycopg.Copy]:
            """As psycopg's; who reads from it says by `wait.move()` that something came."""
            with watched(wait), super().copy(*arguments, **options) as stream:
                yield stream

    return WatchedCursor


ROWS_BETWEEN_REPORTS = 5_000
PROBE_SECONDS = 3
"""For a row of a table that is only tried."""
ASKED_SECONDS = 10
"""For a statement whose answer can be done without; one that takes longer is given up."""

# Each setting ends with the transaction: behind a pooler the session is another client's next. What the
# text of a value depends on is the same for every server and role.
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
_SETTINGS = (
    " SET LOCAL client_encoding = 'UTF8'; SET LOCAL datestyle = 'ISO, YMD';"
    " SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL timezone = 'UTC';"
    " SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex';"
    " SET LOCAL standard_conforming_strings = on; SET LOCAL xmloption = 'content';"
    " SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;"
    " SET LOCAL row_security = on"
)
# The settings of a later version are set where the server has them. A function or type of the source's own
# must not stand in for the built-in one; what its views call is found as the role finds it.
_SETTLE = (
    "SELECT pg_catalog.pg_backend_pid(), pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', 'pg_catalog',"
    " nullif(pg_catalog.current_setting('search_path'), '')), true),"
    " (SELECT pg_catalog.count(pg_catalog.set_config(name, '0', true)) FROM pg_catalog.pg_settings"
    " WHERE name = 'transaction_timeout')"
)


@dataclass(frozen=True, kw_only=True)
class CopiedRows:
    """How many rows were written, and the size of the longest with its newline.

    `lost` counts values that a join condition's functions made nothing of, by property.
    """

    rows: int
    longest_bytes: int
    lost: Mapping[str, int]


class SourceSnapshot:
    """One REPEATABLE READ, READ ONLY transaction on a source: everything is read as of one moment."""

    def __init__(
        self, connection: psycopg.Connection, source: SourceRow, wait: Wait | None = None
    ) -> None:
        self._connection = connection
        self._wait = wait
        self.source = source

    def catalog(self, table_names: frozenset[str]) -> SourceCatalog:
        """The schema's table names, and the named tables in full."""
        return read_catalog(self._connection, self.source, table_names)

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """All rows of a statement; of few rows only."""
        return self._connection.execute(statement).fetchall()

    def export(self) -> str:
        """The name by which other connections to this server read the same snapshot, while this one lasts."""
        ((name,),) = self.fetch("SELECT pg_catalog.pg_export_snapshot()")
        return str(name)

    def pages(self, table: TableMapping) -> int:
        """How many pages a table has, or its largest partition; 0 where its rows cannot be read by pages."""
        ((pages, may_read),) = self.fetch(measure_pages(table))
        return int(pages) if may_read else 0

    def losses(self, table: TableMapping) -> RowLoss:
        """Rows left out and values absent because Neo4j cannot hold them."""
        return RowLoss.from_row(table, self._connection.execute(count_losses(table)).fetchone())

    def rows_left_out(self, table: TableMapping, *, most: int) -> tuple[str, ...]:
        """A few rows that are left out, each as `column = 'value', ...` of its key, shortened."""
        if not most:
            return ()
        if not table.key:
            return ("a row without key",)
        rows = self.fetch(find_left_out(table, most=most))
        return tuple(
            ", ".join(
                f"{name} = {value!r}" for name, value in zip(table.key_columns, row, strict=True)
            )
            for row in rows
        )

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

    def why_unreadable(self, table: TableMapping) -> str | None:
        """Why a table cannot be read as extraction would, None where it can.

        One that takes longer than `PROBE_SECONDS` to give a row can be.

        Raises:
            SourceUnavailableError: the source left.
        """
        try:
            with self._connection.transaction():
                self._connection.execute(f"SET LOCAL statement_timeout = '{PROBE_SECONDS}s'")
                self._connection.execute(read_one_row(table))
                self._connection.execute("SET LOCAL statement_timeout = 0")
        except psycopg.errors.QueryCanceled:
            return None
        except psycopg.Error as error:
            if self._connection.closed:
                raise SourceUnavailableError(
                    f"source {self.source.source_name} left: {type(error).__name__}"
                ) from None
            return f"{table.qualified_name} cannot be read: {why_unreadable(error)}.{advice(error, self.source)}"
        return None

    def copy(
        self,
        table: TableMapping,
        out: BinaryIO,
        report: Callable[[int], None],
        *,
        hashing: KeyedHash | None = None,
        pages: PageRange | None = None,
    ) -> CopiedRows:
        """Write the table's rows in COPY's text form.

        Args:
            table: what to read; excluded columns are in no statement.
            out: takes one line a row.
            report: told now and then how many rows have come.
            hashing: what the treatment `hash` makes of a value, before it is written.
            pages: only the rows in these pages.

        Raises:
            SettingsError: a column is to be hashed, and `hashing` is None.
        """
        values = CopiedValues(table, hashing)
        treated = values.replace
        rows = longest = 0
        with self._connection.cursor() as cursor:
            with cursor.copy(copy_rows(table, pages)) as stream:
                for read in stream:
                    if self._wait is not None:
                        self._wait.move()
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
                f"{table.qualified_name}: the server sent {sent:,} rows, {rows:,} came. Run it again."
            )
        return CopiedRows(rows=rows, longest_bytes=longest, lost=dict(values.lost))


@contextmanager
def open_snapshot(
    source: SourceRow,
    credentials: Credentials,
    *,
    silent_seconds: float | None = None,
    warn: Callable[[str], None] = log_warning,
) -> Iterator[SourceSnapshot]:
    """Connect to a source and hold one read-only snapshot of it.

    Args:
        source: which one.
        credentials: how it is reached.
        silent_seconds: how long it may send nothing before what runs is ended; None for ever. One that
            does not answer on another connection either is given up long before.
        warn: told of a source that sends nothing.

    Raises:
        SourceUnavailableError: it cannot be reached at the moment, left, or went silent.
        SourceError: it refuses the login or a statement, or took too long; no password in it.
    """
    with open_session(source, credentials, silent_seconds=silent_seconds, warn=warn) as session:
        session.begin()
        yield SourceSnapshot(session.connection, source, session.wait)
        # Everything has been read; and a statement that was asked may have ended the connection.
        with suppress(psycopg.Error):
            session.connection.execute("COMMIT")


class SourceSession:
    """A connection to a source that is watched; each snapshot is a transaction of it."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        source: SourceRow,
        where: str,
        wait_for: Callable[[Callable[[], int]], Wait],
    ) -> None:
        self.connection = connection
        self._source = source
        self._where = where
        self._backend = connection.info.backend_pid
        self.wait = wait_for(lambda: self._backend)

    def begin(self, exported: str | None = None) -> None:
        """Begin a snapshot, with the settings that the texts of values depend on.

        Args:
            exported: the name of the snapshot of another connection, to read what that one reads.
        """
        joined = f" SET TRANSACTION SNAPSHOT {sql_literal(exported)};" if exported else ""
        self.connection.execute(f"{_BEGIN}{joined}{_SETTINGS}")
        # Behind a pooler libpq knows another number, and this one as long as the transaction lasts.
        row = self.connection.execute(_SETTLE).fetchone()
        self._backend = int(row[0]) if row else self._backend

    def failure(self, error: psycopg.Error) -> SourceError:
        """What an error of psycopg's means; no value and no password in it."""
        return _failure(self._where, self._source, error, self.wait)


@contextmanager
def open_session(
    source: SourceRow,
    credentials: Credentials,
    *,
    silent_seconds: float | None = None,
    warn: Callable[[str], None] = log_warning,
) -> Iterator[SourceSession]:
    """Connect to a source, for one snapshot after the other. Arguments and errors as `open_snapshot`."""
    where = f"source {source.source_name} ({credentials.server})"
    try:
        connection = connect_source(credentials)
    except psycopg.Error as error:
        raise kind_of(error)(
            f"{where} cannot be reached: {_without(credentials.password, first_line(error))}."
            f" Check {source.told_as}."
        ) from None

    def wait_for(backend: Callable[[], int]) -> Wait:
        return Wait(
            server=where[0].upper() + where[1:],
            probe=lambda: backend_answer(
                lambda: connect_source(credentials, seconds=CONNECT_SECONDS), backend()
            ),
            cut=lambda: end_connection(connection),
            end=lambda: end_statement(
                lambda: connect_source(credentials, seconds=CONNECT_SECONDS), backend()
            ),
            warn=warn,
            limit_seconds=silent_seconds,
        )

    session = SourceSession(connection, source, where, wait_for)
    try:
        with closing(connection):
            connection.cursor_factory = watched_cursor(session.wait)
            yield session
    except psycopg.Error as error:
        raise session.failure(error) from None


def connect_source(
    credentials: Credentials, *, seconds: int = CONNECT_TIMEOUT_SECONDS
) -> psycopg.Connection[Any]:
    """A connection in autocommit mode that leaves nothing behind in a pooler's session.

    psycopg's errors pass through.
    """
    return psycopg.connect(
        host=credentials.host,
        port=credentials.port,
        dbname=credentials.database,
        user=credentials.user,
        password=credentials.password,
        sslmode=credentials.sslmode,
        connect_timeout=seconds,
        application_name="c360_graph",
        autocommit=True,
        prepare_threshold=None,
        **KEEPALIVE,
    )


def _failure(where: str, source: SourceRow, error: psycopg.Error, wait: Wait) -> SourceError:
    if wait.exceeded:
        return SourceError(
            f"{where} sent nothing for {wait.limit_seconds:.0f} s, so that its statement was ended. See"
            " what it waits for in its pg_stat_activity, or raise C360_SOURCE_TIMEOUT_SECONDS."
        )
    if wait.is_cut:
        return SourceUnavailableError(
            f"{where} went silent in the middle of a statement. Check the network to it"
            f" ({source.told_as})."
        )
    return kind_of(error)(f"{where} failed: {first_line(error)}.{advice(error, source)}")


def advice(error: psycopg.Error, source: SourceRow) -> str:
    """What to do about a table that cannot be read; empty where the server's words have to do."""
    state = error.sqlstate or ""
    if state == "42501":
        role = f"role {source.db_user}" if source.db_user else "role of the source"
        return (
            f" The {role} needs USAGE on the schema and SELECT on the table or on each of its columns that"
            " no rule excludes; what a view selects is read with the rights of the view's owner."
        )
    if state == "55000":
        return " A materialized view is filled by REFRESH MATERIALIZED VIEW."
    if state.startswith("HV") or state in ("08001", "08006"):
        return " A foreign table needs its own server, and the user mapping to it."
    return ""


_NAMING_STATES = ("08", "28", "3D", "3F", "42", "55", "57", "58", "HV")
"""Classes of SQLSTATE whose messages name objects, where others may repeat a value."""


def why_unreadable(error: psycopg.Error) -> str:
    """The server's words where they name objects only, else the kind of the error."""
    state = error.sqlstate or ""
    if state.startswith(_NAMING_STATES):
        return first_line(error)
    return f"{type(error).__name__} (SQLSTATE {state})"


def kind_of(error: psycopg.Error) -> type[SourceError]:
    """Whether another try may succeed: nobody answered, or a server that starts, stops or is full."""
    return SourceUnavailableError if is_passing(error) else SourceError


def _without(password: str | None, message: str) -> str:
    return message.replace(password, "***") if password else message
