"""Asks Neo4j at intervals whether it still answers, and closes the connections to a server that does not.

The driver waits two minutes for a silent connection, and without limit where the server sends no
limit. A server may also be busy with garbage collection, so its connections are closed only after
`SILENT_SECONDS` without an answer on a new connection, and it is given up after `GIVE_UP_SECONDS`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from neo4j import Driver

from c360_graph.faults import repeating

ASK_EVERY_SECONDS = 6.0
ANSWER_SECONDS = 8.0
SILENT_SECONDS = 30.0
GIVE_UP_SECONDS = 130.0
"""About as long as attempts at a server that refuses connections last."""


@contextmanager
def watching(
    driver: Driver,
    *,
    server: str,
    connect: Callable[[], Driver],
    database: str,
    warn: Callable[[str], None],
    give_up: Callable[[str], None],
) -> Iterator[None]:
    """Watch a driver's connections while the block runs.

    Args:
        driver: the owner of the connections that are closed.
        server: its address, for messages.
        connect: makes another driver for the same server.
        database: the database that is asked.
        warn: receives a line at the first question without an answer, and when connections are closed.
        give_up: receives the reason when the server is given up, before connections are closed.
    """
    watch = _SilenceWatch(
        server=server,
        answers=lambda: _answers(connect, database),
        close=lambda: _close_connections(driver),
        warn=warn,
        give_up=give_up,
    )
    # The end of the block does not wait for an answer that may never come.
    with repeating(
        watch.look, every=ASK_EVERY_SECONDS, name="c360-neo4j-liveness", join_seconds=0.0
    ):
        try:
            yield
        finally:
            watch.is_over = True


@dataclass(kw_only=True)
class _SilenceWatch:
    server: str
    answers: Callable[[], bool]
    close: Callable[[], None]
    warn: Callable[[str], None]
    give_up: Callable[[str], None]
    answered: float = field(default_factory=time.monotonic)
    has_warned: bool = False
    is_over: bool = False

    def look(self) -> bool:
        """Whether to look again."""
        if self.answers():
            self.answered, self.has_warned = time.monotonic(), False
            return True
        silent = time.monotonic() - self.answered
        if self.is_over:
            return False
        if not self.has_warned:
            self.warn(f"Neo4j at {self.server} has not answered for {silent:.0f} s.")
            self.has_warned = True
        if silent >= GIVE_UP_SECONDS:
            self.give_up(
                f"Neo4j at {self.server} has not answered for {silent:.0f} s and is given up. Check"
                " the server and the network between, then run again."
            )
            self.close()
            return False
        if silent >= SILENT_SECONDS:
            self.warn(
                f"Neo4j at {self.server} has been silent for {silent:.0f} s; its connections are closed."
            )
            self.close()
        return True


def _answers(connect: Callable[[], Driver], database: str) -> bool:
    found: list[bool] = []

    def ask() -> None:
        # Whatever it answers, a refusal as well, it answers.
        try:
            with connect() as driver:
                driver.execute_query("RETURN 1", database_=database)
            found.append(True)
        except Exception as error:  # noqa: BLE001 - the driver's errors share no class with the network's
            found.append(getattr(error, "code", None) is not None)

    asking = threading.Thread(target=ask, name="c360-neo4j-probe", daemon=True)
    asking.start()
    asking.join(ANSWER_SECONDS)
    return bool(found) and found[0]


def _close_connections(driver: Driver) -> None:
    """Close every connection; the driver raises a lost connection to each caller that waits."""
    # The driver has no public way: closing it would also end its use after the silence.
    pool: Any = driver._pool
    for connections in list(pool.connections.values()):
        for connection in list(connections):
            with suppress(OSError):
                connection.kill()
