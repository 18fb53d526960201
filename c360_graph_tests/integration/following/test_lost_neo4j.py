"""Neo4j goes away while the sources are followed, with and without changes, and comes back."""

from __future__ import annotations

import time
from functools import partial
from urllib.parse import urlsplit

import pytest

from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.following.followed import following
from c360_graph_tests.integration.loader.proxy import faulty_proxy

PLAN = "MATCH (n:Plan {plan_id: $id}) RETURN n.plan_name AS name"
AWAY_SECONDS = 7.0
"""Longer than the follower goes without looking at the graph."""


def test_following_goes_on_once_neo4j_is_back(
    followed: Project, target: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed.map_only("Plan")
    address = urlsplit(followed.servers.neo4j_uri)
    with faulty_proxy(address.hostname or "", address.port or 7687) as proxy:
        monkeypatch.setenv("NEO4J_URI", proxy.uri)
        with following() as running, followed.connect("profiles_db") as source:
            running.await_following()
            with proxy.refusing():
                time.sleep(AWAY_SECONDS)
            for number in (51, 52):
                with proxy.refusing():
                    source.execute("INSERT INTO plans VALUES (%s, %s, 1)", (number, f"p{number}"))
                    time.sleep(1)
                running.wait(partial(target.rows, PLAN, id=number))
            # The slot was there all the time, so no table was read as a whole again.
            assert len([line for line in running.said if "brought to the state" in line]) == 1
