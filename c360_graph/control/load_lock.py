"""One load at a time for a target: a session lock in the control database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from c360_graph.control.connection import ControlDatabase, lock_number
from c360_graph.control.lock_session import LockSession, lock_session
from c360_graph.errors import ControlDatabaseError, LoadLockedError

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
