"""Asks a Neo4j now and then whether it still answers, and cuts the connections to one that does not.

The driver waits two minutes for a connection that fell silent, and for ever where the server gives it no
limit. A server may also be busy collecting garbage: its connections are only cut after `SILENT_SECONDS`
in which it never answered on a new connection.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from neo4j import Driver

ASK_EVERY_SECONDS = 10.0
ANSWER_SECONDS = 8.0
SILENT_SECONDS = 40.0


@contextmanager
def watching(
    driver: Driver,
    *,
    place: str,
    connect: Callable[[], Driver],
    database: str,
    warn: Callable[[str], None],
) -> Iterator[None]:
    """Watch over a driver's connections while the block runs.

    Args:
        driver: whose connections are cut.
        place: the server, for messages.
        connect: makes a driver of the same server, for a connection of its own.
        database: what is asked.
        warn: told of the first question that is not answered, and of the cut.
    """
    ended = threading.Event()

    def watch() -> None:
        answered, told = time.monotonic(), False
        while not ended.wait(ASK_EVERY_SECONDS):
            if _answers(connect, database):
                answered, told = time.monotonic(), False
                continue
            silent = time.monotonic() - answered
            if ended.is_set():
                return
            if not told:
                warn(f"Neo4j at {place} has not answered for {silent:.0f} s.")
                told = True
            if silent >= SILENT_SECONDS:
                warn(
                    f"Neo4j at {place} has been silent for {silent:.0f} s; its connections are cut."
                )
                _cut(driver)

    watcher = threading.Thread(target=watch, name="c360-neo4j-liveness", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()


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


def _cut(driver: Driver) -> None:
    """Kill every connection: whoever waits on one meets what the driver raises for a lost one."""
    pool: Any = driver._pool
    for connections in list(pool.connections.values()):
        for connection in list(connections):
            with suppress(OSError):
                connection.kill()
