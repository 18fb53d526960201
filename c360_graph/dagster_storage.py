"""Dagster's storage in PostgreSQL, in the schema `dagster` of the control database: used again when its connection is lost or goes silent.

dagster-postgres tries again to connect, not what it was about to do: one connection that is cut fails the
run. Here each use of the storage is tried again as a whole.

dagster.yaml names this class instead of Dagster's own `postgres`, which takes its values from an
environment that `.env` has overridden, and builds a URL that a socket's folder does not fit in.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

import psycopg
import psycopg2  # type: ignore[import-untyped]
from dagster import DagsterInstance, DagsterRun
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._serdes import ConfigurableClassData, serialize_value
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from dagster_postgres.utils import DagsterPostgresException, pg_url_from_config
from sqlalchemy import URL, Connection, Engine, create_engine, delete, event, make_url, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from c360_graph.control.connection import (
    CONNECT_TIMEOUT_SECONDS,
    RUN_PATIENCE_SECONDS,
    Credentials,
    control_credentials,
    first_line,
)
from c360_graph.dagster_failures import ending_with_its_message
from c360_graph.errors import ControlDatabaseError, ControlDatabaseUnavailableError
from c360_graph.faults import (
    CONNECT_SECONDS,
    KEEPALIVE,
    Wait,
    backend_answer,
    begin_wait,
    end_wait,
    hint,
    is_passing,
    log_warning,
    shut_down,
)
from c360_graph.settings import load_settings
from c360_graph.start_environment import restore_start_environment

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.2, 5.0
_START_PATIENCE_SECONDS = 10.0
"""For the first connection of a process: a wrong address is likelier than a server that starts again."""
_CONNECTING = frozenset(
    {"connect", "run_connection", "index_connection", "index_transaction", "watch", "end_watch"}
)
"""Methods whose result is still at work when they return."""
_AFTER_TABLES = ("migrate", "optimize", "reindex_events", "reindex_assets")
_PLANNED = "ASSET_CHECK_EVALUATION_PLANNED"
_WAIT = "c360_wait"

_T = TypeVar("_T")
_S = TypeVar("_S")
_using = threading.local()

SCHEMA = "dagster"

_KEPT_SECONDS = 1
_MOST_FURTHER = 20
"""Connections beside the one kept; Dagster's own webserver allows as many."""


class _Patient:
    """What the three storages have in common; before dagster-postgres's own in each class."""

    _engine: Engine
    postgres_url: str

    def _connect(self) -> Any:
        """A connection, without dagster-postgres's tries: it tries again what no try can help, too."""
        return self._engine.connect()

    def _init_db(self) -> None:
        """All tables in one transaction: where they were cut off half made, they would never be made whole."""
        autocommit, self._engine = (
            self._engine,
            self._engine.execution_options(isolation_level="READ COMMITTED"),
        )
        try:
            super()._init_db()  # type: ignore[misc]
        finally:
            self._engine = autocommit

    def optimize_for_webserver(
        self, statement_timeout: int, pool_recycle: int, max_overflow: int
    ) -> None:
        """As dagster-postgres does."""
        super().optimize_for_webserver(statement_timeout, pool_recycle, max_overflow)  # type: ignore[misc]
        watch_engine(self._engine)


def _patient(base: type[_S]) -> type[_S]:
    """A class whose public methods are tried again as a whole, the outermost one that is called."""

    def tried_again(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        prepare = getattr(base, f"_before_another_{name}", None)

        @wraps(method)
        def call(self: Any, *arguments: Any, **options: Any) -> Any:
            if getattr(_using, "within", False):
                return method(self, *arguments, **options)
            again = (lambda: prepare(self, *arguments, **options)) if prepare else None
            _using.within = True
            try:
                return patiently(
                    lambda: method(self, *arguments, **options), self.postgres_url, again=again
                )
            finally:
                _using.within = False

        return call

    methods = {
        name: tried_again(name, method)
        for name, method in inspect.getmembers(base, inspect.isfunction)
        if not name.startswith("_")
        and name not in _CONNECTING
        and not inspect.isgeneratorfunction(method)
    }
    return type(base.__name__, (base,), methods)


@_patient
class PatientRunStorage(_Patient, PostgresRunStorage):
    """Runs."""

    def connect(self) -> Any:
        """As `_connect`."""
        return self._connect()

    def _before_another_add_run(self, dagster_run: DagsterRun) -> None:
        # Its row may be there without its tags.
        self.delete_run(dagster_run.run_id)


@_patient
class PatientScheduleStorage(_Patient, PostgresScheduleStorage):
    """Schedules, sensors and their ticks."""

    def connect(self, run_id: str | None = None) -> Any:
        """As `_connect`."""
        return self._connect()


@_patient
class PatientEventLogStorage(_Patient, PostgresEventLogStorage):
    """Events. What the last try may have left of one is removed before the next, so that it is there once."""

    _known_tables: frozenset[str] = frozenset()

    def has_table(self, table_name: str) -> bool:
        """Whether a table is there. Dagster asks for each materialization, which took a fifth of storing it."""
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables |= {table_name}
        return table_name in self._known_tables

    def _before_another_store_event(self, event: EventLogEntry) -> None:
        self._remove([event])

    def _before_another_store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        self._remove(events)

    def _remove(self, events: Sequence[EventLogEntry]) -> None:
        events_table, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
        with self.index_transaction() as connection:
            for entry in events:
                found = connection.execute(
                    select(events_table.id)
                    .where(events_table.run_id == entry.run_id)
                    .where(events_table.event == serialize_value(entry))
                )
                for (number,) in found.all():
                    connection.execute(
                        delete(AssetEventTagsTable).where(AssetEventTagsTable.c.event_id == number)
                    )
                    if entry.dagster_event and entry.dagster_event.event_type_value == _PLANNED:
                        connection.execute(
                            delete(AssetCheckExecutionsTable).where(
                                checks.evaluation_event_storage_id == number
                            )
                        )
                    connection.execute(
                        delete(SqlEventLogStorageTable).where(events_table.id == number)
                    )


class PatientPostgresStorage(DagsterPostgresStorage):
    """dagster-postgres's storage made of patient ones; takes the same config."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
        token_provider: Any = None,
    ) -> None:
        # Not the parent's, which makes storages of its own.
        DagsterStorage.__init__(self)  # type: ignore[no-untyped-call, arg-type]
        self.postgres_url = with_timeouts(postgres_url)
        self.should_autocreate_tables = should_autocreate_tables
        self._inst_data = inst_data
        self._run_storage = self._made(PatientRunStorage, token_provider)
        self._event_log_storage = self._made(PatientEventLogStorage, token_provider)
        self._schedule_storage = self._made(PatientScheduleStorage, token_provider)

    def _made(self, kind: type[_S], token_provider: Any) -> _S:
        """A storage with its tables.

        Raises:
            ControlDatabaseUnavailableError: it cannot be reached at the moment.
            ControlDatabaseError: it refuses.
        """
        tries = 0

        def make() -> _S:
            nonlocal tries
            tries += 1
            # Its own connecting is tried five times, whatever the reason.
            create_engine(self.postgres_url, poolclass=NullPool).connect().close()
            made: Any = kind(  # type: ignore[call-arg]
                self.postgres_url, self.should_autocreate_tables, token_provider=token_provider
            )
            watch_engine(made._engine)
            # What follows the making of the tables is not made up for when they are there.
            for name in _AFTER_TABLES if tries > 1 and self.should_autocreate_tables else ():
                if hasattr(made, name):
                    getattr(made, name)()
            return cast("_S", made)

        return patiently(make, self.postgres_url, patience_seconds=_START_PATIENCE_SECONDS)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PatientPostgresStorage:
        """The storage that dagster.yaml means."""
        return cls(
            inst_data=inst_data,
            postgres_url=pg_url_from_config(config_value),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
        )


def with_timeouts(postgres_url: str) -> str:
    """The address with what makes libpq notice a server that is gone, where it does not say it itself."""
    url = make_url(postgres_url)
    wanted = {**KEEPALIVE, "connect_timeout": CONNECT_TIMEOUT_SECONDS}
    new = {name: str(value) for name, value in wanted.items() if name not in url.query}
    return url.update_query_dict(new).render_as_string(hide_password=False)


def patiently(
    use: Callable[[], _T],
    postgres_url: str,
    *,
    again: Callable[[], None] | None = None,
    patience_seconds: float = RUN_PATIENCE_SECONDS,
) -> _T:
    """What `use` returns, tried again where the storage cannot be reached at the moment; `again` comes before that.

    Raises:
        ControlDatabaseUnavailableError: it could not be reached for that many seconds.
        ControlDatabaseError: it refuses the login.
    """
    failed: float | None = None
    wait = _FIRST_WAIT_SECONDS
    while True:
        try:
            if failed is not None and again is not None:
                again()
            return use()
        except (DBAPIError, DagsterPostgresException, psycopg2.Error) as raised:
            error = _original(raised)
            if not is_passing(error):
                # What a statement met is for Dagster to deal with.
                if getattr(raised, "statement", None) is not None or failed is not None:
                    raise
                raise ControlDatabaseError(_said(postgres_url, error)) from None
            now = time.monotonic()
            failed = now if failed is None else failed
            if now - failed + wait > patience_seconds:
                raise ControlDatabaseUnavailableError(_said(postgres_url, error)) from None
            log_warning(f"{_said(postgres_url, error)} It is tried again in {wait:.1f} s.")
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)


def _original(raised: BaseException) -> BaseException:
    """The driver's own error: SQLAlchemy wraps most of them, and dagster-postgres some of these."""
    cause = raised.__cause__ if isinstance(raised, DagsterPostgresException) else raised
    return (cause.orig if isinstance(cause, DBAPIError) else cause) or raised


def _said(postgres_url: str, error: BaseException) -> str:
    url = make_url(postgres_url)
    server = url.set(query={}).render_as_string(hide_password=True).partition("://")[2]
    return (
        f"Dagster's storage in {server.replace(':***', '')} failed: {first_line(error)}. Check that"
        f" the control database runs, and ETL_DB_*.{hint(error)}"
    )


def watch_engine(engine: Engine) -> None:
    """Have the silence of a server noticed in every statement of an engine's connections."""

    def begin(connection: Connection, *_: Any) -> None:
        known = connection.info
        if _WAIT not in known:
            known[_WAIT] = _wait_of(engine, connection)
        begin_wait(known[_WAIT])

    def end(connection: Connection, *_: Any) -> None:
        if _WAIT in connection.info:
            end_wait(connection.info[_WAIT])

    def end_of_error(context: Any) -> None:
        if context.connection is not None and not context.connection.closed:
            with _ignoring():
                end(context.connection)

    def end_of_use(_: Any, record: Any) -> None:
        if record is not None and _WAIT in record.info:
            end_wait(record.info[_WAIT])

    for name in ("before_cursor_execute", "commit"):
        event.listen(engine, name, begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", end_of_error)
    event.listen(engine.pool, "checkin", end_of_use)
    event.listen(engine.pool, "invalidate", lambda raw, record, error: end_of_use(raw, record))


@contextmanager
def _ignoring() -> Iterator[None]:
    try:
        yield
    except DBAPIError:
        return


def _wait_of(engine: Engine, connection: Connection) -> Wait:
    raw: Any = connection.connection.dbapi_connection
    backend = raw.info.backend_pid
    return Wait(
        server=f"Dagster's storage ({engine.url.host or engine.url.query.get('host', '')})",
        probe=lambda: backend_answer(lambda: _probing(engine), backend),
        cut=lambda: shut_down(raw.fileno()),
        warn=log_warning,
    )


def _probing(engine: Engine) -> psycopg.Connection[Any]:
    options = engine.url.translate_connect_args(username="user", database="dbname")
    options |= {**engine.url.query, "connect_timeout": CONNECT_SECONDS}
    return psycopg.connect(**options, autocommit=True)


class ControlDatabaseStorage(PatientPostgresStorage):
    """Runs, events and schedules beside the control tables; has no config of its own."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing: all of it is in the settings."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> ControlDatabaseStorage:
        """The storage that the settings of this process's start environment mean.

        Raises:
            SettingsError: a setting cannot be used.
            ControlDatabaseError: the database cannot be reached, or lacks the schema.
        """
        with ending_with_its_message():
            restore_start_environment()
            credentials = control_credentials(load_settings())
            return cls(inst_data=inst_data, postgres_url=storage_url(credentials))


def keep_connections(instance: DagsterInstance) -> None:
    """Let Dagster's storage use a connection for a second.

    Else dagster-postgres opens one for each statement (NullPool): 530 of 4 ms in a run of the sample,
    which took 9.5 s so and takes 7.3 s. Kept for long, one might be dead after an hour of loading.
    """
    instance.optimize_for_webserver(
        statement_timeout=0, pool_recycle=_KEPT_SECONDS, max_overflow=_MOST_FURTHER
    )


def storage_url(credentials: Credentials) -> str:
    """The address as dagster-postgres wants it.

    The host stands in the query, where a socket's folder and an IPv6 address need no escape of their
    own. Plain `postgresql` would pick psycopg 3, with which dagster-postgres cannot LISTEN.
    """
    # As many ports as libpq may have hosts to try.
    ports = [str(credentials.port)] * len((credentials.host or "").split(","))
    query = {
        "host": credentials.host,
        "port": ",".join(ports) if credentials.port else None,
        "sslmode": credentials.sslmode,
        "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
        "application_name": "c360_graph",
        "options": f"-c search_path={SCHEMA}",
    }
    url = URL.create(
        "postgresql+psycopg2",
        username=credentials.user,
        password=credentials.password,
        database=credentials.database,
        query={name: value for name, value in query.items() if value},
    )
    return url.render_as_string(hide_password=False)
