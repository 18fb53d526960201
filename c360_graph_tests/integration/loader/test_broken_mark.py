"""Whenever a load is killed, the graph says that it is broken unless it holds what its manifest says."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360_graph.cypher.script_writer import header_for
from c360_graph.graph import target_lock
from c360_graph.graph.connection import Graph
from c360_graph.graph.desired import Desired
from c360_graph.graph.load import clear_and_load, graph_counts, load_into_empty
from c360_graph.graph.reconcile import reconcile
from c360_graph.graph.target_lock import Claim
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.loader.killed import killed_after
from c360_graph_tests.integration.loader.scripts import (
    PATIENT,
    VISIT,
    extract,
    joined,
    patients,
    visits,
    write,
)
from c360_graph_tests.integration.runs import is_whole

# A busy server may list the connection of a load that was killed for a while.
WAITING = Claim(wait_seconds=30)


@pytest.fixture(autouse=True)
def _short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_lock, "ABSENT_SECONDS", 0.2)
    monkeypatch.setattr(target_lock, "POLL_SECONDS", 0.05)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return write(
        tmp_path / "s.cypher", [(PATIENT, patients(30)), (VISIT, visits(60, of=30))], (joined(1),)
    )


WHOLE = ({"Patient": 30, "Visit": 60}, {"VISITED": 60})


@pytest.mark.usefixtures("weighed")
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("MATCH ()-[x:`VISITED`]->()", ({"Patient": 30, "Visit": 60}, {})),
        ("MATCH (x:`Patient`)", ({"Visit": 60}, {})),
        ("MATCH (x) WHERE NOT x:`_C360Load`", ({}, {})),
        ("MERGE (m:`_C360Load`) SET m.state = 'broken'", ({}, {})),
        ("CREATE CONSTRAINT", ({}, {})),
        ("CALL db.awaitIndexes", ({"Patient": 30, "Visit": 60}, {})),
        ("CREATE (a)-[:`VISITED`]->(row)", WHOLE),
    ],
    ids=["relationships", "a label", "all nodes", "manifest", "constraint", "nodes", "joins"],
)
def test_a_load_that_is_killed_after_any_step_leaves_a_graph_that_says_it_is_broken(
    servers: TestServers,
    graph: Graph,
    script: Path,
    text: str,
    left: tuple[dict[str, int], dict[str, int]],
) -> None:
    load_into_empty(graph, script)
    assert is_whole(graph) is True
    # In one session: the second one may be in the middle of its share when the first has sent its own.
    assert killed_after(servers, lambda own: clear_and_load(own, script, sessions=1), text)
    assert graph_counts(graph) == left
    assert is_whole(graph) is False
    clear_and_load(graph, script, claim=WAITING)
    assert is_whole(graph) is True
    assert graph_counts(graph) == WHOLE
    assert graph.rows("MATCH (n) WHERE NOT n:Patient AND NOT n:Visit RETURN labels(n) AS l") == [
        {"l": ["_C360Load"]}
    ]


def test_a_load_that_is_killed_while_it_removes_few_relationships_leaves_a_broken_graph(
    servers: TestServers, graph: Graph, script: Path
) -> None:
    load_into_empty(graph, script)
    assert killed_after(
        servers, lambda own: clear_and_load(own, script), "MATCH ()-[x]->() CALL (x)"
    )
    assert graph_counts(graph) == ({"Patient": 30, "Visit": 60}, {})
    assert is_whole(graph) is False
    clear_and_load(graph, script, claim=WAITING)
    assert (is_whole(graph), graph_counts(graph)) == (True, WHOLE)


@pytest.mark.usefixtures("weighed")
def test_a_graph_without_a_manifest_is_marked_before_it_is_emptied_too(
    servers: TestServers, graph: Graph, script: Path
) -> None:
    graph.run("UNWIND range(1, 9) AS i CREATE (:Other)-[:OF]->(:Kind)", tag={})
    assert killed_after(
        servers, lambda own: clear_and_load(own, script), "MATCH ()-[x:`OF`]->() CALL"
    )
    assert graph_counts(graph) == ({"Kind": 9, "Other": 9}, {})
    assert is_whole(graph) is False


def test_a_file_of_another_tool_is_broken_while_it_is_loaded_and_has_no_manifest_after_it(
    servers: TestServers, graph: Graph, tmp_path: Path
) -> None:
    script = tmp_path / "other.cypher"
    script.write_text("CREATE (:A);\nCREATE (:B);\n")
    assert killed_after(servers, lambda own: load_into_empty(own, script), "CREATE (:A)")
    assert graph_counts(graph) == ({"A": 1}, {})
    assert is_whole(graph) is False
    clear_and_load(graph, script, claim=WAITING)
    assert is_whole(graph) is None
    assert graph.rows("MATCH (n) RETURN labels(n)[0] AS l ORDER BY l") == [{"l": "A"}, {"l": "B"}]


def test_a_file_that_removes_every_node_itself_is_loaded(graph: Graph, tmp_path: Path) -> None:
    script = tmp_path / "other.cypher"
    script.write_text("MATCH (n) DETACH DELETE n;\nCREATE (:A);\n")
    graph.run("CREATE (:Old)", tag={})
    clear_and_load(graph, script, claim=WAITING)
    assert graph.rows("MATCH (n) RETURN labels(n) AS l") == [{"l": ["A"]}]


@pytest.mark.parametrize(
    "text", ["DROP CONSTRAINT", "{ REMOVE n.`patient` }", "MATCH (x:`Visit`) WHERE"]
)
def test_reconciling_that_is_killed_leaves_a_graph_that_says_it_is_broken(
    servers: TestServers, graph: Graph, script: Path, text: str
) -> None:
    load_into_empty(graph, script)
    # The key is another, a property is gone, and a table without key is made anew.
    fewer = PATIENT.model_copy(update={"key": ("name",)})
    lacking = VISIT.model_copy(update={"properties": VISIT.properties[1:]})
    extracts = (extract(fewer, patients(30)), extract(lacking, [("a visit",)] * 60))

    def work(own: Graph) -> None:
        header = header_for(extracts, created="2026-01-01T00:00:00Z", log_id=None)
        reconcile(own, Desired(header=header, extracts=extracts, mappings=()), claim=WAITING)

    if killed_after(servers, work, text):
        assert is_whole(graph) is False
    else:
        pytest.fail(f"no statement with {text!r} was sent")
    work(graph)
    assert is_whole(graph) is True
    assert graph_counts(graph) == ({"Patient": 30, "Visit": 60}, {})
