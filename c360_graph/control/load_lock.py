"""One load at a time for a target: a session lock in the control database, which is taken again when it was lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TypeVar

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import SQLAlchemyError

from c360_graph.control.connection import BRIEF_PATIENCE_SECONDS, ControlDatabase, lock_number
from c360_graph.errors import ControlDatabaseError, LoadLockedError
from c360_graph.mapping.graph_manifest import Owner

_LOOKS = 5
_LOOKS_THROUGH_A_POOLER = 20
_ENDING_SECONDS = 5.0

_HELD = text(
    "SELECT pg_backend_pid(), EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = CAST(CAST(:class AS bigint) & 4294967295 AS oid)"
    " AND objid = CAST(CAST(:id AS bigint) & 4294967295 AS oid)"
    " AND granted AND pid = pg_backend_pid())"
)
_BACKEND = text("SELECT pg_backend_pid()")
_END_BACKEND = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid AND pid <> pg_backend_pid()"
    " AND usename = current_user AND datname = current_database()"
)

_T = TypeVar("_T")


class LockSession:
    """One connection in autocommit mode. `connection` is another one after a loss."""

    def __init__(self, database: ControlDatabase) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._backend: int | None = None
        self._lock = threading.RLock()

    def run(self, work: Callable[[Connection], _T]) -> _T:
        """What `work` returns; it is done again on a new connection where the session was lost.

        Raises:
            ControlDatabaseUnavailableError: there was none to be had.
            ControlDatabaseError: the server refused, or is reached through a pooler that hands sessions on.
        """

        def attempt() -> _T:
            connection = self._connected()
            try:
                with self._database.watching(connection):
                    return work(connection)
            except SQLAlchemyError:
                self._drop()
                raise

        with self._lock:
            # A server that never answered is more likely named wrongly than away for a moment.
            patience = BRIEF_PATIENCE_SECONDS if self._backend is None else None
            return self._database.patiently(attempt, patience_seconds=patience)

    def holds(self, key: tuple[int, int]) -> bool:
        """Whether this very session holds a lock; False where the session was lost."""
        with self._lock:
            if self._connection is None:
                return False
            try:
                with self._database.watching(self._connection):
                    backend, held = self._connection.execute(
                        _HELD, {"class": key[0], "id": key[1]}
                    ).one()
            except SQLAlchemyError:
                self._drop()
                return False
            return bool(held) and backend == self._backend

    def close(self) -> None:
        """End the session, and its locks with it."""
        with self._lock:
            self._drop()

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._database.connect()
            try:
                with self._database.watching(connection):
                    self._refuse_pooler(connection)
                    former, self._backend = self._backend, _backend(connection)
                    if former is not None:
                        _end(connection, former)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _refuse_pooler(self, connection: Connection) -> None:
        """A pooler in transaction mode gives each statement any session, which keeps the lock.

        Two connections at a time never have one session, and a connection always has the same.
        """
        raw = connection.connection.dbapi_connection
        own = getattr(getattr(raw, "info", None), "backend_pid", None)
        ours = {_backend(connection)}
        looks = _LOOKS if ours == {own} else _LOOKS_THROUGH_A_POOLER
        theirs: set[int] = set()
        with self._database.connect() as other:
            for _ in range(looks):
                theirs.add(_backend(other))
                ours.add(_backend(connection))
        if len(ours) > 1 or len(theirs) > 1 or ours & theirs:
            raise ControlDatabaseError(
                f"The control database {self._database.credentials.server} is reached through a"
                " connection pooler that gives each transaction another session (PgBouncer's"
                " pool_mode = transaction, or statement). The locks that keep two loads apart and say"
                " that a run is alive belong to a session, so they would hold nothing. Set ETL_DB_HOST"
                " and ETL_DB_PORT to PostgreSQL itself, or to a pool in session mode."
            )

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.invalidate()
            with suppress(SQLAlchemyError):
                connection.close()


@contextmanager
def lock_session(database: ControlDatabase) -> Iterator[LockSession]:
    """A session that ends with the block."""
    session = LockSession(database)
    try:
        yield session
    finally:
        session.close()


def _backend(connection: Connection) -> int:
    return int(connection.execute(_BACKEND).scalar_one())


def _end(connection: Connection, former: int) -> None:
    """End a session of ours that was lost: its server may not have noticed, and it keeps its locks."""
    deadline = time.monotonic() + _ENDING_SECONDS
    while connection.execute(_END_BACKEND, {"pid": former}).all() and time.monotonic() < deadline:
        time.sleep(0.05)


# Asked apart: a function that the role may not execute fails even where its result is not needed.
_MAY_ASK = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')"
_SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"
_DATABASE = (
    "SELECT oid::text AS oid, datname,"
    " coalesce((SELECT relnamespace::regnamespace::text FROM pg_class"
    " WHERE oid = to_regclass('source_databases')), 'public') AS schema"
    " FROM pg_database WHERE datname = current_database()"
)


def control_owner(database: ControlDatabase) -> Owner:
    """The control database as the owner of a graph.

    Its id is made of the PostgreSQL cluster's own identifier, the database's oid and the schema of the
    control tables. Renaming the database, another address and a physical standby leave it as it is.
    A copy (`CREATE DATABASE … TEMPLATE`, dump and restore) has another id, so that a copy never
    passes for its original.

    Raises:
        ControlDatabaseError: the database cannot be reached.
    """

    def ask(connection: Connection) -> tuple[str, Row[tuple[str, str, str]]]:
        may_ask = connection.execute(text(_MAY_ASK)).scalar_one()
        system = connection.execute(text(_SYSTEM)).scalar_one() if may_ask else ""
        return system, connection.execute(text(_DATABASE)).one()

    system, found = database.run(ask)
    key = "\x00".join((system, found.oid, found.schema))
    credentials = database.credentials
    where = f" at {credentials.host}:{credentials.port}" if credentials.host else ""
    schema = "" if found.schema == "public" else f", schema {found.schema}"
    return Owner(id=sha256(key.encode()).hexdigest()[:32], name=f"{found.datname}{where}{schema}")


POLL_SECONDS = 1.0
CHECK_SECONDS = 1.0

_CLASS = lock_number("c360_graph load")


class HeldLock:
    """A lock that is held as long as its session lives, and taken again when that was lost."""

    def __init__(
        self,
        session: LockSession,
        target: str,
        number: int,
        warn: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._session = session
        self._target = target
        self._number = number
        self._warn = warn
        self._checked = time.monotonic()
        self._one_at_a_time = threading.Lock()

    def check(self) -> None:
        """Make sure that the lock is held; asks the server at most once a second.

        Raises:
            LoadLockedError: it was lost and could not be taken again, so that another load may have begun.
        """
        with self._one_at_a_time:
            if time.monotonic() - self._checked < CHECK_SECONDS:
                return
            if not self._session.holds((_CLASS, self._number)):
                self._take_again()
            self._checked = time.monotonic()

    def _take_again(self) -> None:
        try:
            taken = self._session.run(lambda connection: _try(connection, self._number))
        except ControlDatabaseError as error:
            raise LoadLockedError(
                f"The lock on {self._target} was lost with its connection to the control database,"
                f" and could not be taken again: {error} The load stops before another can mix with"
                " it. Run it again."
            ) from None
        if not taken:
            raise LoadLockedError(
                f"The lock on {self._target} was lost with its connection to the control database,"
                " and another load has taken it; this one stops before the two mix. Run it again."
            ) from None
        self._warn(
            f"The lock on {self._target} was lost with its connection to the control database, and"
            " was taken again."
        )


@contextmanager
def load_lock(
    database: ControlDatabase,
    *,
    target: str,
    identity: str,
    wait_seconds: float,
    waiting: Callable[[str], None] = lambda message: None,
) -> Iterator[HeldLock]:
    """Hold the lock on a target.

    Args:
        database: the control database whose server keeps the lock.
        target: what is loaded, for messages.
        identity: the target's own id: one server may be reached by several addresses.
        wait_seconds: how long to wait for another load; 0 fails at once.
        waiting: told once that another load is under way, and when the lock had to be taken again.

    Raises:
        LoadLockedError: another load held it all that time.
        ControlDatabaseError: the control database cannot be reached, or only through a pooler that hands
            sessions on.
    """
    with lock_session(database) as session:
        number = lock_number(identity)
        _acquire(session, target, number, wait_seconds, waiting)
        yield HeldLock(session, target, number, waiting)


def _try(connection: Connection, number: int) -> bool:
    taken = connection.execute(
        text("SELECT pg_try_advisory_lock(:class, :id)"), {"class": _CLASS, "id": number}
    )
    return bool(taken.scalar_one())


def _acquire(
    session: LockSession,
    target: str,
    number: int,
    wait_seconds: float,
    waiting: Callable[[str], None],
) -> None:
    deadline = time.monotonic() + wait_seconds
    told = False
    while not session.run(lambda connection: _try(connection, number)):
        if time.monotonic() >= deadline:
            waited = f" for {wait_seconds:.0f} s" if wait_seconds else ""
            raise LoadLockedError(
                f"Another load of {target} has been under way{waited}. Wait for it to end, or give"
                " a longer lock_wait_seconds."
            )
        if not told:
            waiting(f"Another load of {target} is under way; waiting up to {wait_seconds:.0f} s.")
            told = True
        time.sleep(min(POLL_SECONDS, max(0.05, deadline - time.monotonic())))
