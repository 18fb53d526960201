"""A script of many labels, whose small tables share two plans: the same graph as by its own statements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from c360_graph.cypher import script_writer
from c360_graph.cypher.general_statements import MANY_LABELS
from c360_graph.errors import StatementError
from c360_graph.graph.connection import Graph
from c360_graph.graph.counts import (
    CountStore,
    count_by_label,
    count_by_pattern,
    count_by_type,
    count_graph,
    read_count_store,
)
from c360_graph.graph.load import LoadCallbacks, clear_and_load, load_into_empty
from c360_graph.mapping.model import Junction, NodeTable, RelationshipMapping
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.cypher_shell import load_by_cypher_shell
from c360_graph_tests.integration.loader.proxy import FaultyProxy
from c360_graph_tests.integration.loader.scripts import (
    PATIENT,
    VISIT,
    Row,
    joined,
    patients,
    table,
    write,
)
from c360_graph_tests.integration.loader.test_parity import NASTY

ODD = table(
    "odd `\\u0060 names", "Odd`\\u0060 label", {"a`\\b": "int8", "n": "text"}, key=("a`\\b",)
)
DAY = table("day", "Day", {"ward": "int8", "day": "date", "boss": "int8"}, key=("ward", "day"))
STAY = table(
    "stay",
    "Stay",
    {"id": "int8", "ward": "int8", "on": "date", "sender": "int8", "receiver": "int8"},
    key=("id",),
)
SHARED_ROWS: list[tuple[NodeTable, Sequence[Row]]] = [
    (PATIENT, [*enumerate(NASTY), (len(NASTY), None)]),
    (VISIT, [(number % 7, f"visit {number}") for number in range(40)] + [(99, "of nobody")]),
    (ODD, [(1, "one"), (2, None)]),
    (DAY, [(ward, f"2026-01-0{day}", day) for ward in (1, 2) for day in (1, 2, 3)]),
    (
        STAY,
        [
            (1, 1, "2026-01-01", 0, 1),
            (2, 2, "2026-01-03", 1, 1),
            (3, None, "2026-01-03", 2, 9_999),
            (4, 3, "2026-01-01", None, 1),
        ],
    ),
    *(
        (table(f"t{number}", f"T{number}", {"id": "int8"}, key=("id",)), [(number,)])
        for number in range(MANY_LABELS)
    ),
]


def mapping(
    number: int,
    kind: str,
    ends: tuple[str, str],
    pairs: tuple[tuple[str, str], ...],
    **more: Any,
) -> RelationshipMapping:
    return RelationshipMapping(
        relationship_id=number,
        relationship_type=kind,
        from_label=ends[0],
        to_label=ends[1],
        pairs=pairs,
        **{"seek": "from"} | more,
    )


MAPPINGS = (
    joined(1),
    # Several find several, and a type has mappings of both directions.
    joined(2, "SHARES", on=("id", "patient")),
    mapping(3, "SHARES", ("Visit", "Visit"), (("patient", "patient"),)),
    mapping(4, "ON", ("Stay", "Day"), (("ward", "ward"), ("on", "day")), seek="to", copied=("id",)),
    mapping(5, "TYPE `\\u0060", (ODD.node_label, "T1"), (("a`\\b", "id"),)),
    RelationshipMapping(
        relationship_id=6,
        relationship_type="STAYED_WITH",
        from_label="Patient",
        to_label="Patient",
        junction=Junction(
            table=("clinic", "stay"),
            node_label="Stay",
            from_pairs=(("id", "sender"),),
            to_pairs=(("id", "receiver"),),
            properties=("ward", "on"),
        ),
    ),
)


def contents(graph: Graph) -> tuple[list[Any], list[Any]]:
    """All that the graph has, in one order."""
    nodes = graph.rows(
        "MATCH (n) WHERE NOT n:_C360Load WITH labels(n) AS labels, properties(n) AS p"
        " RETURN labels, p, [name IN keys(p) | valueType(p[name])] AS types"
    )
    relationships = graph.rows(
        "MATCH (a)-[r]->(b) RETURN type(r) AS type, properties(r) AS p, properties(a) AS a, properties(b) AS b"
    )
    return sorted(nodes, key=repr), sorted(relationships, key=repr)


def test_many_labels_are_loaded_as_by_their_own_statements(
    servers: TestServers, graph: Graph, tmp_path: Path
) -> None:
    script = write(tmp_path / "s.cypher", SHARED_ROWS, MAPPINGS)
    load_by_cypher_shell(servers, script)
    wanted = contents(graph)
    assert len(wanted[1]) > 250
    sent: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        run = Graph.run

        def spy(self: Graph, statement: str | bytes, **more: Any) -> Any:
            sent.append(statement if isinstance(statement, str) else statement.decode())
            return run(self, statement, **more)

        patch.setattr(Graph, "run", spy)
        clear_and_load(graph, script)
    assert contents(graph) == wanted
    made = [text for text in sent if re.search(r"CREATE \((a|row)\)-", text)]
    finds_labels = not _scans_all(graph)
    general = [text for text in made if "$($type)" in text]
    assert len(general) == (len(MAPPINGS) if finds_labels else 0)
    # One for each way to find the ends.
    assert len(set(general)) == (3 if finds_labels else 0)


def test_the_row_of_a_shared_statement_that_is_refused_is_named(
    graph: Graph, tmp_path: Path
) -> None:
    rows = [*SHARED_ROWS[:-1], (SHARED_ROWS[-1][0], [(1,), (2,), (1,)])]
    script = write(tmp_path / "s.cypher", rows)
    with pytest.raises(StatementError) as refused:
        load_into_empty(graph, script)
    assert f"label T{MANY_LABELS - 1}) failed at row 3 of the batch, key id: 1: " in str(
        refused.value
    )


def test_relationships_of_a_shared_statement_are_made_once_after_a_cut(
    graph: Graph,
    far_graph: Graph,
    proxy: FaultyProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(script_writer, "MANY_LABELS", 1)
    visits = [(number % 50, f"visit {number}") for number in range(500)]
    script = write(
        tmp_path / "s.cypher", [(PATIENT, patients(50)), (VISIT, visits)], (joined(1), joined(2))
    )
    general = b"$($type)" if not _scans_all(graph) else b"MATCH (row:`Visit`)"
    proxy.fail_once(
        lambda data: general in data and b"EXPLAIN" not in data, moment="when it is answered"
    )
    warnings: list[str] = []
    load_into_empty(far_graph, script, listener=LoadCallbacks(warn=warnings.append))
    assert proxy.failed == 1
    assert len(warnings) == 1
    assert graph.rows("MATCH ()-[r:VISITED]->() RETURN count(r) AS n")[0]["n"] == 1_000


def _scans_all(graph: Graph) -> bool:
    return "AllNodesScan" in graph.operators("CYPHER 5 MATCH (n:$($label)) RETURN n")


def test_a_script_that_was_changed_by_hand_is_run_as_it_is(graph: Graph, tmp_path: Path) -> None:
    script = write(tmp_path / "s.cypher", SHARED_ROWS, MAPPINGS[:1])
    text = script.read_bytes()
    changed = text.replace(b"CREATE (a)-[:`VISITED`]", b"CREATE (a)-[:`VISITED` {by: 'hand'}]")
    assert changed != text
    script.write_bytes(changed)
    load_into_empty(graph, script)
    assert graph.rows("MATCH ()-[r:VISITED {by: 'hand'}]->() RETURN count(r) AS n")[0]["n"] == 40


def test_counts_of_many_names_are_those_that_the_server_counts_one_by_one(
    graph: Graph, tmp_path: Path
) -> None:
    load_into_empty(graph, write(tmp_path / "s.cypher", SHARED_ROWS, MAPPINGS))
    nodes, types = count_graph(graph.rows)
    assert nodes["Patient"] == len(NASTY) + 1
    missing = [f"Missing{number}" for number in range(60)]
    assert count_by_label(graph.rows, [*nodes, *missing]) == nodes | dict.fromkeys(missing, 0)
    assert count_by_type(graph.rows, [*types, *missing]) == types | dict.fromkeys(missing, 0)
    patterns = [(kind, start, end) for kind in types for start in nodes for end in nodes]
    one_by_one = {p: count_by_pattern(graph.rows, [p])[p] for p in patterns[:40]}
    assert {p: count_by_pattern(graph.rows, patterns)[p] for p in patterns[:40]} == one_by_one
    assert sum(count_by_pattern(graph.rows, patterns).values()) == sum(types.values())


def test_a_server_that_does_not_show_its_count_store_is_asked_for_each_name(graph: Graph) -> None:
    graph.run("CREATE (:One)-[:TO]->(:Two)", tag={})

    def ask(statement: str) -> list[dict[str, Any]]:
        # What a user without the right to call it gets.
        return graph.rows(statement.replace("db.stats.retrieve", "db.stats.missing"))

    assert read_count_store(ask) is None
    assert isinstance(read_count_store(graph.rows), CountStore)
    names = ["One", "Two", *(f"Missing{number}" for number in range(60))]
    assert [*count_by_label(ask, names).values()] == [1, 1, *([0] * 60)]
