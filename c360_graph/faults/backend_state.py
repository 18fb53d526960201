"""Asks a PostgreSQL server over a connection of its own what it does for another one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg

from c360_graph.faults.silence import PROBE_SECONDS, BackendAnswer, shut_down

_ASKED_SECONDS = 2.0
CONNECT_SECONDS = int(PROBE_SECONDS - _ASKED_SECONDS)
"""Less than a probe may take, so that it says why it failed."""

_STATE = """
SELECT a.state, a.wait_event_type, a.wait_event, pg_catalog.pg_blocking_pids(a.pid), {sent}
FROM pg_catalog.pg_stat_activity a WHERE a.pid = %s
"""
_SENT = "(SELECT p.bytes_processed FROM pg_catalog.pg_stat_progress_copy p WHERE p.pid = a.pid)"
_KNOWS_COPY = 140_000


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
