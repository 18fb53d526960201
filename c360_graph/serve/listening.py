"""Listens at an address: one process, or several workers that share a socket and the clients' rates."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from c360_graph.serve.limits import SharedBuckets
from c360_graph.serve.server import Application, Binding
from c360_graph.settings import Settings

REQUEST_SECONDS = 30.0
"""How long a client may take to send a request, and may be connected without one."""
GRACE_SECONDS = 10
HEALTH_SECONDS = 120
"""A worker that does not answer its parent for as long is replaced; one that starts answers when it is imported."""
MOST_CONNECTIONS = 2_000
"""Of a worker; further ones are answered 503."""
_OPEN_FILES = 65_536


class ImpatientProtocol(HttpToolsProtocol):
    """Closes the connections of clients that do not send a whole request in time."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        self._wait()

    def on_message_begin(self) -> None:
        """A request begins; maybe another one of the same connection."""
        super().on_message_begin()
        self._wait()

    def on_message_complete(self) -> None:
        """The request is whole."""
        super().on_message_complete()
        self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class _Supervisor(Multiprocess):
    """Notices at once that a worker which it waits for an answer of was killed."""

    def keep_subprocess_alive(self) -> None:
        """Look after each worker, now and then."""
        for process in self.processes:
            # With a copy of the worker's end here, the pipe would stay open without the worker, and the
            # answer be waited for `HEALTH_SECONDS`.
            process.child_conn.close()
        super().keep_subprocess_alive()


def listen(settings: Settings, binding: Binding, *, port: int, workers: int = 1) -> bool:
    """Serve until a signal ends it; requests that are being answered are answered to their end.

    Returns:
        Whether it could be started.
    """
    permit_open_files()
    if workers == 1:
        server = uvicorn.Server(
            config_of(Application(settings, binding), host=binding.host, port=port)
        )
        server.run()
        return server.started
    # Made anew in each worker, with the same memory.
    make = partial(Application, settings, binding, buckets=SharedBuckets())
    config = config_of(
        make,
        host=binding.host,
        port=port,
        factory=True,
        workers=workers,
        timeout_worker_healthcheck=HEALTH_SECONDS,
    )
    supervisor = _Supervisor(config, [config.bind_socket()])
    supervisor.run()
    return all(process.exitcode != STARTUP_FAILURE for process in supervisor.processes)


def config_of(app: Any, *, host: str, port: int, **more: Any) -> uvicorn.Config:
    """How requests are taken."""
    return uvicorn.Config(
        app,
        host=host.strip("[]"),
        port=port,
        http=ImpatientProtocol,
        # Paths and queries have values of customers; the access log of our own has not.
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=30,
        limit_concurrency=MOST_CONNECTIONS,
        backlog=2_048,
        **more,
    )


def permit_open_files() -> None:
    """Systems permit 1,024 open files unless a program asks for more; each connection is one."""
    try:
        import resource
    except ImportError:
        # Windows has no such limit.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
