"""A Neo4j that goes silent is noticed, its connections are closed, and the load goes on or ends with words."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from c360_graph.errors import C360Error
from c360_graph.graph import attempts, liveness
from c360_graph.graph import connection as graphs
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts, load_into_empty
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.loader.proxy import FaultyProxy, faulty_proxy
from c360_graph_tests.integration.loader.scripts import PATIENT, patients, write


@pytest.fixture
def hole(servers: TestServers) -> Iterator[FaultyProxy]:
    """A proxy before Neo4j."""
    target = urlsplit(servers.neo4j_uri)
    with faulty_proxy(target.hostname or "", target.port or 7687) as made:
        yield made


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is logged; silence is noticed within seconds instead of half a minute."""
    monkeypatch.setattr(liveness, "ASK_EVERY_SECONDS", 0.3)
    monkeypatch.setattr(liveness, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(liveness, "SILENT_SECONDS", 1.5)
    monkeypatch.setattr(liveness, "GIVE_UP_SECONDS", 4.0)
    monkeypatch.setattr(graphs, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.1)
    lines: list[str] = []
    monkeypatch.setattr(graphs, "log_warning", lines.append)
    return lines


@pytest.mark.parametrize("ends", [True, False], ids=["for a while", "for good"])
def test_a_load_whose_neo4j_goes_silent_goes_on_or_is_given_up(
    servers: TestServers,
    graph: Graph,
    hole: FaultyProxy,
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends: bool,
) -> None:
    monkeypatch.setattr(graphs, "CONNECT_SECONDS", 1.0)
    script = write(tmp_path / "s.cypher", [(PATIENT, patients(30_000))])
    quiet = threading.Thread(target=_silence, args=(graph, hole, ends))
    begin = time.monotonic()
    with servers.open_graph(hole.uri) as far:
        quiet.start()
        if ends:
            load_into_empty(far, script, sessions=1)
        else:
            with pytest.raises(C360Error, match="is given up"):
                load_into_empty(far, script, sessions=1)
    quiet.join()
    # What operations.md promises.
    assert time.monotonic() - begin < 180
    assert any("has not answered for" in line for line in told)
    assert any("its connections are closed" in line for line in told)
    if ends:
        assert graph_counts(graph) == ({"Patient": 30_000}, {})


def _silence(graph: Graph, hole: FaultyProxy, ends: bool) -> None:
    while not graph.rows("MATCH (n:Patient) RETURN count(n) AS n")[0]["n"]:
        time.sleep(0.02)
    hole.fall_silent()
    if ends:
        time.sleep(3)
        hole.speak_again()
