"""One load at a time for a target: a session lock in the control database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from c360_graph.control_db import ControlDatabase, lock_number
from c360_graph.errors import LoadLockedError

POLL_SECONDS = 1.0
CHECK_SECONDS = 1.0

_CLASS = lock_number("c360_graph load")


class HeldLock:
    """A lock that is held as long as its session lives."""

    def __init__(self, connection: Connection, target: str) -> None:
        self._connection = connection
        self._target = target
        self._session = _session(connection)
        self._checked = time.monotonic()

    def check(self) -> None:
        """Make sure that the session still lives; asks the server at most once a second.

        Raises:
            LoadLockedError: it was lost, so that another load may have begun.
        """
        if time.monotonic() - self._checked < CHECK_SECONDS:
            return
        try:
            # Another session than the one that took the lock does not hold it.
            lost = _session(self._connection) != self._session
        except SQLAlchemyError:
            lost = True
        if lost:
            raise LoadLockedError(
                f"The lock on {self._target} was lost with its connection to the control database;"
                " the load stops before another can mix with it. Run it again."
            ) from None
        self._checked = time.monotonic()


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
        waiting: told once that another load is under way.

    Raises:
        LoadLockedError: another load held it all that time.
        ControlDatabaseError: the control database cannot be reached.
    """
    with database.session() as connection:
        _acquire(connection, target, lock_number(identity), wait_seconds, waiting)
        yield HeldLock(connection, target)


def _session(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _acquire(
    connection: Connection,
    target: str,
    number: int,
    wait_seconds: float,
    waiting: Callable[[str], None],
) -> None:
    key = {"class": _CLASS, "id": number}
    deadline = time.monotonic() + wait_seconds
    told = False
    while not connection.execute(
        text("SELECT pg_try_advisory_lock(:class, :id)"), key
    ).scalar_one():
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
