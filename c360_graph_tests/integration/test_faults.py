"""Bad input and faults: a clear error that names the place, and nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph.pipeline.read_mapping import read_mapping_state
from c360_graph.settings import Settings
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import (
    failure_messages,
    load_graph,
    materialize_by_command,
)
from c360_graph_tests.integration.test_pipeline import nodes_of

DOWN = (
    "UPDATE source_databases SET db_host = '127.0.0.1', db_port = 1, db_user = 'nobody',"
    " db_password = 'hunter2-secret' WHERE source_name = 'support_db'"
)


def test_an_unreachable_source_fails_its_tables_and_leaves_script_and_graph_as_they_were(
    project: Project, graph: Graph
) -> None:
    project.map_only("Plan", "Tag", "Ticket", "TicketTagLink")
    assert load_graph().success
    before = _scripts(project)
    project.execute(DOWN)
    result = load_graph()
    assert not result.success
    messages = failure_messages(result)
    assert set(messages) == {
        "support_db__tickets",
        "support_db__ticket_tags",
        "support_db__ticket_tag_link",
    }
    for message in messages.values():
        assert "support_db" in message
        assert "source_databases row" in message
        assert "hunter2" not in message
    assert _scripts(project) == before
    assert graph_counts(graph)[0] == nodes_of("Plan", "Tag", "Ticket", "TicketTagLink")
    with project.connect() as connection:
        failed = connection.execute(
            "SELECT table_name, error_message FROM etl_table_logs WHERE status = 'failed' ORDER BY 1"
        ).fetchall()
    assert [name for name, _ in failed] == ["ticket_tag_link", "ticket_tags", "tickets"]
    assert all("support_db" in why and "hunter2" not in why for _, why in failed)


def test_the_command_ends_with_which_asset_failed_and_why_and_a_status_that_says_so(
    project: Project, graph: Graph
) -> None:
    project.map_only("Ticket")
    assert load_graph().success
    project.execute(DOWN)
    done = materialize_by_command(select="support_db/tickets")
    assert done.returncode != 0
    last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-4:])
    assert "support_db__tickets failed: source support_db" in last
    assert "cannot be reached" in last
    assert "hunter2" not in done.stdout + done.stderr


def test_a_wrong_password_is_never_shown(project: Project, graph: Graph) -> None:
    project.map_only("Plan")
    project.execute(
        f"UPDATE source_databases SET db_host = '{project.servers.postgres.host}',"
        f" db_port = {project.servers.postgres.port}, db_user = '{project.servers.postgres.user}',"
        " db_password = 'env:C360_TEST_WRONG' WHERE source_name = 'profiles_db'",
    )
    done = materialize_by_command(select="*neo4j_graph", C360_TEST_WRONG="hunter2-wrong")
    assert done.returncode != 0
    assert "password authentication failed" in done.stderr + done.stdout
    assert "hunter2" not in done.stderr + done.stdout
    with project.connect() as connection:
        told = connection.execute(
            "SELECT string_agg(error_message, ' ') FROM etl_table_logs"
        ).fetchone()
    assert told is not None
    assert "hunter2" not in told[0]


def test_a_password_variable_that_is_not_set_is_named(project: Project, graph: Graph) -> None:
    project.map_only("Plan")
    project.execute(
        "UPDATE source_databases SET db_password = 'env:C360_NOT_SET' WHERE source_name = 'profiles_db'",
    )
    messages = failure_messages(load_graph())
    assert "C360_NOT_SET" in messages["profiles_db__plans"]


def test_a_mapping_to_a_table_that_is_not_there_is_refused_by_its_row(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "Plan")
    project.execute(
        "INSERT INTO node_label_mappings (mapping_id, source_id, table_name, node_label)"
        " SELECT 900, source_id, 'no_such_table', 'Ghost' FROM source_databases"
        " WHERE source_name = 'profiles_db'",
    )
    project.execute(
        "INSERT INTO relationship_mappings (relationship_id, relationship_type, from_label, to_label,"
        " join_condition) VALUES (901, 'OWNS', 'Account', 'Plan', 'a.no_such_column = p.plan_id')",
    )
    result = load_graph()
    assert result.success
    assert graph_counts(graph)[0] == nodes_of("Account", "Plan")
    (check,) = [
        e for e in result.get_asset_check_evaluations() if e.check_name == "control_rows_are_valid"
    ]
    assert not check.passed
    assert "node_label_mappings row 900" in str(check.description)
    assert "no_such_table" in str(check.description)
    assert "relationship_mappings row 901" in str(check.description)
    assert "no_such_column" in str(check.description)


def test_strict_turns_a_refused_row_into_an_error(project: Project, graph: Graph) -> None:
    project.execute(
        "INSERT INTO node_label_mappings (mapping_id, source_id, table_name, node_label)"
        " SELECT 900, source_id, 'no_such_table', 'Ghost' FROM source_databases"
        " WHERE source_name = 'profiles_db'",
    )
    done = materialize_by_command(C360_STRICT="1")
    assert done.returncode != 0
    assert "node_label_mappings row 900" in done.stderr + done.stdout


def test_a_table_that_vanished_after_the_definitions_were_loaded_fails_by_name(
    project: Project, graph: Graph
) -> None:
    project.map_only("Media")
    from c360_graph.definitions import defs

    job = defs().resolve_implicit_global_asset_job_def()
    with project.connect("streaming_db") as connection:
        connection.execute("ALTER TABLE media_content RENAME TO media_moved")
    result = job.execute_in_process(raise_on_error=False)
    message = failure_messages(result)["streaming_db__media_content"]
    assert "media_content" in message
    assert "node_label_mappings row" in message


def test_an_empty_table_gives_no_nodes_and_no_error(project: Project, graph: Graph) -> None:
    project.map_only("Account", "Tag", "Ticket", "TicketTagLink")
    with project.connect("support_db") as connection:
        connection.execute("TRUNCATE ticket_tag_link, ticket_tags, tickets")
    assert load_graph().success
    nodes, relationships = graph_counts(graph)
    assert nodes == nodes_of("Account")
    assert "SUBMITTED" not in relationships


def test_a_load_that_fails_half_way_says_where_and_running_again_repairs(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "PlayEvent")
    # Another client's constraint, which the sample's titles break.
    graph.run(b"CREATE CONSTRAINT other FOR (n:PlayEvent) REQUIRE n.session_id IS UNIQUE", tag={})
    message = failure_messages(load_graph())["neo4j_graph"]
    assert "streaming_db/play_events" in message
    assert "Statement " in message
    assert "The load came to" in message
    assert "nodes" in message
    graph.run(b"DROP CONSTRAINT other", tag={})
    assert load_graph().success
    assert graph_counts(graph)[0] == nodes_of("Account", "PlayEvent")


def test_with_the_control_database_down_the_last_good_snapshot_is_used_and_said_loudly(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        read_mapping_state(project.control, Settings(c360_data_dir=project.data_dir)).warnings == ()
    )
    monkeypatch.setenv("ETL_DB_PORT", "1")
    from c360_graph.definitions import defs

    keys = {key.to_user_string() for key in defs().resolve_all_asset_keys()}
    assert "profiles_db/accounts" in keys
    monkeypatch.setenv("C360_STRICT", "1")
    with pytest.raises(Exception, match="C360_STRICT"):
        defs()


def test_a_wrong_neo4j_password_is_not_shown(project: Project, graph: Graph) -> None:
    project.map_only("Plan")
    done = materialize_by_command(select="*neo4j_graph", NEO4J_PASSWORD="hunter2-neo")
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert "neo4j_graph failed: Neo4j at" in told
    assert "Unauthorized" in told
    assert "hunter2" not in told


def _scripts(project: Project) -> list[tuple[Path, bytes]]:
    folder = project.data_dir / "scripts"
    return [(path, path.read_bytes()) for path in sorted(folder.iterdir())]
