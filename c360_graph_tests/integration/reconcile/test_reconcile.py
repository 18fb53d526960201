"""`clear_database: false`: a graph that is being read comes to the state of the sources."""

from __future__ import annotations

import threading

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.reconcile.reconciled import (
    NOTHING,
    changes,
    contents,
    reconcile,
)
from c360_graph_tests.integration.runs import failure_messages, load_graph
from c360_graph_tests.integration.test_pipeline import NODES, nodes_of


def test_an_empty_graph_is_filled_and_a_second_time_changes_nothing_and_says_so(
    project: Project, graph: Graph
) -> None:
    first = changes(reconcile())
    assert first == NOTHING | {"nodes_created": 628, "relationships_created": 942}
    before = contents(graph)
    assert graph_counts(graph)[0] == NODES
    assert changes(reconcile()) == NOTHING
    assert contents(graph) == before


def test_after_a_load_by_script_nothing_but_what_changed_is_written(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "PaymentMethod", "Plan", "Subscription")
    assert load_graph().success
    script = contents(graph)
    ids = graph.rows("MATCH (n:Account) RETURN id(n) AS id ORDER BY id")
    assert changes(reconcile()) == NOTHING
    assert contents(graph) == script
    with project.connect("profiles_db") as connection:
        connection.execute(
            "UPDATE accounts SET full_name = 'New Name' WHERE email = 'john.smith@email.com'"
        )
        connection.execute(
            "INSERT INTO plans (plan_id, plan_name, monthly_fee, max_devices)"
            " VALUES (99, 'Novel', 1.23, 2)"
        )
        moved = connection.execute(
            "UPDATE subscriptions SET plan_id = 99 WHERE subscription_id ="
            " (SELECT min(subscription_id::text)::uuid FROM subscriptions WHERE plan_id IS NOT NULL)"
        ).rowcount
        gone = connection.execute(
            "DELETE FROM payment_methods WHERE payment_method_id ="
            " (SELECT min(payment_method_id::text)::uuid FROM payment_methods)"
        ).rowcount
    assert (moved, gone) == (1, 1)
    assert changes(reconcile()) == {
        "nodes_created": 1,
        "nodes_updated": 2,
        "nodes_deleted": 1,
        "relationships_created": 1,
        # One moved, one went with its node.
        "relationships_deleted": 2,
        "properties_purged": 0,
    }
    assert graph.rows("MATCH (n:Account) RETURN id(n) AS id ORDER BY id") == ids
    reconciled = contents(graph)
    assert load_graph().success
    assert contents(graph) == reconciled


def test_what_others_wrote_stays(project: Project, graph: Graph) -> None:
    project.map_only("Account")
    assert load_graph().success
    graph.run(
        b"MATCH (a:Account {email: 'john.smith@email.com'})"
        b" SET a.risk_score = 7 CREATE (a)-[:FLAGGED_BY]->(:Analyst {name: 'Ann'})",
        tag={},
    )
    assert changes(reconcile())["nodes_updated"] == 0
    rows = graph.rows(
        "MATCH (a:Account)-[:FLAGGED_BY]->(n:Analyst) RETURN a.risk_score AS score, n.name AS name"
    )
    assert rows == [{"score": 7, "name": "Ann"}]


def test_removing_more_than_the_share_allowed_is_refused_before_anything_is_touched(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "PlayEvent")
    assert load_graph().success
    before = contents(graph)
    with project.connect("streaming_db") as connection:
        connection.execute("DELETE FROM play_events WHERE event_id % 2 = 0")
    message = failure_messages(reconcile())["neo4j_graph"]
    assert "PlayEvent" in message
    assert "max_removed_share" in message
    assert contents(graph) == before
    assert reconcile(max_removed_share=1.0).success
    assert graph_counts(graph)[0]["PlayEvent"] < 300


def test_a_reader_never_sees_fewer_nodes_of_an_unchanged_label(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "PlayEvent")
    assert load_graph().success
    with project.connect("profiles_db") as connection:
        connection.execute("UPDATE accounts SET full_name = full_name || '!'")
    seen: list[int] = []
    ended = threading.Event()

    def poll() -> None:
        while not ended.is_set():
            seen.append(graph.rows("MATCH (n:PlayEvent) RETURN count(n) AS n")[0]["n"])

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        assert reconcile().success
    finally:
        ended.set()
        reader.join()
    assert len(seen) > 10
    assert set(seen) == {400}


def test_a_load_that_broke_off_is_repaired(project: Project, graph: Graph) -> None:
    project.map_only("Account", "PlayEvent")
    graph.run(b"CREATE CONSTRAINT other FOR (n:PlayEvent) REQUIRE n.session_id IS UNIQUE", tag={})
    assert not load_graph().success
    graph.run(b"DROP CONSTRAINT other", tag={})
    assert reconcile().success
    assert graph_counts(graph) == (nodes_of("Account", "PlayEvent"), {"WATCHED": 373})
