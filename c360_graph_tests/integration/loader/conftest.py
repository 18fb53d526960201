"""Graphs that are reached through a network that fails on purpose."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from c360_graph.graph import attempts, emptying, sessions
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.loader.proxy import FaultyProxy, faulty_proxy


@pytest.fixture
def weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph of few nodes is emptied label by label too, as a large one is."""
    monkeypatch.setattr(emptying, "FEW_ROWS", 0)


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions share the statement that makes relationships of few rows too, as that of many."""
    monkeypatch.setattr(sessions, "JOIN_BATCH_ROWS", 0)


@pytest.fixture
def proxy(servers: TestServers) -> Iterator[FaultyProxy]:
    """A proxy before the server."""
    target = urlsplit(servers.neo4j_uri)
    with faulty_proxy(target.hostname or "", target.port or 7687) as made:
        yield made


@pytest.fixture
def far_graph(
    servers: TestServers, graph: Graph, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Graph]:
    """The same graph as `graph`, through the proxy; a load waits little before it tries again."""
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.1)
    logging.getLogger("neo4j").setLevel(logging.CRITICAL)
    with servers.open_graph(proxy.uri) as opened:
        yield opened
