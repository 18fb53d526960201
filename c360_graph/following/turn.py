"""One follower at a time for a target: a session lock in the control database; who has it not stands by."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from c360_graph.control.connection import ControlDatabase, lock_number
from c360_graph.control.load_lock import LockSession, lock_session
from c360_graph.errors import LoadLockedError

POLL_SECONDS = 1.0
CHECK_SECONDS = 2.0

_CLASS = lock_number("c360_graph follow")


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
        if time.monotonic() - self._checked < CHECK_SECONDS:
            return
        if not self._session.holds((_CLASS, self._number)) and not _try(
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
        while not _try(session, number):
            if not told:
                waiting(f"Another follower of {target} is at work; this one stands by.")
                told = True
            check()
            time.sleep(POLL_SECONDS)
        yield Turn(session, number, target)


def _try(session: LockSession, number: int) -> bool:
    def taken(connection: Connection) -> bool:
        row = connection.execute(
            text("SELECT pg_try_advisory_lock(:class, :id)"), {"class": _CLASS, "id": number}
        )
        return bool(row.scalar_one())

    return session.run(taken)
