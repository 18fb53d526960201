"""Lost and silent servers: which errors pass, who notices silence, and a look or a sign of life that is repeated in a thread.

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
from typing import Any, Literal

import psycopg

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

_ASKED_SECONDS = 2.0
CONNECT_SECONDS = int(PROBE_SECONDS - _ASKED_SECONDS)
"""Less than a probe may take, so that it says why it failed."""

_STATE = """
SELECT a.state, a.wait_event_type, a.wait_event, pg_catalog.pg_blocking_pids(a.pid), {sent}
FROM pg_catalog.pg_stat_activity a WHERE a.pid = %s
"""
_SENT = "(SELECT p.bytes_processed FROM pg_catalog.pg_stat_progress_copy p WHERE p.pid = a.pid)"
_KNOWS_COPY = 140_000

KEEPALIVE: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # Milliseconds. The kernel gives up on what it sent and nobody acknowledged.
    "tcp_user_timeout": 25_000,
}
"""Options of libpq: a peer that is gone is noticed within 25 s. They say nothing of a proxy that
acknowledges and forwards nothing; see `watched`."""

# A lost connection, a shutdown, a start, too many connections, a session or transaction that the server
# ended for its age, a read on a standby that the primary's changes cut short.
_PASSING_STATES = frozenset(
    {
        "08000",
        "08001",
        "08003",
        "08006",
        "08007",
        "25P03",
        "40001",
        "40P01",
        "53300",
        "57P01",
        "57P02",
        "57P03",
        "57P05",
    }
)
# An error on the way to a session has no SQLSTATE, so that its words have to do. They are libpq's and
# the server's; those of PgBouncer stand last.
_PASSING_WORDS = (
    "connection refused",
    "connection reset",
    "connection aborted",
    "broken pipe",
    "timeout expired",
    "timed out",
    "network is unreachable",
    "network is down",
    "no route to host",
    "host is down",
    "host is unreachable",
    "temporary failure in name resolution",
    "is the server running",
    "server closed the connection",
    "connection has been closed unexpectedly",
    "could not receive data from server",
    "could not send data to server",
    "ssl syscall error",
    "eof detected",
    "connection is lost",
    "connection is closed",
    "connection already closed",
    "terminating connection",
    "the database system is ",
    "too many clients already",
    "too many connections for",
    "remaining connection slots",
    "number of requested standby connections",
    "server_login_retry",
    "query_wait_timeout",
    "no more connections allowed",
    "pgbouncer cannot connect to server",
    "server conn crashed",
    "server login has been failing",
)
# What is wrong with the configuration behind a pooler comes in the pooler's words for a lost server.
_LASTING_WORDS = ("password authentication failed", "does not exist", "no pg_hba.conf entry")


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


def backend_answer(connect: Callable[[], psycopg.Connection[Any]], backend: int) -> BackendAnswer:
    """What the server does for a session of ours; psycopg's errors pass through where it cannot be asked.

    Args:
        connect: opens a connection to the same server in autocommit mode.
        backend: the session's number, as `pg_backend_pid()` gave it.
    """
    with connect() as connection:
        given_up = threading.Timer(_ASKED_SECONDS, end_connection, (connection,))
        given_up.start()
        try:
            sent = _SENT if connection.info.server_version >= _KNOWS_COPY else "0"
            row = connection.execute(_STATE.format(sent=sent), (backend,)).fetchone()
        except psycopg.OperationalError:
            # It let us in: a pooler without a free session, or a server that is very busy.
            return BackendAnswer(state="works", detail=", and is too busy to say on what")
        finally:
            given_up.cancel()
    if row is None:
        return BackendAnswer(state="done")
    state, kind, event, blockers, sent_bytes = row
    # It waits for us to take what we wait for.
    if state != "active" or event == "ClientWrite":
        return BackendAnswer(state="done")
    waits = f", waiting for {kind}/{event}" if kind in ("Lock", "LWLock", "IO", "Timeout") else ""
    held = f" held by process {', '.join(map(str, blockers))}" if blockers else ""
    return BackendAnswer(state="works", detail=waits + held, sent_bytes=sent_bytes or 0)


def end_statement(connect: Callable[[], psycopg.Connection[Any]], backend: int) -> None:
    """Cancel what a session of ours runs, over a connection of its own."""
    with suppress(psycopg.Error), connect() as connection:
        connection.execute("SELECT pg_catalog.pg_cancel_backend(%s)", (backend,))


def end_connection(connection: psycopg.Connection[Any]) -> None:
    """Shut a connection's socket down, from another thread than the one that waits on it."""
    with suppress(psycopg.Error):
        shut_down(connection.pgconn.socket)


def hint(error: BaseException | None) -> str:
    """What to do about an error whose own words do not say it; empty where they do."""
    if "unsupported startup parameter" in str(error):
        return (
            " A pooler such as PgBouncer answers there, and Dagster's storage and the locks of runs and"
            " loads need PostgreSQL itself: set ETL_DB_HOST and ETL_DB_PORT to it."
        )
    return ""


def is_passing(error: BaseException | None) -> bool:
    """Whether another try may succeed: nobody answered, the connection was lost, or the server starts,
    stops or is full.

    A wrong password, database, host name, TLS mode or right is not: it would be refused again. Errors of
    psycopg 2, which Dagster's storage uses, are told apart in the same way.

    >>> is_passing(psycopg.OperationalError("connection failed: Connection refused"))
    True
    >>> is_passing(psycopg.OperationalError('connection is bad: invalid sslmode value: "on"'))
    False
    """
    if isinstance(error, OSError):
        return True
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state is not None and state != "08P01":
        return state in _PASSING_STATES
    said = str(error).lower()
    if any(words in said for words in _LASTING_WORDS):
        return False
    return any(words in said for words in _PASSING_WORDS)


@contextmanager
def repeating(
    action: Callable[[], bool], *, every: float, name: str, join_seconds: float = 30.0
) -> Iterator[None]:
    """Call an action again and again while the block runs.

    Args:
        action: returns whether it is to be called again. It deals with its own errors.
        every: seconds before the first call and between two calls.
        name: of the thread.
        join_seconds: how long the end of the block waits for a call that is under way.
    """
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every):
            if not action():
                return

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=join_seconds)
