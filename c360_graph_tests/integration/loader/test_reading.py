"""What a foreign statement returns, whatever its values are."""

from __future__ import annotations

import pytest

from c360_graph.neo4j_loader.graph import Graph
from c360_graph.neo4j_loader.reading import read


@pytest.mark.parametrize(
    ("value", "first", "second"),
    [
        ("[n, n]", "(1, 1)", "(2, 2)"),
        ("{n: n}", "{'n': 1}", "{'n': 2}"),
        ("[{n: n}]", "({'n': 1},)", "({'n': 2},)"),
        ("nodes(p)", "({'n': 1}, {})", "({'n': 2}, {})"),
        ("p", "({'n': 1}, 'OF', {})", "({'n': 2}, 'OF', {})"),
    ],
)
def test_rows_are_counted_by_values_of_any_type(
    graph: Graph, value: str, first: str, second: str
) -> None:
    graph.run(b"UNWIND [1, 2] AS n CREATE ({n: n})-[:OF]->()", tag={})
    statement = f"UNWIND [1, 2, 1] AS n MATCH p = ({{n: n}})-->() RETURN {value} AS v"
    reading = read(graph, statement, {}, timeout_seconds=10, keep=5, tally_by="v")
    counted = {str(key): rows for key, rows in reading.tally}
    assert counted == {first: 2, second: 1}
