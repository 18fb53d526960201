"""Relationships of rows that change while the sources are followed: always those that SQL's join gives."""

from __future__ import annotations

import pytest

from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.following.followed import following

ACCOUNT = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-000000000002"
THIRD = "00000000-0000-4000-8000-000000000003"
EVENT = 9_000_001


def edges(graph: Graph, text: str) -> list[tuple[object, ...]]:
    return sorted(tuple(row.values()) for row in graph.rows(f"MATCH {text}"))


def watched(graph: Graph) -> list[tuple[object, ...]]:
    return edges(
        graph,
        "(a:Account)-[:WATCHED]->(e:PlayEvent) WHERE e.event_id = 9000001"
        " RETURN a.account_id AS a, e.event_id AS e",
    )


def test_relationships_are_made_moved_and_removed_from_either_end(
    followed: Project, target: Graph
) -> None:
    followed.map_only("Account", "PlayEvent")
    with (
        following() as running,
        followed.connect("profiles_db") as profiles,
        followed.connect("streaming_db") as streaming,
    ):
        running.await_following()
        streaming.execute(
            "INSERT INTO play_events VALUES (%s, 's', %s, NULL, now(), 'play')", (EVENT, ACCOUNT)
        )
        running.wait(lambda: edges(target, f"(e:PlayEvent {{event_id: {EVENT}}}) RETURN 1"))
        assert watched(target) == []
        # The late account finds the event that waited for it.
        profiles.execute(
            "INSERT INTO accounts VALUES (%s, 'a@example.org', 'x', 'A', now()), (%s, 'b@example.org', 'x', 'B', now())",
            (ACCOUNT, OTHER),
        )
        running.wait(lambda: watched(target) == [(ACCOUNT, EVENT)])
        streaming.execute(
            "UPDATE play_events SET account_id_from_token = %s WHERE event_id = %s", (OTHER, EVENT)
        )
        running.wait(lambda: watched(target) == [(OTHER, EVENT)])
        streaming.execute(
            "UPDATE play_events SET account_id_from_token = NULL WHERE event_id = %s", (EVENT,)
        )
        running.wait(lambda: watched(target) == [])
        streaming.execute(
            "UPDATE play_events SET account_id_from_token = %s WHERE event_id = %s", (OTHER, EVENT)
        )
        running.wait(lambda: watched(target) == [(OTHER, EVENT)])
        # A key that changes is another node, and the event is nobody's.
        profiles.execute(
            "UPDATE accounts SET account_id = %s WHERE account_id = %s", (THIRD, OTHER)
        )
        running.wait(lambda: watched(target) == [])
        profiles.execute(
            "UPDATE accounts SET account_id = %s WHERE account_id = %s", (OTHER, THIRD)
        )
        running.wait(lambda: watched(target) == [(OTHER, EVENT)])
        streaming.execute("DELETE FROM play_events WHERE event_id = %s", (EVENT,))
        running.wait(lambda: watched(target) == [])


def tags(graph: Graph) -> list[tuple[object, ...]]:
    return edges(
        graph,
        "(t:Ticket)-[:TAGGED_WITH]->(g:Tag) WHERE t.ticket_id STARTS WITH 'new'"
        " RETURN t.ticket_id AS t, g.tag_name AS g",
    )


WITHOUT_LABEL = (
    "DELETE FROM node_label_mappings WHERE table_name = 'ticket_tag_link';"
    " UPDATE relationship_mappings SET junction_label = NULL WHERE relationship_type = 'TAGGED_WITH'"
)


@pytest.mark.parametrize("has_label", [True, False], ids=["with a label", "without a label"])
def test_relationships_through_a_junction_follow_its_rows_and_both_ends(
    followed: Project, target: Graph, *, has_label: bool
) -> None:
    followed.map_only("Tag", "Ticket", "TicketTagLink")
    if not has_label:
        followed.execute(WITHOUT_LABEL)
    drop = "ALTER TABLE ticket_tag_link DROP CONSTRAINT ticket_tag_link_ticket_id_fkey"
    with followed.connect("support_db") as support:
        support.execute(drop)
    with followed.connect("support_db") as support, following() as running:
        running.await_following()
        with support.transaction():
            support.execute("INSERT INTO ticket_tags VALUES (901, 'one'), (902, 'two')")
            support.execute("INSERT INTO ticket_tag_link VALUES ('new-1', 901)")
        running.wait(lambda: edges(target, "(g:Tag {tag_id: 902}) RETURN 1"))
        assert tags(target) == []
        support.execute(
            "INSERT INTO tickets VALUES ('new-1', NULL, NULL, 's', 'open', now(), NULL)"
        )
        running.wait(lambda: tags(target) == [("new-1", "one")])
        support.execute("UPDATE ticket_tag_link SET tag_id = 902 WHERE ticket_id = 'new-1'")
        running.wait(lambda: tags(target) == [("new-1", "two")])
        support.execute("INSERT INTO ticket_tag_link VALUES ('new-1', 901)")
        running.wait(lambda: tags(target) == [("new-1", "one"), ("new-1", "two")])
        support.execute("DELETE FROM ticket_tag_link WHERE tag_id = 902 AND ticket_id = 'new-1'")
        running.wait(lambda: tags(target) == [("new-1", "one")])
        support.execute("UPDATE tickets SET ticket_id = 'new-2' WHERE ticket_id = 'new-1'")
        running.wait(lambda: tags(target) == [])
        support.execute("UPDATE tickets SET ticket_id = 'new-1' WHERE ticket_id = 'new-2'")
        running.wait(lambda: tags(target) == [("new-1", "one")])
        support.execute("TRUNCATE ticket_tag_link")
        running.wait(lambda: tags(target) == [])
        if not has_label:
            assert not any("Not followed" in line for line in running.said)
