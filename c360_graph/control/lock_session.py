"""A session of the control database that holds advisory locks, and takes them again when it was lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from c360_graph.control.connection import BRIEF_PATIENCE_SECONDS, ControlDatabase
from c360_graph.errors import ControlDatabaseError

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
