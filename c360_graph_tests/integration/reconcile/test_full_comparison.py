"""`full_comparison: true`: what was changed by hand in the graph comes back to what the rows make."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest
from neo4j import SummaryCounters

from c360_graph.cypher.weights import JOIN_BATCH_ROWS
from c360_graph.graph import execution, sessions
from c360_graph.graph.connection import Graph, Tag
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.reconcile.reconciled import (
    NOTHING,
    changes,
    contents,
    reconcile,
)
from c360_graph_tests.integration.runs import load_graph, materialize_all

ANEW = 34
"""Relationships of the sample's junction: a full comparison makes all of them anew."""
ALL_IS_RIGHT = NOTHING | {"relationships_created": ANEW, "relationships_deleted": ANEW}
DAMAGES = {
    "CREATE (:PlayEvent {event_id: -1})": {"nodes_deleted": 1},
    "MATCH (a:Account), (e:PlayEvent) WHERE a.account_id <> e.account_id_from_token"
    " WITH a, e LIMIT 2 CREATE (a)-[:WATCHED]->(e)": {"relationships_deleted": ANEW + 2},
    "MATCH (a)-[:WATCHED]->(e) WITH a, e LIMIT 2 UNWIND range(1, 3) AS copy"
    " CREATE (a)-[:WATCHED]->(e)": {"relationships_deleted": ANEW + 6},
    "MATCH (e)-[:PLAYED]->(m) WITH e, m LIMIT 1 CREATE (e)-[:PLAYED]->(m)": {
        "relationships_deleted": ANEW + 1
    },
    "MATCH (t)-[:TAGGED_WITH]->(g) WITH t, g LIMIT 1 CREATE (t)-[:TAGGED_WITH]->(g)": {
        "relationships_deleted": ANEW + 1
    },
    "MATCH (a:Account) WITH a LIMIT 4 SET a.full_name = 'by hand'": {"nodes_updated": 4},
    "MATCH (e:PlayEvent) WITH e LIMIT 5 SET e.action = null": {"nodes_updated": 5},
}
"""What is done by hand, and what the comparison then has to do. Of WATCHED the rows that refer are at
the end, of PLAYED at the start."""


@pytest.mark.parametrize("rows_of_one_session", [JOIN_BATCH_ROWS, 0])
def test_whatever_was_made_or_changed_by_hand_is_as_the_rows_say_again(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch, rows_of_one_session: int
) -> None:
    monkeypatch.setattr(sessions, "JOIN_BATCH_ROWS", rows_of_one_session)
    shares = _counted_shares(monkeypatch)
    project.map_only("Account", "PlayEvent", "Media", "Tag", "Ticket", "TicketTagLink")
    assert load_graph().success
    before = contents(graph)
    for damage, mended in DAMAGES.items():
        graph.run(damage.encode(), tag={})
        assert contents(graph) != before, damage
        assert changes(compare()) == ALL_IS_RIGHT | mended, damage
        assert contents(graph) == before, damage
    assert changes(compare()) == ALL_IS_RIGHT
    assert changes(reconcile()) == NOTHING
    assert max(shares) == (1 if rows_of_one_session else 2)


def _counted_shares(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gets the number of sessions of each statement that may be shared."""
    shares: list[int] = []

    def run_shares(
        graph: Graph, texts: Sequence[str | bytes], *, tag: Tag, **parameters: Any
    ) -> list[SummaryCounters]:
        shares.append(len(texts))
        return sessions.run_shares(graph, texts, tag=tag, **parameters)

    monkeypatch.setattr(execution, "run_shares", run_shares)
    return shares


def test_a_full_comparison_keeps_what_others_wrote_to_nodes_of_ours_and_beside_them(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "PlayEvent")
    assert load_graph().success
    graph.run(
        b"MATCH (a:Account) WITH a ORDER BY a.account_id LIMIT 2 SET a:Scored, a.score = 0.5"
        b" CREATE (a)-[:LIKES {since: 2020}]->(:Movie {title: 'Other'})",
        tag={},
    )
    graph.run(b"MATCH (:Account)-[r:WATCHED]->() WITH r LIMIT 1 SET r.seen = true", tag={})
    with_others = contents(graph)
    graph.run(b"CREATE (:PlayEvent {event_id: -1})", tag={})
    assert changes(compare())["nodes_deleted"] == 1
    assert contents(graph) == with_others


def test_a_reader_never_sees_fewer_relationships_than_the_rows_make(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "PlayEvent")
    assert load_graph().success
    graph.run(b"MATCH (a)-[:WATCHED]->(e) CREATE (a)-[:WATCHED]->(e)", tag={})
    count = "MATCH (:Account)-[r:WATCHED]->(:PlayEvent) RETURN count(r) AS n"
    with _polled(graph, count) as seen:
        assert changes(compare())["relationships_deleted"] == 373
    assert len(seen) > 10
    assert (seen[0], min(seen)) == (746, 373)


def compare() -> dg.ExecuteInProcessResult:
    """The graph alone, as `docs/loading.md` has it for what was changed by hand."""
    config = {"clear_database": False, "full_comparison": True}
    return materialize_all(
        asset_selection=[dg.AssetKey("neo4j_graph")],
        run_config={"ops": {"neo4j_graph": {"config": config}}},
    )


@contextmanager
def _polled(graph: Graph, statement: str) -> Iterator[list[int]]:
    """What a statement's `n` was, again and again until the block ends."""
    seen: list[int] = []
    ended = threading.Event()

    def poll() -> None:
        while not ended.is_set():
            seen.append(graph.rows(statement)[0]["n"])
        seen.append(graph.rows(statement)[0]["n"])

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        yield seen
    finally:
        ended.set()
        reader.join()


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR")
