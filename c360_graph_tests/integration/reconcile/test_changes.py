"""A second load sends only what differs between the extracts, and the graph is as if it had sent all."""

from __future__ import annotations

import pytest

from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.reconcile.reconciled import (
    NOTHING,
    changes,
    contents,
    reconcile,
)
from c360_graph_tests.integration.runs import load_graph

ONE_ACCOUNT = "(SELECT account_id FROM accounts ORDER BY email LIMIT 1 OFFSET {})"
ROUNDS: list[list[tuple[str, str]]] = [
    [
        # Tickets are joined by e-mail: some lose their account, others find one.
        ("profiles_db", "UPDATE accounts SET email = 'new@x.org' WHERE email LIKE 'john.smith%'"),
        (
            "profiles_db",
            "UPDATE accounts SET full_name = NULL WHERE account_id = " + ONE_ACCOUNT.format(3),
        ),
        # Play events refer to accounts of another database, which may come and go.
        (
            "profiles_db",
            "DELETE FROM payment_methods WHERE account_id = " + ONE_ACCOUNT.format(5),
        ),
        ("profiles_db", "DELETE FROM subscriptions WHERE account_id = " + ONE_ACCOUNT.format(5)),
        ("profiles_db", "DELETE FROM accounts WHERE account_id = " + ONE_ACCOUNT.format(5)),
        (
            "profiles_db",
            "UPDATE payment_methods SET account_id = "
            + ONE_ACCOUNT.format(7)
            + " WHERE account_id = "
            + ONE_ACCOUNT.format(6),
        ),
        ("streaming_db", "DELETE FROM play_events WHERE event_id % 17 = 0"),
        ("streaming_db", "UPDATE play_events SET media_id = NULL WHERE event_id % 19 = 0"),
        (
            "streaming_db",
            "UPDATE play_events SET account_id_from_token = NULL, device_fingerprint ="
            " E'a\\tb\\\\c\\n' WHERE event_id % 23 = 0",
        ),
        (
            "streaming_db",
            "INSERT INTO play_events SELECT event_id + 100000, session_id, account_id_from_token,"
            " media_id, event_timestamp, action, ip_address, device_fingerprint FROM play_events"
            " WHERE event_id % 29 = 0",
        ),
        ("support_db", "DELETE FROM ticket_tag_link WHERE tag_id = 1"),
        ("support_db", "INSERT INTO ticket_tags VALUES (901, 'odd'), (902, 'unused')"),
        (
            "support_db",
            "INSERT INTO ticket_tag_link SELECT ticket_id, 901 FROM tickets ORDER BY 1 LIMIT 5",
        ),
        (
            "support_db",
            "UPDATE tickets SET customer_email = 'new@x.org' WHERE ticket_id ="
            " (SELECT min(ticket_id) FROM tickets)",
        ),
    ],
    [
        (
            "profiles_db",
            "UPDATE accounts SET email = 'john.smith@email.com' WHERE email LIKE 'new@%'",
        ),
        (
            "streaming_db",
            "UPDATE play_events SET media_id = (SELECT min(media_id) FROM media_content)"
            " WHERE event_id % 19 = 0",
        ),
        ("support_db", "DELETE FROM ticket_tag_link WHERE tag_id = 901"),
        ("support_db", "DELETE FROM ticket_tags WHERE tag_id = 901"),
    ],
]


def test_what_was_sent_as_changes_is_the_graph_of_a_whole_load(
    project: Project, graph: Graph
) -> None:
    project.map_only(
        "Account", "PaymentMethod", "PlayEvent", "Media", "Ticket", "Tag", "TicketTagLink"
    )
    assert load_graph().success
    for statements in ROUNDS:
        for database, statement in statements:
            with project.connect(database) as connection:
                assert connection.execute(statement).rowcount > 0, statement
        changed = changes(reconcile())
        assert min(changed["nodes_updated"], changed["relationships_deleted"]) > 0
        sent = contents(graph)
        assert changes(reconcile()) == NOTHING
        assert load_graph().success
        assert contents(graph) == sent


def test_rows_that_did_not_change_are_not_compared_unless_asked(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "PlayEvent")
    assert load_graph().success
    before = contents(graph)
    graph.run(b"MATCH (a:Account {email: 'john.smith@email.com'}) SET a.full_name = 'X'", tag={})
    with project.connect("streaming_db") as connection:
        connection.execute("UPDATE play_events SET action = action WHERE event_id % 2 = 0")
    assert changes(reconcile()) == NOTHING
    assert changes(reconcile(full_comparison=True))["nodes_updated"] == 1
    assert contents(graph) == before


def test_where_a_server_is_and_why_a_row_is_there_make_nothing_be_compared(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "PlayEvent")
    assert load_graph().success
    graph.run(b"MATCH (a:Account {email: 'john.smith@email.com'}) SET a.full_name = 'X'", tag={})
    for statement in (
        "UPDATE source_databases SET db_sslmode = 'disable'",
        "UPDATE field_exclusion_rules SET reason = 'Said otherwise'",
        "UPDATE relationship_mappings SET description = 'Said otherwise', execution_order = 7",
    ):
        project.execute(statement)
    assert changes(reconcile()) == NOTHING
    assert changes(reconcile(full_comparison=True))["nodes_updated"] == 1


@pytest.mark.parametrize(
    "damage",
    [
        "MATCH (n:PlayEvent) WITH n LIMIT 3 DETACH DELETE n",
        "MATCH ()-[r:WATCHED]->() WITH r LIMIT 3 DELETE r",
        "MATCH (m:_C360Load) SET m.state = 'broken'",
    ],
    ids=["nodes are missing", "relationships are missing", "a load broke off"],
)
def test_a_graph_that_is_not_as_the_last_load_left_it_is_compared_as_a_whole(
    project: Project, graph: Graph, damage: str
) -> None:
    project.map_only("Account", "PlayEvent")
    assert load_graph().success
    before = contents(graph)
    graph.run(b"MATCH (a:Account {email: 'john.smith@email.com'}) SET a.full_name = 'X'", tag={})
    graph.run(damage.encode(), tag={})
    assert changes(reconcile())["nodes_updated"] == 1
    assert contents(graph) == before


def test_without_the_extracts_of_the_last_load_the_graph_is_compared(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.map_only("Account", "PlayEvent")
    monkeypatch.setenv("C360_KEEP_EXTRACTS", "1")
    assert load_graph().success
    with project.connect("profiles_db") as connection:
        connection.execute("UPDATE accounts SET full_name = 'Y' WHERE email LIKE 'john.smith%'")
    assert changes(reconcile()) == NOTHING | {"nodes_updated": 1}
    assert graph.rows("MATCH (a:Account {full_name: 'Y'}) RETURN count(a) AS n")[0]["n"] == 1
