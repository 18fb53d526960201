"""A load that empties a graph keeps constraints and indexes that it would only make again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from c360_graph.cypher.schema import LabelProperties, index_name
from c360_graph.graph import load
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import clear_and_load
from c360_graph_tests.integration.loader.scripts import (
    PATIENT,
    VISIT,
    joined,
    patients,
    visits,
    write,
)


def indexes(graph: Graph) -> dict[str, tuple[int, object]]:
    """Id and time of creation by name, those of constraints too: what is made anew may get the same id."""
    rows = graph.rows(
        "SHOW INDEXES YIELD id, name, type, trackedSince WHERE type <> 'LOOKUP'"
        " RETURN id, name, toString(trackedSince) AS since"
    )
    return {row["name"]: (row["id"], row["since"]) for row in rows}


def test_a_script_of_few_rows_keeps_what_it_makes_and_drops_the_rest(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(PATIENT, patients(5)), (VISIT, visits(9, of=5))]
    by_name = joined(1, on=("name", "note"))
    script = write(tmp_path / "both.cypher", rows, (by_name,))
    clear_and_load(graph, script)
    made = indexes(graph)
    assert len(made) == 2
    clear_and_load(graph, script)
    assert indexes(graph) == made

    with monkeypatch.context() as patch:
        patch.setattr(load, "FEW_ROWS", 6)
        clear_and_load(graph, script)
    anew = indexes(graph)
    assert anew.keys() == made.keys()
    assert not {*anew.values()} & {*made.values()}

    # One index that failed, as one of a value that no index takes does: so may that of a constraint have.
    failing = index_name(LabelProperties(label="Note", properties=("text",)))
    graph.run(b"CREATE (:Note {text: reduce(s = 'x', i IN range(1, 16) | s + s)})", tag={})
    graph.run(f"CREATE INDEX {failing} FOR (n:Note) ON (n.text)", tag={})
    states = f"SHOW INDEXES YIELD name, state WHERE name = '{failing}' RETURN state"
    while graph.rows(states) == [{"state": "POPULATING"}]:
        time.sleep(0.05)
    assert graph.rows(states) == [{"state": "FAILED"}]
    clear_and_load(graph, script)
    mended = indexes(graph)
    assert mended.keys() == made.keys()
    assert not {*mended.values()} & {*anew.values()}

    alone = write(tmp_path / "alone.cypher", [(PATIENT, patients(5))])
    clear_and_load(graph, alone)
    (name,) = indexes(graph)
    assert name.startswith("c360_key_")
