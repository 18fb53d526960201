"""Whether the process that executes a step is alive: a session lock in the control database.

It goes with the process, however that ends, so nobody has to guess from the age of a sign of life.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from c360_graph.control.connection import ControlDatabase, lock_number
from c360_graph.control.load_lock import lock_session
from c360_graph.errors import ControlDatabaseError
from c360_graph.faults import log_warning
from c360_graph.repeating import repeating

CHECK_SECONDS = 5.0
_CLASS = lock_number("c360_graph step")
_TAKE = text("SELECT pg_try_advisory_lock(:class, :id)")
_HELD = text(
    "SELECT CAST(objid AS bigint) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = CAST(CAST(:class AS bigint) & 4294967295 AS oid) AND granted"
)


@contextmanager
def holding_step(database: ControlDatabase, *, run_id: str, step_key: str) -> Iterator[bool]:
    """Hold the lock of a step while the block executes it; gives whether it could be had.

    Raises:
        ControlDatabaseError: the database cannot be reached, or only through a pooler that hands
            sessions on.
    """
    values = {"class": _CLASS, "id": _lock_id(run_id, step_key)}

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
        with repeating(look, every=CHECK_SECONDS, name="c360-step-lock"):
            yield True


def held_steps(database: ControlDatabase) -> frozenset[int]:
    """The numbers of all steps, of whichever run, that a living process executes.

    Raises:
        ControlDatabaseError: the database cannot be reached.
    """
    values = {"class": _CLASS}
    return database.run(lambda c: frozenset(c.execute(_HELD, values).scalars()))


def step_number(run_id: str, step_key: str) -> int:
    """The number of a step of a run among those held.

    >>> step_number("run", "step") == step_number("run", "other")
    False
    """
    return _lock_id(run_id, step_key) & 0xFFFFFFFF


def _lock_id(run_id: str, step_key: str) -> int:
    return lock_number(f"{run_id} {step_key}")
