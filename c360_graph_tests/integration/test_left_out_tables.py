"""A table that was never read: it fails, all others are loaded, and nothing that a graph has is lost by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import (
    failure_messages,
    load_graph,
    materialize_by_command,
)
from c360_graph_tests.integration.test_faults import DOWN
from c360_graph_tests.integration.test_pipeline import NODES, nodes_of

RUNNER = CliRunner()
RECONCILE: dict[str, object] = {"ops": {"neo4j_graph": {"config": {"clear_database": False}}}}
WAYS = pytest.mark.parametrize("config", [{}, RECONCILE], ids=["clear", "reconcile"])
WITHOUT_PLANS = {label: count for label, count in NODES.items() if label != "Plan"}


def _break_plans(project: Project) -> None:
    """A view in place of the table, which no query can read."""
    with project.connect("profiles_db") as connection:
        connection.execute(
            "ALTER TABLE plans RENAME TO kept_plans;"
            "CREATE VIEW plans AS SELECT plan_id / (plan_id - plan_id) AS plan_id, plan_name FROM kept_plans"
        )


def _mend_plans(project: Project) -> None:
    with project.connect("profiles_db") as connection:
        connection.execute("DROP VIEW plans; ALTER TABLE kept_plans RENAME TO plans")


def _check(result: dg.ExecuteInProcessResult, name: str) -> dg.AssetCheckEvaluation:
    (found,) = [e for e in result.get_asset_check_evaluations() if e.check_name == name]
    return found


def test_a_table_that_cannot_be_read_at_the_first_load_fails_and_everything_else_is_loaded(
    project: Project, graph: Graph
) -> None:
    project.map_only("Media", "Plan", "PlayEvent", "Subscription")
    _break_plans(project)
    for config in (RECONCILE, {}):
        result = load_graph(run_config=config)
        assert not result.success
        assert set(failure_messages(result)) == {"profiles_db__plans"}
        nodes, relationships = graph_counts(graph)
        assert nodes == nodes_of("Media", "PlayEvent", "Subscription")
        assert "PLAYED" in relationships
        assert "SUBSCRIBED_TO" not in relationships
        check = _check(result, "every_table_was_read")
        assert not check.passed
        assert check.severity is dg.AssetCheckSeverity.ERROR
        assert "profiles_db/plans is left out of the graph" in str(check.description)
        assert "division by zero" in str(check.description) or "22012" in str(check.description)
        for name in ("node_counts_match", "relationship_counts_match", "control_rows_are_valid"):
            assert _check(result, name).passed
        (script,) = result.asset_materializations_for_node("cypher_script")
        assert "profiles_db/plans could not be read" in str(
            script.metadata["tables_left_out"].value
        )
        assert not result.asset_materializations_for_node("profiles_db__plans")

    _mend_plans(project)
    assert load_graph(run_config=RECONCILE).success
    assert graph_counts(graph)[0] == nodes_of("Media", "Plan", "PlayEvent", "Subscription")


def test_questions_that_need_what_is_left_out_are_skipped_with_the_reason(
    project: Project, graph: Graph
) -> None:
    _break_plans(project)
    run = materialize_by_command(C360_EXECUTOR="multiprocess")
    assert run.returncode != 0
    assert "profiles_db__plans failed: " in run.stderr
    assert "every_table_was_read failed: " in run.stderr
    with project.connect() as connection:
        ((status, error),) = connection.execute(
            "SELECT status, error_message FROM etl_run_logs"
        ).fetchall()
    assert status == "failed"
    assert "profiles_db__plans" in error
    assert graph_counts(graph)[0] == WITHOUT_PLANS
    report = Path(project.data_dir / "reports" / "latest.html").read_text(encoding="utf-8")
    assert "This report is incomplete" in report
    assert "profiles_db/plans could not be read" in report
    asked = RUNNER.invoke(app, ["ask", "--as-of", "2025-11-03", "--json"])
    assert asked.exit_code == 1
    replies = {reply["name"]: reply for reply in json.loads(asked.stdout)}
    assert "profiles_db/plans could not be read" in replies["revenue_by_plan"]["skipped"][0]
    assert replies["fraud_ring"]["rows"]


def test_a_source_that_is_down_at_the_first_load_leaves_out_its_tables_alone(
    project: Project, graph: Graph
) -> None:
    project.map_only("Plan", "Tag", "Ticket", "TicketTagLink")
    project.execute(DOWN)
    result = load_graph()
    assert set(failure_messages(result)) == {
        "support_db__tickets",
        "support_db__ticket_tags",
        "support_db__ticket_tag_link",
    }
    assert graph_counts(graph)[0] == nodes_of("Plan")
    said = str(_check(result, "every_table_was_read").description)
    assert said.count("is left out of the graph") == 3
    assert "cannot be reached" in said
    assert "hunter2" not in said


def test_a_run_in_which_no_table_can_be_read_makes_no_graph(project: Project, graph: Graph) -> None:
    project.map_only("Plan", "Ticket")
    project.execute("UPDATE source_databases SET db_host = '127.0.0.1', db_port = 1")
    result = load_graph()
    messages = failure_messages(result)
    assert "No mapped table could be read" in messages["cypher_script"]
    assert "neo4j_graph" not in messages
    assert graph_counts(graph)[0] == {}


@WAYS
def test_a_graph_keeps_what_it_has_of_a_table_that_is_left_out(
    project: Project, graph: Graph, config: dict[str, object]
) -> None:
    project.map_only("Media", "Plan")
    assert load_graph().success
    before = graph_counts(graph)
    _break_plans(project)
    shutil.rmtree(project.data_dir / "extracts" / "profiles_db" / "plans")
    messages = failure_messages(load_graph(run_config=config))
    assert set(messages) == {"profiles_db__plans", "neo4j_graph"}
    assert messages["neo4j_graph"].startswith(
        "profiles_db/plans could not be read, no extract of it is kept, and the graph has its Plan nodes"
    )
    assert graph_counts(graph) == before

    project.execute("UPDATE node_label_mappings SET is_active = false WHERE node_label = 'Plan'")
    assert load_graph(run_config=config).success
    assert graph_counts(graph)[0] == nodes_of("Media")


def test_a_script_that_lacks_a_table_is_loaded_into_an_empty_graph_and_over_none_that_has_it(
    project: Project, graph: Graph
) -> None:
    project.map_only("Media", "Plan")
    _break_plans(project)
    load_graph()
    (script,) = (project.data_dir / "scripts").iterdir()
    _mend_plans(project)
    assert load_graph().success
    refused = RUNNER.invoke(app, ["load", str(script), "--clear"])
    assert refused.exit_code == 1
    assert "profiles_db/plans could not be read" in refused.stderr
    assert graph_counts(graph)[0] == nodes_of("Media", "Plan")
    graph.run(b"MATCH (n) DETACH DELETE n", tag={})
    loaded = RUNNER.invoke(app, ["load", str(script)])
    assert loaded.exit_code == 0, loaded.output
    assert "Left out, since they could not be read: profiles_db/plans." in loaded.stderr
    assert graph_counts(graph)[0] == nodes_of("Media")


def test_a_table_that_nobody_has_tried_to_read_is_asked_for_and_not_left_out(
    project: Project, graph: Graph
) -> None:
    project.map_only("Media", "Plan")
    _break_plans(project)
    one = materialize_by_command(select="profiles_db/plans")
    assert one.returncode != 0
    script = materialize_by_command(select="cypher_script")
    assert script.returncode != 0
    assert "has not been extracted yet. Materialize that asset first." in script.stderr
