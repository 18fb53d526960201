"""A follower in this process, and what it has brought into the graph."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from c360_graph.following.given import Callbacks, Flushed
from c360_graph.following.service import follow
from c360_graph.sandbox.sample import Server
from c360_graph.settings import load_settings

PATIENCE_SECONDS = 180.0


@dataclass(kw_only=True)
class Running:
    """A follower in a thread."""

    stop: threading.Event = field(default_factory=threading.Event)
    said: list[str] = field(default_factory=list)
    flushed: list[Flushed] = field(default_factory=list)
    begun: int = 0
    error: BaseException | None = None

    def await_following(self, times: int = 1) -> None:
        """Until the stream is read, for the so-manieth time."""
        self.wait(lambda: self.begun >= times)

    def wait(self, holds: Callable[[], object]) -> None:
        """Until something holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if self.error is not None:
                raise self.error
            assert time.monotonic() < deadline, f"it never held; said: {self.said}"
            time.sleep(0.02)


@contextmanager
def following(**options: Any) -> Iterator[Running]:
    """A follower while the block runs."""
    running = Running()

    def begin() -> None:
        running.begun += 1

    def run() -> None:
        try:
            follow(
                load_settings(),
                stop=running.stop,
                callbacks=Callbacks(
                    say=running.said.append,
                    warn=running.said.append,
                    flushed=running.flushed.append,
                    following=begin,
                ),
                **options,
            )
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            running.error = error

    thread = threading.Thread(target=run, name="follower", daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.stop.set()
        thread.join(60)
    if running.error is not None:
        raise running.error


def drop_slots(server: Server, prefix: str) -> None:
    """Drop the slots of databases whose names begin so: a database with a slot cannot be dropped."""
    with server.connect("postgres") as connection:
        for _ in range(100):
            rows = connection.execute(
                "SELECT slot_name, active FROM pg_replication_slots WHERE starts_with(database, %s)",
                (prefix,),
            ).fetchall()
            if not rows:
                return
            for name, is_active in rows:
                if not is_active:
                    with suppress(psycopg.Error):
                        connection.execute("SELECT pg_drop_replication_slot(%s)", (name,))
            time.sleep(0.1)
