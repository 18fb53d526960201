"""The sample's graph, loaded once, and servers of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn

from c360_graph.control.api_clients import ApiClients
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.graph.connection import Graph
from c360_graph.serve import audit
from c360_graph.serve.clients import new_key
from c360_graph.serve.listening import config_of
from c360_graph.serve.server import Application, bind
from c360_graph.settings import load_settings
from c360_graph_tests.conftest import Project, TestServers, sample_project
from c360_graph_tests.integration.runs import load_graph, until


@dataclass(frozen=True, kw_only=True)
class Served:
    """A project, its loaded graph and its keys."""

    project: Project
    graph: Graph

    @property
    def clients(self) -> ApiClients:
        """Who may ask."""
        return ApiClients(self.project.control)

    def key(self, name: str, **scopes: Any) -> str:
        """A new key."""
        key, hashed = new_key()
        given = {"labels": None, "answers": None, "unmasked": True, "rate_per_minute": 100_000}
        self.clients.add(name=name, key_hash=hashed, **{**given, "expires_at": None, **scopes})
        return key


@pytest.fixture(scope="session", autouse=True)
def _keys_are_read_soon() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "READ_SECONDS", 0.5)
        patch.setattr(audit, "WRITE_SECONDS", 0.3)
        yield


@pytest.fixture(scope="module")
def served(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serving")
    with sample_project(servers, folder) as project, servers.open_graph() as graph:
        assert load_graph().success
        yield Served(project=project, graph=graph)


@contextmanager
def server(
    *, key: str | None = None, unmasked: bool = False, **environment: str
) -> Iterator[httpx.Client]:
    """A server in this process, and a client of it with a key."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        settings = load_settings()
    clients = ApiClients(ControlDatabase(control_credentials(settings)))
    binding = bind("127.0.0.1", clients.read(), settings, unmasked=unmasked)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = config_of(Application(settings, binding), host="127.0.0.1", port=port)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    until(lambda: running.started or not thread.is_alive())
    assert running.started
    try:
        headers = {"X-API-Key": key} if key else {}
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30
        ) as client:
            yield client
    finally:
        running.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()
