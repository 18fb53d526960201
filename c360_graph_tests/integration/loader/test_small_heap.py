"""A server with little memory: what is wide, long or dense is removed and changed all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from c360_graph.cypher import counts_and_deletes
from c360_graph.cypher.script_writer import header_for
from c360_graph.graph import attempts
from c360_graph.graph.connection import ERRORS, Graph, outcome
from c360_graph.graph.desired import Desired
from c360_graph.graph.execution import Execution
from c360_graph.graph.load import LoadCallbacks, clear_and_load, graph_counts, load_into_empty
from c360_graph.graph.reconcile import reconcile
from c360_graph.sandbox.servers import start_neo4j, stop
from c360_graph_tests.conftest import empty, graph_at
from c360_graph_tests.integration.loader.scripts import (
    PATIENT,
    VISIT,
    extract,
    joined,
    patients,
    table,
    visits,
    write,
)

MOST_MEMORY = "48m"
"""Of one transaction: an error that is cheap to get, where a full heap would take minutes."""
WIDE = ", ".join(
    f"p{n}: {n} + i" if n % 2 else f"p{n}: 'value {n} of ' + toString(i)" for n in range(76)
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """A server whose transactions may take little memory."""
    folder = tmp_path_factory.mktemp("small")
    try:
        settings = {"db.memory.transaction.max": MOST_MEMORY}
        server = start_neo4j(folder=folder, settings=settings)
        with graph_at(server.environment()) as graph:
            yield graph
    finally:
        stop(folder=folder)


@pytest.fixture
def little(small: Graph, monkeypatch: pytest.MonkeyPatch) -> Graph:
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.1)
    small.run("MATCH (x) CALL (x) { DETACH DELETE x } IN TRANSACTIONS OF 100 ROWS", tag={})
    empty(small)
    return small


def fill(graph: Graph, *, count: int, properties: str, at_once: int, **values: Any) -> None:
    graph.run(
        f"UNWIND range(1, {count}) AS i CALL (i) {{ CREATE (:Wide {{{properties}}}) }}"
        f" IN TRANSACTIONS OF {at_once} ROWS",
        tag={},
        **values,
    )


def test_wide_nodes_are_removed_in_transactions_of_their_weight(
    little: Graph, tmp_path: Path
) -> None:
    fill(little, count=2_500, properties=WIDE, at_once=500)
    with pytest.raises(ERRORS) as caught:
        little.run(counts_and_deletes.delete_label("Wide"), tag={}, batch_rows=20_000)
    assert outcome(caught.value) == "out of memory"
    told: list[str] = []
    script = write(tmp_path / "s.cypher", [(PATIENT, patients(3))])
    clear_and_load(little, script, listener=LoadCallbacks(warn=told.append))
    assert graph_counts(little) == ({"Patient": 3}, {})
    assert told == []


def test_a_removal_that_takes_too_much_goes_on_with_smaller_transactions(little: Graph) -> None:
    fill(little, count=600, properties="text: $value", at_once=50, value="x" * 50_000)
    told: list[str] = []
    execution = Execution(little, warn=told.append)
    execution.run_in_batches("Removing", counts_and_deletes.delete_label("Wide"), batch_rows=600)
    assert graph_counts(little) == ({}, {})
    assert "Removing is tried again" in told[0]


@pytest.mark.parametrize(
    ("properties", "value"),
    [("text: $value", "x" * 50_000), ("words: $value", ["a word"] * 8_000)],
    ids=["texts", "lists"],
)
def test_nodes_with_long_values_are_removed(
    little: Graph, tmp_path: Path, properties: str, value: object
) -> None:
    fill(little, count=600, properties=properties, at_once=50, value=value)
    told: list[str] = []
    script = write(tmp_path / "s.cypher", [(PATIENT, patients(3))])
    clear_and_load(little, script, listener=LoadCallbacks(warn=told.append))
    assert graph_counts(little) == ({"Patient": 3}, {})
    assert told == []


def test_wide_and_dense_nodes_of_a_label_that_is_mapped_no_more_go(
    little: Graph, tmp_path: Path
) -> None:
    both = [(PATIENT, patients(1)), (VISIT, visits(20_000, of=1))]
    load_into_empty(little, write(tmp_path / "s.cypher", both, (joined(1),)))
    assert graph_counts(little)[1] == {"VISITED": 20_000}
    extracts = (extract(VISIT, visits(20_000, of=1)),)
    header = header_for(extracts, created="2026-01-01T00:00:00Z", log_id=None)
    reconcile(little, Desired(header=header, extracts=extracts, mappings=()))
    assert graph_counts(little) == ({"Visit": 20_000}, {})


def test_rows_of_many_columns_are_made_and_merged(little: Graph, tmp_path: Path) -> None:
    columns = {"id": "int8"} | {f"c{n}": "int8" for n in range(400)}
    wide = table("wide", "Wide", columns, key=("id",))
    rows = [(number, *([7] * 400)) for number in range(250)]
    load_into_empty(little, write(tmp_path / "s.cypher", [(wide, rows)]))
    changed = [(number, *([8] * 400)) for number in range(250)]
    extracts = (extract(wide, changed),)
    header = header_for(extracts, created="2026-01-01T00:00:00Z", log_id=None)
    done = reconcile(little, Desired(header=header, extracts=extracts, mappings=()))
    assert done.changes["nodes_updated"] == 250
    assert little.rows("MATCH (n:Wide) RETURN sum(n.c3) AS s, sum(n.c399) AS t") == [
        {"s": 2_000, "t": 2_000}
    ]
