"""What a statement's text says that its plan does not: another database, functions of others."""

from __future__ import annotations

import pytest

from c360_graph.graph.read_only import _beyond_this_graph


@pytest.mark.parametrize(
    ("statement", "used"),
    [
        (
            "RETURN apoc.cypher.runFirstColumnSingle('RETURN 1', {}) AS n",
            ["the function apoc.cypher.runFirstColumnSingle"],
        ),
        ("RETURN `apoc` . /* */ `cypher`.run('x')", ["the function apoc.cypher.run"]),
        ("RETURN my\\u002eown('x')", ["the function my.own"]),
        ("MATCH (n) RETURN apoc.text.join(['a'], ''), n.name", []),
        ("RETURN 'my.own()' AS text // my.own()", []),
        ("CALL db.labels() YIELD label RETURN count(label)", []),
        ("MATCH (n) WHERE n.a IN (n.b) AND n.use = 1 RETURN n.use AS used", []),
        ("CALL { WITH 1 AS x USE other RETURN 1 AS y } RETURN y", ["USE, so another database"]),
        ("USE graph.byName('other') RETURN 1", ["USE, so another database", "the function graph.byName"]),
    ],
)  # fmt: skip
def test_a_text_is_read_as_neo4j_reads_it(statement: str, used: list[str]) -> None:
    assert list(_beyond_this_graph(statement)) == used
