"""Small tables of one source that share a step: each is an asset, an audit row and a failure of its own."""

from __future__ import annotations

import dagster as dg
import pytest

from c360_graph.assets import step_policy
from c360_graph.dagster_failures import failures_of
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import c360, hold_back_plans, load_graph, source_behind_proxy
from c360_graph_tests.integration.test_pipeline import nodes_of

ACCOUNTS_AND_PLANS, OTHERS = "profiles_db__tables__1", "profiles_db__tables__2"
LABELS = ("Account", "Plan", "PaymentMethod", "Subscription")
TABLES = ("accounts", "plans", "payment_methods", "subscriptions")


@pytest.fixture(autouse=True)
def _three_in_a_step(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The four tables of profiles_db are then read by two steps."""
    monkeypatch.setenv("C360_TABLES_IN_A_STEP", "3")


def _made(result: dg.ExecuteInProcessResult) -> list[tuple[str, str]]:
    """The step and the table of each materialization of a table."""
    return [
        (event.step_key or "", event.asset_key.path[-1])
        for event in result.all_events
        if event.is_step_materialization and event.asset_key and len(event.asset_key.path) > 1
    ]


def _failed(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    found: dict[str, str] = {}
    for event in result.all_events:
        if event.is_step_failure:
            found |= failures_of(event)
    return found


def _audited(project: Project) -> list[tuple[str, str]]:
    """Table and status of each audit row of the last run."""
    with project.connect() as connection:
        return connection.execute(
            "SELECT table_name, status FROM etl_table_logs WHERE log_id ="
            " (SELECT max(log_id) FROM etl_run_logs) ORDER BY table_log_id"
        ).fetchall()


def test_one_table_that_cannot_be_read_fails_alone_and_stops_what_is_behind_as_ever(
    project: Project, graph: Graph
) -> None:
    project.map_only(*LABELS)
    hold_back_plans(project, is_active=True)
    first = load_graph()
    # Nobody has ever read it: everything else is loaded.
    assert not first.success
    assert list(_failed(first)) == ["profiles_db/plans"]
    assert _made(first) == [
        (ACCOUNTS_AND_PLANS, "accounts"),
        (OTHERS, "payment_methods"),
        (OTHERS, "subscriptions"),
    ]
    assert ("plans", "failed") in _audited(project)
    assert graph_counts(graph)[0] == nodes_of("Account", "PaymentMethod", "Subscription")

    hold_back_plans(project, is_active=False)
    second = load_graph()
    assert second.success
    assert sorted(table for _, table in _made(second)) == sorted(
        table for table, _ in _audited(project)
    )
    assert {status for _, status in _audited(project)} == {"completed"}
    assert graph_counts(graph)[0] == nodes_of(*LABELS)

    hold_back_plans(project, is_active=True)
    third = load_graph()
    # It has an extract now, so that the graph would lose something.
    failed = _failed(third)
    assert list(failed) == ["profiles_db/plans"]
    assert "field_exclusion_rules row 900" in failed["profiles_db/plans"]
    assert (ACCOUNTS_AND_PLANS, "accounts") in _made(third)
    assert not third.asset_materializations_for_node("cypher_script")
    assert graph_counts(graph)[0] == nodes_of(*LABELS)
    done = c360("run", "plans")
    assert done.returncode == 1
    assert "FAIL profiles_db/plans  profiles_db/plans is not read" in done.stdout
    assert "accounts" not in done.stdout


def test_a_table_that_is_selected_is_read_alone_and_the_script_is_written_from_all(
    project: Project,
) -> None:
    project.map_only(*LABELS)
    from c360_graph.definitions import defs

    job = defs().resolve_implicit_global_asset_job_def()
    tables = [dg.AssetKey(["profiles_db", name]) for name in TABLES]
    assert len(_made(job.execute_in_process(asset_selection=tables))) == len(TABLES)
    plans = dg.AssetKey(["profiles_db", "plans"])
    one = job.execute_in_process(asset_selection=[plans, dg.AssetKey("cypher_script")])
    assert _made(one) == [(ACCOUNTS_AND_PLANS, "plans")]
    assert _audited(project) == [("plans", "completed")]
    (script,) = one.asset_materializations_for_node("cypher_script")
    assert script.metadata["rows"].value == sum(nodes_of(*LABELS).values())


def test_what_was_read_before_the_source_was_lost_is_not_read_again_at_the_next_try(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_policy, "SECONDS_BEFORE_A_RETRY", 0.1)
    monkeypatch.setenv("C360_RETRIES", "1")
    from c360_graph.definitions import defs

    with source_behind_proxy(project, "profiles_db", monkeypatch) as proxy:
        job = defs().resolve_implicit_global_asset_job_def()
        proxy.fail_once(b"COPY ")
        result = job.execute_in_process(
            asset_selection=[
                dg.AssetKey(["profiles_db", "accounts"]),
                dg.AssetKey(["profiles_db", "plans"]),
            ],
            raise_on_error=False,
        )
        assert proxy.failed == 1
    assert result.success
    assert _audited(project) == [
        ("accounts", "failed"),
        ("plans", "completed"),
        ("accounts", "completed"),
    ]
    assert _made(result) == [(ACCOUNTS_AND_PLANS, "plans"), (ACCOUNTS_AND_PLANS, "accounts")]
