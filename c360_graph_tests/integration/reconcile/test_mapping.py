"""`clear_database: false` after the mapping changed, by a control row or in a source's schema."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from c360_graph.graph import execution, sessions
from c360_graph.graph.connection import Graph, Tag
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.reconcile.reconciled import (
    NOTHING,
    changes,
    contents,
    reconcile,
)
from c360_graph_tests.integration.runs import load_graph
from c360_graph_tests.integration.test_pipeline import nodes_of


def test_a_new_exclusion_purges_the_property_from_the_graph(project: Project, graph: Graph) -> None:
    project.map_only("Account")
    assert load_graph().success
    assert graph.rows("MATCH (a:Account) WHERE a.full_name IS NOT NULL RETURN count(a) AS n")[0][
        "n"
    ]
    project.execute(
        "INSERT INTO field_exclusion_rules (source_id, table_name, column_name, reason)"
        " SELECT source_id, 'accounts', 'full_name', 'PII' FROM source_databases"
        " WHERE source_name = 'profiles_db'",
    )
    result = reconcile()
    assert changes(result)["properties_purged"] == 1
    found = graph.rows("MATCH (a:Account) WHERE a.full_name IS NOT NULL RETURN count(a) AS n")
    assert found[0]["n"] == 0


def test_what_a_removed_mapping_left_behind_is_removed_and_comes_back_with_it(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "Media", "PlayEvent", "Ticket")
    assert load_graph().success
    before = contents(graph)
    project.execute("UPDATE node_label_mappings SET is_active = false WHERE node_label = 'Media'")
    project.execute(
        "UPDATE relationship_mappings SET is_active = false WHERE relationship_type = 'SUBMITTED'",
    )
    assert reconcile().success
    nodes, relationships = graph_counts(graph)
    assert nodes == nodes_of("Account", "PlayEvent", "Ticket")
    assert "PLAYED" not in relationships
    assert "SUBMITTED" not in relationships
    project.execute("UPDATE node_label_mappings SET is_active = true WHERE node_label = 'Media'")
    project.execute("UPDATE relationship_mappings SET is_active = true")
    assert reconcile().success
    assert contents(graph) == before


def test_relationships_of_a_new_mapping_are_made_by_as_many_sessions_as_in_a_first_load(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "JOIN_BATCH_ROWS", 0)
    project.map_only("Account", "PlayEvent")
    mapped = "UPDATE relationship_mappings SET is_active = {} WHERE relationship_type = 'WATCHED'"
    project.execute(mapped.format("false"))
    assert load_graph().success
    project.execute(mapped.format("true"))
    shares: list[int] = []

    def spy(graph: Graph, texts: Sequence[bytes], *, tag: Tag) -> int:
        shares.append(len(texts))
        return sessions.make_relationships(graph, texts, tag=tag)

    monkeypatch.setattr(execution, "make_relationships", spy)
    assert changes(reconcile())["relationships_created"] == 373
    assert shares == [2]
    assert graph_counts(graph)[1] == {"WATCHED": 373}
    assert changes(reconcile()) == NOTHING


def test_a_row_that_was_refused_takes_nothing_away(project: Project, graph: Graph) -> None:
    project.map_only("Media", "PlayEvent")
    assert load_graph().success
    with project.connect("streaming_db") as connection:
        connection.execute("ALTER TABLE media_content RENAME TO media_moved")
    assert reconcile().success
    assert graph_counts(graph)[0] == nodes_of("Media", "PlayEvent")
    assert _keys_of(graph, "Media") == [["media_id"]]
    with project.connect("streaming_db") as connection:
        connection.execute("ALTER TABLE media_moved RENAME TO media_content")
    made = changes(reconcile())
    assert (made["nodes_created"], made["nodes_deleted"]) == (0, 0)
    assert graph_counts(graph)[0] == nodes_of("Media", "PlayEvent")


def test_a_table_without_key_is_replaced_only_when_it_changed(
    project: Project, graph: Graph
) -> None:
    project.map_only("Tag", "Ticket", "TicketTagLink")
    with project.connect("support_db") as connection:
        connection.execute("ALTER TABLE ticket_tag_link DROP CONSTRAINT ticket_tag_link_pkey")
    assert load_graph().success
    assert reconcile().success
    assert changes(reconcile()) == NOTHING
    with project.connect("support_db") as connection:
        connection.execute(
            "DELETE FROM ticket_tag_link WHERE ctid = (SELECT min(ctid) FROM ticket_tag_link)"
        )
    changed = changes(reconcile())
    assert (changed["nodes_created"], changed["nodes_deleted"]) == (33, 34)
    assert graph_counts(graph)[1]["TAGGED_WITH"] == 33


def test_a_changed_key_makes_the_label_anew(project: Project, graph: Graph) -> None:
    project.map_only("Tag", "Ticket", "TicketTagLink")
    assert load_graph().success
    with project.connect("support_db") as connection:
        connection.execute("ALTER TABLE ticket_tag_link DROP CONSTRAINT ticket_tag_link_pkey")
        connection.execute(
            "ALTER TABLE ticket_tag_link ADD COLUMN link_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
        )
    assert reconcile().success
    assert graph_counts(graph)[0] == nodes_of("Tag", "Ticket", "TicketTagLink")
    assert _keys_of(graph, "TicketTagLink") == [["link_id"]]


def test_a_label_of_two_tables_with_keys_of_their_own_keeps_and_regains_both_constraints(
    project: Project, graph: Graph
) -> None:
    project.map_only("Plan")
    with project.connect("support_db") as connection:
        connection.execute("CREATE TABLE bots AS SELECT 1 AS bot_id, 'b' AS name")
        connection.execute("ALTER TABLE bots ADD PRIMARY KEY (bot_id)")
        connection.execute("CREATE TABLE agents AS SELECT 'x' AS agent_code, 'a' AS name")
        connection.execute("ALTER TABLE agents ADD PRIMARY KEY (agent_code)")
    project.execute(
        "INSERT INTO node_label_mappings (source_id, table_name, node_label)"
        " SELECT source_id, unnest(ARRAY['agents', 'bots']), 'Responder' FROM source_databases"
        " WHERE source_name = 'support_db'",
    )
    assert load_graph().success
    keys = [["_c360_table", "agent_code"], ["_c360_table", "bot_id"]]
    assert _keys_of(graph, "Responder") == keys
    assert changes(reconcile()) == NOTHING
    assert _keys_of(graph, "Responder") == keys
    for row in graph.rows("SHOW CONSTRAINTS YIELD name RETURN name"):
        graph.run(f"DROP CONSTRAINT `{row['name']}`".encode(), tag={})
    assert changes(reconcile()) == NOTHING
    assert _keys_of(graph, "Responder") == keys
    assert _keys_of(graph, "Plan") == [["plan_id"]]


def _keys_of(graph: Graph, label: str) -> list[list[str]]:
    rows = graph.rows(
        "SHOW CONSTRAINTS YIELD labelsOrTypes, properties WHERE labelsOrTypes = [$label]"
        " RETURN properties",
        label=label,
    )
    return sorted(row["properties"] for row in rows)
