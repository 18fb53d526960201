"""Rows that the graph cannot hold: left out, counted and named, and everything else is loaded."""

from __future__ import annotations

import dagster as dg
import pytest

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import load_graph, materialize_by_command
from c360_graph_tests.integration.test_pipeline import NODES, nodes_of

RECONCILE = {"ops": {"neo4j_graph": {"config": {"clear_database": False}}}}


LABELS = ("Account", "Plan", "Subscription")


@pytest.fixture
def long_keys(project: Project) -> Project:
    """Two plans of one key too long, with a subscription to one of them; names of mail addresses too."""
    with project.connect("profiles_db") as connection:
        connection.execute(
            "ALTER TABLE subscriptions DROP CONSTRAINT subscriptions_plan_id_fkey;"
            "ALTER TABLE plans ALTER plan_id TYPE text; ALTER TABLE subscriptions ALTER plan_id TYPE text;"
            "CREATE TEMP TABLE one AS SELECT * FROM plans LIMIT 1;"
            "UPDATE one SET plan_name = 'Long', plan_id = repeat('p', 9000); INSERT INTO plans SELECT * FROM one;"
            "UPDATE one SET plan_name = 'Longer', plan_id = repeat('q', 9000); INSERT INTO plans SELECT * FROM one;"
            "UPDATE subscriptions SET plan_id = repeat('p', 9000)"
            " WHERE subscription_id = (SELECT subscription_id FROM subscriptions LIMIT 1)"
        )
    project.map_only(*LABELS)
    return project


def _check(result: dg.ExecuteInProcessResult, name: str) -> dg.AssetCheckEvaluation:
    (found,) = [e for e in result.get_asset_check_evaluations() if e.check_name == name]
    return found


@pytest.mark.parametrize("config", [{}, RECONCILE], ids=["clear", "reconcile"])
def test_a_row_whose_key_is_too_long_is_left_out_named_and_missed_by_no_count(
    long_keys: Project, graph: Graph, config: dict[str, object]
) -> None:
    result = load_graph(run_config=config)
    assert result.success
    assert graph_counts(graph)[0] == nodes_of(*LABELS)
    left_out = _check(result, "no_row_is_left_out")
    assert not left_out.passed
    assert left_out.severity is dg.AssetCheckSeverity.WARN
    said = str(left_out.description)
    assert said.startswith(
        "profiles_db/plans: 2 rows left out: 2 with a key or a joined value of over 8,000 bytes"
    )
    assert f"plan_id = '{'p' * 60}'" in said
    assert "p" * 61 not in said
    for check in ("node_counts_match", "relationship_counts_match"):
        assert _check(result, check).passed
    assert not _check(result, "no_row_is_an_orphan").passed
    with long_keys.connect() as connection:
        ((status, rows, error),) = connection.execute(
            "SELECT status, rows_processed, error_message FROM etl_table_logs WHERE table_name = 'plans'"
        ).fetchall()
    assert (status, rows) == ("completed", NODES["Plan"])
    assert error.startswith("2 rows left out: ")
    (plans,) = result.asset_materializations_for_node("profiles_db__plans")
    assert plans.metadata["rows_left_out"].value == 2
    assert str(plans.metadata["left_out"].value) == error


def test_rows_left_out_fail_a_run_that_warnings_are_to_fail_and_name_no_key_where_none_may_stay(
    long_keys: Project, graph: Graph
) -> None:
    run = materialize_by_command(
        select="*neo4j_graph", C360_FAIL_ON="warning", C360_PREVIEW_ROWS="0"
    )
    assert run.returncode != 0
    assert "no_row_is_left_out failed: profiles_db/plans: 2 rows left out" in run.stderr
    assert "pppp" not in run.stderr + run.stdout
    assert graph_counts(graph)[0] == nodes_of(*LABELS)


def test_a_row_that_is_joined_by_a_text_longer_than_an_index_takes_is_left_out(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "Ticket")
    with project.connect("profiles_db") as connection:
        connection.execute(
            "ALTER TABLE accounts DROP CONSTRAINT accounts_email_key;"
            "INSERT INTO accounts SELECT gen_random_uuid(), repeat('m', 9000), hashed_password, full_name, created_at"
            " FROM accounts LIMIT 1"
        )
    project.execute(
        "INSERT INTO relationship_mappings (relationship_type, from_label, to_label, join_condition)"
        " VALUES ('SENT_AS', 'Account', 'Ticket', 'a.email = t.subject')"
    )
    result = load_graph()
    assert result.success
    assert graph_counts(graph)[0] == nodes_of("Account", "Ticket")
    said = str(_check(result, "no_row_is_left_out").description)
    assert "profiles_db/accounts: 1 row left out" in said
    assert "1 with a key or a joined value of over 8,000 bytes, such as account_id = '" in said
    assert _check(result, "relationship_counts_match").passed
