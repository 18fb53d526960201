"""A load counts what it made before it calls a graph whole, and asks for no more statements than that takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from c360_graph.errors import CountMismatchError
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import clear_and_load, graph_counts, load_into_empty
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.loader.scripts import (
    PATIENT,
    REFERRAL,
    VISIT,
    joined,
    patients,
    referred,
    visits,
    write,
)
from c360_graph_tests.integration.runs import is_whole

REFERRALS = [(number, number + 1) for number in range(20)]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return write(
        tmp_path / "s.cypher",
        [(PATIENT, patients(30)), (VISIT, visits(60, of=30)), (REFERRAL, REFERRALS)],
        (joined(1), joined(2, "SEEN"), referred(3)),
    )


WHOLE = ({"Patient": 30, "Visit": 60}, {"VISITED": 60, "SEEN": 60, "REFERRED": 20})


class Disturbed(Graph):
    """A graph that another program writes to when all relationships are made, and nobody has counted them."""

    def __init__(self, graph: Graph, statement: str) -> None:
        super().__init__(graph.driver, graph.database, graph.uri, graph.client)
        self._beside = [statement]

    def fetch(self, statement: str | bytes, **parameters: Any) -> list[dict[str, Any]]:
        if self._beside and "db.relationshipTypes" in str(statement):
            super().run(self._beside.pop(), tag={})
        return super().fetch(statement, **parameters)


class Listening(Graph):
    """A graph that remembers the statements that are run on it outside of transactions."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph.driver, graph.database, graph.uri, graph.client)
        self.heard: list[str] = []

    def fetch(self, statement: str | bytes, **parameters: Any) -> list[dict[str, Any]]:
        self._hear(statement)
        return super().fetch(statement, **parameters)

    def run(self, statement: str | bytes, **options: Any) -> Any:
        self._hear(statement)
        return super().run(statement, **options)

    def about(self, words: str) -> Sequence[str]:
        """The statements with these words."""
        return [text for text in self.heard if words in text]

    def _hear(self, statement: str | bytes) -> None:
        self.heard.append(statement.decode() if isinstance(statement, bytes) else statement)


@pytest.mark.parametrize(
    ("kind", "made", "write_beside"),
    [
        ("VISITED", 60, "MATCH (a:Patient {id: 1}), (b:Visit) WITH a, b LIMIT 1"),
        ("REFERRED", 20, "MATCH (a:Patient {id: 1}), (b:Patient {id: 9})"),
    ],
    ids=["of a join", "of a junction"],
)
def test_a_graph_that_another_program_adds_relationships_to_during_a_load_is_not_called_whole(
    graph: Graph, script: Path, kind: str, made: int, write_beside: str
) -> None:
    disturbed = Disturbed(graph, f"{write_beside} CREATE (a)-[:{kind}]->(b)")
    with pytest.raises(CountMismatchError) as caught:
        load_into_empty(disturbed, script)
    assert str(caught.value) == (
        f"The graph does not hold what was extracted: {kind}: {made + 1} relationships where"
        f" {made} were made. Did something else write to it? Load again with clear_database."
    )
    assert is_whole(graph) is False
    clear_and_load(graph, script)
    assert graph_counts(graph) == WHOLE


def test_relationships_of_few_rows_take_one_statement_and_no_count_of_their_own(
    graph: Graph, script: Path
) -> None:
    listening = Listening(graph)
    load_into_empty(listening, script)
    assert graph_counts(graph) == WHOLE
    assert len(listening.about("CREATE (a)-[:`SEEN`]->(row)")) == 1
    # Of the whole graph at the end, and of what the manifest says is between labels.
    assert len(listening.about("`SEEN`")) <= 5


@pytest.mark.usefixtures("shared")
def test_sessions_that_share_a_statement_make_what_one_makes(
    servers: TestServers, graph: Graph, script: Path
) -> None:
    listening = Listening(graph)
    load_into_empty(listening, script, sessions=2)
    assert graph_counts(graph) == WHOLE
    assert len(listening.about("CREATE (a)-[:`SEEN`]->(row)")) == 2
    assert graph.rows("MATCH (v:Visit) WHERE COUNT { (v)<-[:SEEN]-() } <> 1 RETURN v") == []
