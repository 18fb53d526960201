"""Session locks in the control database: one load at a time for a target, one follower, and the process that executes a step.

A lock goes with its process, however that ends, so nobody has to guess from the age of a sign of life.
"""

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
from c360_graph.faults import log_warning, repeating
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

STEP_CHECK_SECONDS = 5.0
_STEP_CLASS = lock_number("c360_graph step")
_TAKE = text("SELECT pg_try_advisory_lock(:class, :id)")
_HELD_STEPS = text(
    "SELECT CAST(objid AS bigint) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = CAST(CAST(:class AS bigint) & 4294967295 AS oid) AND granted"
)
TURN_CHECK_SECONDS = 2.0

_FOLLOW_CLASS = lock_number("c360_graph follow")


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


@contextmanager
def holding_step(database: ControlDatabase, *, run_id: str, step_key: str) -> Iterator[bool]:
    """Hold the lock of a step while the block executes it; gives whether it could be had.

    Raises:
        ControlDatabaseError: the database cannot be reached, or only through a pooler that hands
            sessions on.
    """
    values = {"class": _STEP_CLASS, "id": _lock_id(run_id, step_key)}

    def take(connection: Connection) -> bool:
        return bool(connection.execute(_TAKE, values).scalar_one())

    with lock_session(database) as session:
        is_ours = session.run(take)

        def look() -> bool:
            if not session.holds((values["class"], values["id"])):
                try:
                    session.run(take)
                except ControlDatabaseError as error:
                    log_warning(f"The lock of step {step_key} was lost: {error}")
            return True

        if not is_ours:
            yield False
            return
        with repeating(look, every=STEP_CHECK_SECONDS, name="c360-step-lock"):
            yield True


def held_steps(database: ControlDatabase) -> frozenset[int]:
    """The numbers of all steps, of whichever run, that a living process executes.

    Raises:
        ControlDatabaseError: the database cannot be reached.
    """
    values = {"class": _STEP_CLASS}
    return database.run(lambda c: frozenset(c.execute(_HELD_STEPS, values).scalars()))


def step_number(run_id: str, step_key: str) -> int:
    """The number of a step of a run among those held.

    >>> step_number("run", "step") == step_number("run", "other")
    False
    """
    return _lock_id(run_id, step_key) & 0xFFFFFFFF


def _lock_id(run_id: str, step_key: str) -> int:
    return lock_number(f"{run_id} {step_key}")


class Turn:
    """The lock while it is held."""

    def __init__(self, session: LockSession, number: int, target: str) -> None:
        self._session = session
        self._number = number
        self._target = target
        self._checked = time.monotonic()

    def check(self) -> None:
        """Make sure that the lock is held; asks the server every few seconds.

        Raises:
            LoadLockedError: it was lost with its connection, and another follower may have it.
            ControlDatabaseError: the control database cannot be reached.
        """
        if time.monotonic() - self._checked < TURN_CHECK_SECONDS:
            return
        if not self._session.holds((_FOLLOW_CLASS, self._number)) and not _try_turn(
            self._session, self._number
        ):
            raise LoadLockedError(f"Another follower of {self._target} has taken over.")
        self._checked = time.monotonic()


@contextmanager
def follower_turn(
    control: ControlDatabase,
    *,
    target: str,
    identity: str,
    waiting: Callable[[str], None],
    check: Callable[[], None] = lambda: None,
) -> Iterator[Turn]:
    """Be the target's follower while the block runs; wait as long as there is another.

    `check` is called while waiting, and may raise to stop.

    Raises:
        ControlDatabaseError: the control database cannot be reached.
    """
    number = lock_number(identity)
    with lock_session(control) as session:
        told = False
        while not _try_turn(session, number):
            if not told:
                waiting(f"Another follower of {target} is at work; this one stands by.")
                told = True
            check()
            time.sleep(POLL_SECONDS)
        yield Turn(session, number, target)


def _try_turn(session: LockSession, number: int) -> bool:
    def taken(connection: Connection) -> bool:
        row = connection.execute(
            text("SELECT pg_try_advisory_lock(:class, :id)"), {"class": _FOLLOW_CLASS, "id": number}
        )
        return bool(row.scalar_one())

    return session.run(taken)
