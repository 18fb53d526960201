"""A graph that is not what its manifest says calls itself broken, from the first removal on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.errors import GraphError
from c360_graph.graph.connection import Graph
from c360_graph.graph.execution import Execution
from c360_graph.graph.load import clear_and_load, load_into_empty
from c360_graph.graph.manifest import read_state, refuse_broken
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.loader.scripts import (
    PATIENT,
    VISIT,
    joined,
    patients,
    visits,
    write,
)
from c360_graph_tests.integration.runs import until


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return write(
        tmp_path / "s.cypher",
        [(PATIENT, patients(31)), (VISIT, visits(60, of=30))],
        (joined(1),),
    )


def count(graph: Graph, pattern: str) -> int:
    return int(graph.rows(f"MATCH {pattern} RETURN count(*) AS n")[0]["n"])


def test_a_graph_that_is_being_emptied_says_that_it_is_broken(graph: Graph, script: Path) -> None:
    load_into_empty(graph, script)
    with graph.transaction({"another": "client"}) as transaction:
        # The removal of nodes waits for this one, which has no relationship.
        transaction.run("MATCH (p:Patient {id: 30}) SET p.name = 'held'").consume()
        thread = threading.Thread(target=clear_and_load, args=(graph, script))
        thread.start()
        until(lambda: count(graph, "()-[r]->()") == 0, seconds=60)
        state = read_state(Execution(graph))
        assert state is not None
        assert not state.is_whole
        with pytest.raises(GraphError, match="is under way or did not end"):
            refuse_broken(graph)
        transaction.rollback()
    thread.join()
    assert count(graph, "()-[r]->()") == 60
    assert refuse_broken(graph) is not None
    assert count(graph, "(m:_C360Load)") == 1


def test_a_graph_of_others_that_is_being_emptied_says_so_too(graph: Graph, script: Path) -> None:
    graph.run(b"CREATE (:Vip)-[:KNOWS]->(:Vip), (:Vip {id: 2})", tag={})
    with graph.transaction({"another": "client"}) as transaction:
        transaction.run("MATCH (v:Vip {id: 2}) SET v.held = true").consume()
        thread = threading.Thread(target=clear_and_load, args=(graph, script))
        thread.start()
        until(lambda: count(graph, "()-[r]->()") == 0, seconds=60)
        with pytest.raises(GraphError, match="is under way or did not end"):
            refuse_broken(graph)
        transaction.rollback()
    thread.join()
    assert count(graph, "(:Vip)") == 0


def test_a_script_of_others_leaves_no_manifest_once_it_is_loaded(
    graph: Graph, tmp_path: Path, script: Path
) -> None:
    load_into_empty(graph, script)
    foreign = tmp_path / "foreign.cypher"
    foreign.write_text("CREATE (:Thing);\nCREATE (:Thing;\n")
    with pytest.raises(GraphError):
        clear_and_load(graph, foreign)
    with pytest.raises(GraphError, match="is under way or did not end"):
        refuse_broken(graph)
    foreign.write_text("CREATE (:Thing);\nCREATE (:Thing);\n")
    clear_and_load(graph, foreign)
    assert refuse_broken(graph) is None
    assert count(graph, "()") == 2


def test_a_manifest_that_cannot_be_read_is_no_reason_to_trust_the_graph(graph: Graph) -> None:
    graph.run(b"CREATE (:_C360Load {state: 'whole', content: 'not JSON'})", tag={})
    with pytest.raises(GraphError, match="is under way or did not end"):
        refuse_broken(graph)


@pytest.mark.parametrize("command", [["ask"], ["ask", "--json"], ["customer", "a@b.c"]])
def test_no_command_answers_from_a_broken_graph(
    servers: TestServers, graph: Graph, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    graph.run(
        b"CREATE (:_C360Load {state: 'broken', content: '{}'}), (:A {email: 'a@b.c'})", tag={}
    )
    for name, value in servers.environment("none").items():
        monkeypatch.setenv(name, value)
    asked = CliRunner().invoke(app, command)
    assert asked.exit_code == 1
    assert asked.stdout == ""
    assert "is under way or did not end" in asked.stderr
