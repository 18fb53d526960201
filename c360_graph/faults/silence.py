"""Notices a server that went silent in the middle of a statement, and closes the connection to it.

A connection may be dead without an end of ours noticing: a proxy acknowledges and forwards nothing, a
firewall has forgotten it. libpq and Neo4j's driver would wait for ever, or for two minutes. So whoever
waits says so here; after `SILENT_SECONDS` the server is asked over a connection of its own whether it
still works for the one that waits. Where it does, the wait goes on. Where it does not, or does not
answer, the connection's socket is shut down: the driver then raises what it raises for a lost
connection, which is tried again or given up as any other.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

SILENT_SECONDS = 12.0
"""How long nothing may come before the server is asked."""
PROBE_SECONDS = 8
"""How long that may take."""
LOST_BYTES = 1_000_000
"""More than may be on its way: where the server has sent so much and nothing came, it was lost."""
_TICK_SECONDS = 0.5

State = Literal["works", "silent", "done"]
"""What a server says of a statement: it works on it; it does not answer; it knows nothing of it any more, so
that the answer was lost."""

_log = logging.getLogger("c360_graph")


@dataclass(frozen=True, kw_only=True)
class BackendAnswer:
    """What asking came to; `detail` is for the log, such as what a statement waits for."""

    state: State
    detail: str = ""
    sent_bytes: int = 0
    """How much the server says that it has sent of a COPY."""


@dataclass(kw_only=True)
class Wait:
    """Somebody who waits for a server."""

    server: str
    probe: Callable[[], BackendAnswer]
    cut: Callable[[], None]
    warn: Callable[[str], None]
    limit_seconds: float | None = None
    end: Callable[[], None] = lambda: None
    moved: float = field(default_factory=time.monotonic)
    """When something last came."""
    exceeded: bool = False
    """Whether it was ended since nothing came for `limit_seconds`."""
    is_cut: bool = False
    _asked: float = 0.0
    _unknown: int = 0
    _told_seconds: float = 0.0
    _sent_bytes: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: bool = False

    def move(self) -> None:
        """Something came."""
        self.moved = time.monotonic()
        self._told_seconds = 0.0
        self._sent_bytes = None

    def begin(self) -> None:
        """The wait begins, for the first time or once more."""
        with self._lock:
            self._over = False
            self._unknown = 0
            self._asked = 0.0
        self.move()

    def finish(self) -> None:
        """The wait is over: nothing is cut from now on."""
        with self._lock:
            self._over = True

    @property
    def quiet_seconds(self) -> float:
        """Since when nothing came."""
        return time.monotonic() - self.moved

    def is_due(self) -> bool:
        """Whether the server is to be asked now."""
        every = min(SILENT_SECONDS, self.limit_seconds or SILENT_SECONDS)
        return time.monotonic() - max(self._asked, self.moved) >= every

    def look(self) -> None:
        """Ask the server, and act on what it says."""
        since = self.moved
        self._asked = time.monotonic()
        if self.exceeded:
            self._give_up("did not end the statement when it was told to")
            return
        answer = self._answer()
        if self.moved != since:
            self._unknown = 0
        elif answer.state == "silent":
            self._give_up(f"does not answer, neither here nor on a new connection{answer.detail}")
        elif answer.state == "done":
            self._unknown += 1
            # Asked twice: what the server has just said may be on its way.
            if self._unknown > 1:
                self._give_up("is through with the statement, and its answer did not come")
            else:
                self._asked = time.monotonic() - SILENT_SECONDS + 2.0
        else:
            self._unknown = 0
            if self._sent_bytes is None:
                self._sent_bytes = answer.sent_bytes
            if answer.sent_bytes - self._sent_bytes >= LOST_BYTES:
                self._give_up("has sent rows that did not come")
            else:
                self._go_on(answer.detail)

    def _answer(self) -> BackendAnswer:
        found: list[BackendAnswer] = []

        def ask() -> None:
            try:
                found.append(self.probe())
            except Exception as error:  # noqa: BLE001 - whatever a driver raises, the server did not answer
                found.append(BackendAnswer(state="silent", detail=f" ({type(error).__name__})"))

        asking = threading.Thread(target=ask, name="c360-probe", daemon=True)
        asking.start()
        asking.join(PROBE_SECONDS)
        return found[0] if found else BackendAnswer(state="silent")

    def _go_on(self, detail: str) -> None:
        quiet = self.quiet_seconds
        if self.limit_seconds is not None and quiet >= self.limit_seconds:
            with self._lock:
                if self._over or self.exceeded:
                    return
                self.exceeded = True
            threading.Thread(target=self.end, name="c360-end", daemon=True).start()
            return
        # Less and less often: some statements take their time.
        if quiet >= 2 * self._told_seconds:
            self._told_seconds = quiet
            self.warn(f"{self.server} has sent nothing for {quiet:.0f} s and still works{detail}.")

    def _give_up(self, why: str) -> None:
        with self._lock:
            if self._over or self.is_cut:
                return
            self.is_cut = True
            self.warn(f"{self.server} {why}; the connection is closed.")
            self.cut()


class _Watch:
    """All that wait in this process, looked after by one thread that starts with the first."""

    def __init__(self) -> None:
        self._waits: list[Wait] = []
        self._looking: set[int] = set()
        self._lock = threading.Lock()
        self._process = 0

    def add(self, wait: Wait) -> None:
        with self._lock:
            self._waits.append(wait)
            # A forked process has the object and not the thread.
            if self._process != os.getpid():
                self._process = os.getpid()
                self._waits, self._looking = [wait], set()
                threading.Thread(target=self._run, name="c360-silence", daemon=True).start()

    def remove(self, wait: Wait) -> None:
        with self._lock:
            self._waits = [other for other in self._waits if other is not wait]

    def _run(self) -> None:
        while True:
            time.sleep(_TICK_SECONDS)
            with self._lock:
                due = [
                    wait for wait in self._waits if wait.is_due() and id(wait) not in self._looking
                ]
                self._looking |= {id(wait) for wait in due}
            for wait in due:
                threading.Thread(target=self._look, args=(wait,), daemon=True).start()

    def _look(self, wait: Wait) -> None:
        try:
            wait.look()
        finally:
            with self._lock:
                self._looking.discard(id(wait))


_watch = _Watch()
"""The one thing of a process that keeps state: its connections are the process's, too."""


@contextmanager
def watched(wait: Wait) -> Iterator[Wait]:
    """Watch over a wait while the block runs."""
    begin_wait(wait)
    try:
        yield wait
    finally:
        end_wait(wait)


def begin_wait(wait: Wait) -> None:
    """Watch over a wait until `end_wait`."""
    wait.begin()
    _watch.add(wait)


def end_wait(wait: Wait) -> None:
    """Watch no more."""
    wait.finish()
    _watch.remove(wait)


def shut_down(descriptor: int) -> None:
    """Shut a socket down so that whoever reads from it meets its end; its owner closes it."""
    with suppress(OSError, ValueError), socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.shutdown(socket.SHUT_RDWR)


def log_warning(message: str) -> None:
    """For waits of nobody who has a log of their own."""
    _log.warning("%s", message)
