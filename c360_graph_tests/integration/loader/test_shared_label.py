"""Tables that feed one label with different keys."""

from __future__ import annotations

from pathlib import Path

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import clear_and_load, graph_counts
from c360_graph.mapping.model import TableMapping
from c360_graph_tests.integration.loader.scripts import Row, table, write

ACCOUNTS = table("accounts", "Person", {"id": "int8", "name": "text"}, key=("id",))
VISITS = table("visits", "Person", {"visit": "int8", "id": "int8"}, key=("visit",))
SHARED = {"label_is_shared": True}


def test_a_table_may_repeat_what_is_a_key_in_another(graph: Graph, tmp_path: Path) -> None:
    rows: list[tuple[TableMapping, list[Row]]] = [
        (ACCOUNTS.model_copy(update=SHARED), [(1, "Ada"), (2, "Bob")]),
        (VISITS.model_copy(update=SHARED), [(10, 1), (11, 1), (12, 2)]),
    ]
    script = write(tmp_path / "s.cypher", rows)
    clear_and_load(graph, script)
    clear_and_load(graph, script)
    assert graph_counts(graph) == ({"Person": 5}, {})
    found = graph.rows(
        "MATCH (n:Person) RETURN n._c360_table AS source, n.id AS id ORDER BY id, source"
    )
    assert [(row["source"], row["id"]) for row in found] == [
        ("clinic/accounts", 1),
        ("clinic/visits", 1),
        ("clinic/visits", 1),
        ("clinic/accounts", 2),
        ("clinic/visits", 2),
    ]
