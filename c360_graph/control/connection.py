"""Reads the control tables of `etl_control_db`."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.pq import Conninfo
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    Pool,
    QueuePool,
    RowMapping,
    create_engine,
    text,
)
from sqlalchemy.exc import DBAPIError

from c360_graph.errors import ControlDatabaseError, ControlDatabaseUnavailableError
from c360_graph.faults import (
    CONNECT_SECONDS,
    KEEPALIVE,
    Wait,
    backend_answer,
    end_connection,
    is_passing,
    log_warning,
    watched,
)
from c360_graph.mapping.control_rows import (
    ControlRows,
    IdentityDecisionRow,
    Refusal,
    SourceRow,
    control_rows,
    identity_decisions,
)
from c360_graph.settings import Settings, resolve_secret

CONNECT_TIMEOUT_SECONDS = 10
BRIEF_PATIENCE_SECONDS, RUN_PATIENCE_SECONDS = 3.0, 60.0
"""How long the control database is tried again where it cannot be reached: by a command that somebody waits
for, and within a run."""
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.2, 5.0
_KEPT_SECONDS = 30
"""After these a shared connection is replaced at its next use: what lies between may have dropped it."""

_FATE_LOOKS = 20

_given_up: set[str] = set()
"""Control databases that this process has waited for in vain and not reached since."""

# By the names that PostgreSQL 10 knew; later ones know them too.
_TRANSACTION = text("SELECT txid_current_if_assigned()")
_FATE = text("SELECT txid_status(CAST(:number AS bigint))")
_END_TRANSACTION = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE backend_xid = CAST(CAST(mod(CAST(:number AS bigint), 4294967296) AS text) AS xid) AND pid <> pg_backend_pid()"
)

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """How to reach a database; shown without its password."""

    host: str | None
    port: int | None
    database: str
    user: str | None
    password: str | None
    sslmode: str | None = None

    def __post_init__(self) -> None:
        # libpq wants an IPv6 address without the brackets that it has in a URL.
        if self.host and self.host.startswith("[") and self.host.endswith("]"):
            object.__setattr__(self, "host", self.host[1:-1])

    def __repr__(self) -> str:
        return f"Credentials({self.server})"

    @property
    def server(self) -> str:
        """`user@host:port/database`, for messages."""
        host = self.host or ""
        shown = f"[{host}]" if ":" in host else host
        return f"{self.user or ''}@{shown}:{self.port or ''}/{self.database}"


class ControlDatabase:
    """The control database: a thin reader. Each use has a connection of its own, which is safe across forks."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        patience_seconds: float = BRIEF_PATIENCE_SECONDS,
        pool: type[Pool] = NullPool,
    ) -> None:
        self.credentials = credentials
        self.patience_seconds = patience_seconds
        self._engine = _engine(credentials, pool)

    def run(self, work: Callable[[Connection], _T]) -> _T:
        """What `work` returns, done in one transaction that takes effect once.

        It is tried again where the connection is lost or the server cannot be reached at the moment, so it
        does nothing but work on the database. After a lost COMMIT the server is asked what became of it.

        Raises:
            ControlDatabaseUnavailableError: the database cannot be reached, in all of the patience.
            ControlDatabaseError: it refused the login or a statement.
        """
        sent: list[tuple[int, _T]] = []

        def attempt() -> _T:
            if sent and self._is_committed(sent[-1][0]):
                return sent[-1][1]
            sent.clear()
            with self._connected() as connection, connection.begin():
                value = work(connection)
                number = connection.execute(_TRANSACTION).scalar_one()
                if number is not None:
                    sent.append((int(number), value))
            return value

        return self.patiently(attempt)

    def patiently(self, attempt: Callable[[], _T], *, patience_seconds: float | None = None) -> _T:
        """What `attempt` returns, tried again where the server cannot be reached at the moment.

        Raises:
            ControlDatabaseUnavailableError: it could not, in all of the patience.
            ControlDatabaseError: the server refused.
        """
        server = self.credentials.server
        # Who has just been waited for in vain is not waited for again at each further use.
        given = self.patience_seconds if patience_seconds is None else patience_seconds
        patience = 0.0 if server in _given_up else given
        failed: float | None = None
        wait = _FIRST_WAIT_SECONDS
        while True:
            try:
                value = attempt()
            except DBAPIError as error:
                if not is_passing(error.orig):
                    raise self._refused(error) from None
                now = time.monotonic()
                failed = now if failed is None else failed
                if now - failed + wait > patience:
                    _given_up.add(server)
                    raise self._unavailable(error, now - failed) from None
                said = first_line(error.orig)
                log_warning(
                    f"The control database {server} is tried again in {wait:.1f} s: {said}."
                )
                time.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
            else:
                _given_up.discard(server)
                return value

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self._engine.connect() as connection, self.watching(connection):
            yield connection

    @contextmanager
    def kept_connected(self) -> Iterator[ControlDatabase]:
        """The same database, whose uses share a connection while the block runs: for many short ones."""
        kept = ControlDatabase(
            self.credentials, patience_seconds=self.patience_seconds, pool=QueuePool
        )
        try:
            yield kept
        finally:
            kept._engine.dispose()

    def connect(self) -> Connection:
        """A connection in autocommit mode, for what outlives a statement; its owner closes it.

        SQLAlchemy's errors pass through.
        """
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def watching(self, connection: Connection) -> Iterator[None]:
        """Close the connection where the server goes silent while the block runs."""
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, psycopg.Connection)
        wait = Wait(
            server=f"The control database {self.credentials.server}",
            probe=lambda: backend_answer(
                lambda: psycopg.connect(
                    **(raw.info.get_parameters() | {"connect_timeout": CONNECT_SECONDS}),
                    password=self.credentials.password,
                    autocommit=True,
                ),
                raw.info.backend_pid,
            ),
            cut=lambda: end_connection(raw),
            warn=log_warning,
        )
        with watched(wait):
            yield

    def _is_committed(self, number: int) -> bool:
        """What became of a transaction whose COMMIT was not answered; one that goes on is ended."""
        with self._connected() as connection, connection.begin():
            for _ in range(_FATE_LOOKS):
                state = connection.execute(_FATE, {"number": number}).scalar_one()
                if state != "in progress":
                    return bool(state == "committed")
                connection.execute(_END_TRANSACTION, {"number": number})
                time.sleep(_FIRST_WAIT_SECONDS)
        return False

    def _unavailable(self, error: DBAPIError, seconds: float) -> ControlDatabaseUnavailableError:
        tried = f" for {seconds:.0f} s" if seconds >= 1 else ""
        return ControlDatabaseUnavailableError(
            f"The control database {self.credentials.server} could not be reached{tried}:"
            f" {first_line(error.orig)}. Check that it runs, and ETL_DB_*."
        )

    def _refused(self, error: DBAPIError) -> ControlDatabaseError:
        return ControlDatabaseError(
            f"The control database {self.credentials.server} failed: {first_line(error.orig)}."
            " Check ETL_DB_*, and run sql/etl_control_db_schema.sql on it (safe to repeat)."
        )

    def refuse_without_schema(self) -> None:
        """Make sure that Dagster and the project find their tables, or can make them.

        Raises:
            ControlDatabaseError: the database cannot be reached, or its schema was never applied.
        """
        schema = text(
            "SELECT to_regnamespace('dagster') IS NOT NULL,"
            " to_regclass('source_databases') IS NOT NULL"
        )
        has_storage, has_rows = self.run(lambda connection: connection.execute(schema).one())
        lacking = [
            *([] if has_storage else ["the schema dagster"]),
            *([] if has_rows else ["the table source_databases"]),
        ]
        if lacking:
            raise ControlDatabaseError(
                f"The control database {self.credentials.server} lacks {' and '.join(lacking)}."
                " Run sql/etl_control_db_schema.sql on it (safe to repeat)."
            )

    def read_rows(self) -> ControlRows:
        """All active rows, without passwords.

        Raises:
            ControlDatabaseError: the database cannot be reached or lacks its tables.
        """
        return control_rows(**self._every_row())

    def read_rows_as_if_all_were_on(self) -> ControlRows:
        """The rows of active sources as if none of them was switched off, without passwords.

        Raises:
            ControlDatabaseError: the database cannot be reached or lacks its tables.
        """
        found = self._every_row()
        on = {
            table: [{**row, "is_active": True, "is_excluded": True} for row in rows]
            for table, rows in found.items()
        }
        return control_rows(**(on | {"sources": found["sources"]}))

    def insert(self, statements: Sequence[str], *, lock: str) -> list[int]:
        """Run INSERT statements as they stand, all of them or none; returns the rows each added.

        Args:
            statements: texts without parameters; no sign in them means anything to the driver.
            lock: the statement that keeps others from inserting the same at the same time.

        Raises:
            ControlDatabaseError: the database refused one, and nothing was added.
        """

        def add(connection: Connection) -> list[int]:
            # Without parameters the driver leaves `%` alone.
            plain = connection.execution_options(no_parameters=True)
            plain.exec_driver_sql(lock)
            return [plain.exec_driver_sql(statement).rowcount for statement in statements]

        return self.run(add)

    def read_decisions(
        self, entity_label: str
    ) -> tuple[tuple[IdentityDecisionRow, ...], tuple[Refusal, ...]]:
        """What people decided of records of a label, and rows that cannot be read.

        Raises:
            ControlDatabaseError: the database cannot be reached.
        """
        rows = self.run(
            lambda connection: _rows_if_there(connection, "identity_decisions", "decision_id")
        )
        return identity_decisions(rows, entity_label)

    def source_credentials(self, source: SourceRow) -> Credentials:
        """Where a source lies and how to log in, its password read at this moment.

        A source without db_host lies on the control database's own server, and what else it does not
        name is the control database's too. A source with one takes libpq's own ways for the rest.

        Raises:
            ControlDatabaseError: the source's row is gone.
            SettingsError: its password is `env:NAME` and NAME is not set.
        """
        password_of = text("SELECT db_password FROM source_databases WHERE source_id = :id")
        found = self.run(
            lambda connection: connection.execute(
                password_of, {"id": source.source_id}
            ).one_or_none()
        )
        where = f"source_databases row {source.source_id} ({source.source_name})"
        if found is None:
            raise ControlDatabaseError(f"{where} is gone; reload the definitions.")
        return self.credentials_for(source, resolve_secret(found.db_password, where=where))

    def credentials_for(self, source: SourceRow, password: str | None) -> Credentials:
        """Where a source lies and how to log in with a password; None for the other ways."""
        own = self.credentials if not source.db_host else None
        return Credentials(
            host=source.db_host or (own.host if own else None),
            port=source.db_port or (own.port if own else None),
            database=source.db_name,
            user=source.db_user or (own.user if own else None),
            password=password if password is not None else (own.password if own else None),
            sslmode=source.db_sslmode,
        )

    def _every_row(self) -> dict[str, Sequence[RowMapping]]:
        """The rows of each table, by the names that `control_rows` takes them under."""
        return self.run(
            lambda connection: {
                "sources": _rows(connection, "source_databases", "source_id"),
                "exclusions": _rows(connection, "field_exclusion_rules", "rule_id"),
                "labels": _rows(connection, "node_label_mappings", "mapping_id"),
                "relationships": _rows(connection, "relationship_mappings", "relationship_id"),
                "properties": _rows_if_there(connection, "property_mappings", "mapping_id"),
                "quality": _rows_if_there(connection, "quality_rules", "rule_id"),
                "identity_rules": _rows_if_there(connection, "identity_rules", "rule_id"),
            }
        )

    def touch_source(self, source_id: int) -> None:
        """Set last_accessed: extraction has connected."""
        touch = text("UPDATE source_databases SET last_accessed = now() WHERE source_id = :id")
        self.run(lambda connection: connection.execute(touch, {"id": source_id}))


def control_credentials(settings: Settings) -> Credentials:
    """How the settings reach the control database.

    With PGSERVICE set, what no ETL_DB_* names comes from that service of libpq's service file.
    """
    password = settings.etl_db_password
    given = Credentials(
        host=settings.etl_db_host,
        port=settings.etl_db_port,
        database=settings.etl_db_name,
        user=settings.etl_db_user,
        password=password.get_secret_value() if password else None,
    )
    return _with_service(given, settings.model_fields_set) if os.environ.get("PGSERVICE") else given


def names_control_database(settings: Settings) -> bool:
    """Whether the settings or PGSERVICE say where the control database is."""
    return bool(
        settings.model_fields_set & {"etl_db_host", "etl_db_port"} or os.environ.get("PGSERVICE")
    )


def _with_service(given: Credentials, named: set[str]) -> Credentials:
    # libpq reads the service file and the other PG variables; what it does not know stays out.
    known = {o.keyword.decode(): o.val.decode() for o in Conninfo.get_defaults() if o.val}
    port = known.get("port")
    return Credentials(
        host=given.host if "etl_db_host" in named else known.get("host"),
        port=given.port if "etl_db_port" in named or not port else int(port),
        database=given.database if "etl_db_name" in named else known.get("dbname", given.database),
        user=given.user if "etl_db_user" in named else known.get("user"),
        password=given.password or known.get("password"),
    )


def lock_number(name: str) -> int:
    """A stable signed 32-bit number for an advisory lock."""
    return zlib.crc32(name.encode()) - 2**31


def first_line(error: object) -> str:
    """A server's message without the detail that may repeat values."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(". ")


def _engine(credentials: Credentials, pool: type[Pool]) -> Engine:
    options: dict[str, Any] = {
        **KEEPALIVE,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": "c360_graph",
        # A pooler hands the server's session on, and prepared statements with it.
        "prepare_threshold": None,
    }
    if credentials.sslmode:
        options["sslmode"] = credentials.sslmode
    url = URL.create(
        "postgresql+psycopg",
        username=credentials.user,
        password=credentials.password,
        host=credentials.host,
        port=credentials.port,
        database=credentials.database,
    )
    shared = {"poolclass": pool, "pool_recycle": _KEPT_SECONDS}
    return create_engine(url, **shared, connect_args=options, hide_parameters=True)


def _rows_if_there(connection: Connection, table: str, key: str) -> Sequence[RowMapping]:
    """The rows of a table that an older control database lacks."""
    found = connection.execute(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": table})
    return _rows(connection, table, key) if found.scalar_one() else ()


def _rows(connection: Connection, table: str, key: str) -> Sequence[RowMapping]:
    # All columns, whichever there are: an older control database lacks the newer ones.
    return connection.execute(text(f"SELECT * FROM {table} ORDER BY {key}")).mappings().all()
