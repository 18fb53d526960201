"""Which names of the graph a statement uses."""

from __future__ import annotations

import pytest

from c360_graph.cypher.quoting import used_names
from c360_graph.graph.connection import Graph
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.questions import Question, ask


@pytest.mark.parametrize(
    ("statement", "used"),
    [
        ("MATCH (a:Account)-[:PLAYED]->(m) RETURN m.title", [":Account", ":PLAYED", ".title"]),
        ("MATCH (:`A b`|C)-[r:`T``T`*1..3]->(:D&!E)", [":A b", ":C", ":T`T", ":D", ":E"]),
        ("MATCH (n : Account) WHERE n:Vip RETURN n . email", [":Account", ":Vip", ".email"]),
        ("MATCH (n {email: $e, `full name`: 1}) RETURN n", [".email", ".full name"]),
        ("// (:Not)\nRETURN ':Not' AS x, \"n.not\" AS y /* :Not */", []),
        ("MATCH (n) RETURN collect({genre: genre, at: n.at})", [".genre", ".at"]),
        ("RETURN COUNT { (a:X), (b:Y {k: v}) } AS n, [m:Z, o:W]", [":X", ":Y", ".k", ":Z", ":W"]),
        ("MATCH (a)-->(b) RETURN DISTINCT a, count(*) AS n ORDER BY n", []),
    ],
)
def test_labels_types_and_properties_are_found_and_nothing_else(
    statement: str, used: list[str]
) -> None:
    assert list(used_names(statement)) == used


@pytest.mark.parametrize(
    ("statement", "lacking"),
    [
        ("MATCH ()-[:PLAYED]->() RETURN count(*) AS n", ("row 4 is refused",)),
        ("MATCH (a) WHERE a.email = 'x' RETURN a", ("email is excluded by rule 1",)),
    ],
)
def test_a_question_that_needs_what_is_missing_is_not_asked(
    statement: str, lacking: tuple[str, ...]
) -> None:
    manifest = GraphManifest(
        refused={"PLAYED": "row 4 is refused"}, excluded={"email": "email is excluded by rule 1"}
    )
    nowhere = Graph(None, "neo4j", "bolt://nowhere")  # type: ignore[arg-type]
    answer = ask(
        nowhere,
        Question(name="q", title="Q", statement=statement),
        {},
        timeout_seconds=1,
        manifest=manifest,
    )
    assert (answer.lacking, answer.rows) == (lacking, ())
