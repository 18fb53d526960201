"""A server that dies in the middle of a load and comes back."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import LoadCallbacks, graph_counts, load_into_empty
from c360_graph.sandbox.servers import restart_neo4j
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.loader.scripts import (
    PATIENT,
    VISIT,
    joined,
    patients,
    visits,
    with_small_transactions,
    write,
)
from c360_graph_tests.integration.server_process import server_process

MANY = 10_000


@pytest.fixture
def server(servers: TestServers) -> tuple[psutil.Process, Path]:
    return server_process(servers)


def test_a_load_whose_server_is_killed_and_started_again_completes_exactly(
    server: tuple[psutil.Process, Path], graph: Graph, tmp_path: Path
) -> None:
    process, folder = server
    script = with_small_transactions(
        write(
            tmp_path / "s.cypher",
            [(PATIENT, patients(50)), (VISIT, visits(MANY, of=50))],
            (joined(1),),
        )
    )

    def kill_and_start() -> None:
        while graph_counts(graph)[1] == {}:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        restart_neo4j(folder=folder)

    warnings: list[str] = []
    killer = threading.Thread(target=kill_and_start)
    killer.start()
    try:
        load_into_empty(graph, script, listener=LoadCallbacks(warn=warnings.append))
    finally:
        killer.join()
    assert graph_counts(graph) == ({"Patient": 50, "Visit": MANY}, {"VISITED": MANY})
    assert graph.rows("MATCH (n:Visit) RETURN count(DISTINCT n.note) AS n") == [{"n": MANY}]
    assert warnings
