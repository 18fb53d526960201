"""A graph is one control database's: another's load is refused and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from c360_graph.cypher.script_writer import header_for
from c360_graph.errors import GraphOwnedError
from c360_graph.graph.connection import Graph
from c360_graph.graph.desired import Desired
from c360_graph.graph.execution import Execution
from c360_graph.graph.load import clear_and_load, graph_counts, load_into_empty
from c360_graph.graph.manifest import read_state
from c360_graph.graph.reconcile import reconcile
from c360_graph.graph.target_lock import Claim
from c360_graph.mapping.graph_manifest import Owner
from c360_graph_tests.integration.loader.scripts import PATIENT, extract, patients, write

OWNER_A, OWNER_B = Owner(id="a", name="control A"), Owner(id="b", name="control B")


def load_a(graph: Graph, folder: Path) -> None:
    script = write(folder / "a.cypher", [(PATIENT, patients(9))], owner=OWNER_A)
    load_into_empty(graph, script)


def reconcile_as(graph: Graph, owner: Owner, rows: int, **claim: Any) -> None:
    extracts = (extract(PATIENT, patients(rows)),)
    header = header_for(extracts, created="2026-01-01T00:00:00Z", log_id=None, owner=owner)
    desired = Desired(header=header, extracts=extracts, mappings=(), max_removed_share=1.0)
    reconcile(graph, desired, claim=Claim(owner=owner, **claim))


def owner_of(graph: Graph) -> Owner | None:
    state = read_state(Execution(graph))
    assert state is not None
    assert state.is_whole
    return state.manifest.owner


def test_loads_of_another_control_database_are_refused_in_words(
    graph: Graph, tmp_path: Path
) -> None:
    load_a(graph, tmp_path)
    before = graph.rows("MATCH (n) RETURN properties(n) AS p ORDER BY n.id")
    b = write(tmp_path / "b.cypher", [(PATIENT, patients(2))], owner=OWNER_B)
    nameless = write(tmp_path / "c.cypher", [(PATIENT, patients(2))])
    for refused in (
        lambda: clear_and_load(graph, b),
        lambda: clear_and_load(graph, nameless),
        lambda: reconcile_as(graph, OWNER_B, 2),
    ):
        with pytest.raises(GraphOwnedError, match=r"control A; this load is for .*take_over: true"):
            refused()
    assert graph.rows("MATCH (n) RETURN properties(n) AS p ORDER BY n.id") == before


def test_its_own_loads_go_on_and_a_control_database_of_another_name_is_the_same_by_its_id(
    graph: Graph, tmp_path: Path
) -> None:
    load_a(graph, tmp_path)
    reconcile_as(graph, Owner(id="a", name="control A, moved"), 7)
    assert graph_counts(graph)[0] == {"Patient": 7}
    assert owner_of(graph) == Owner(id="a", name="control A, moved")
    clear_and_load(graph, tmp_path / "a.cypher")
    assert graph_counts(graph)[0] == {"Patient": 9}
    assert owner_of(graph) == OWNER_A


def test_a_graph_is_taken_over_when_that_is_said(graph: Graph, tmp_path: Path) -> None:
    load_a(graph, tmp_path)
    reconcile_as(graph, OWNER_B, 5, take_over=True)
    assert owner_of(graph) == OWNER_B
    with pytest.raises(GraphOwnedError):
        reconcile_as(graph, OWNER_A, 9)
    clear_and_load(graph, tmp_path / "a.cypher", claim=Claim(take_over=True))
    assert owner_of(graph) == OWNER_A
    assert graph_counts(graph)[0] == {"Patient": 9}


@pytest.mark.parametrize("way", ["reconcile", "clear"])
def test_a_graph_of_a_version_that_named_no_owner_is_adopted(
    graph: Graph, tmp_path: Path, way: str
) -> None:
    load_into_empty(graph, write(tmp_path / "old.cypher", [(PATIENT, patients(9))]))
    assert owner_of(graph) is None
    if way == "reconcile":
        reconcile_as(graph, OWNER_A, 8)
    else:
        clear_and_load(graph, tmp_path / "old.cypher", claim=Claim(owner=OWNER_A))
    assert owner_of(graph) == OWNER_A
