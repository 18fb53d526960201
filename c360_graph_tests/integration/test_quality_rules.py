"""Rows of quality_rules as asset checks: what they find, and what a run does then."""

from __future__ import annotations

import dagster as dg
import pytest

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import load_graph

INSERT = (
    "INSERT INTO quality_rules (rule_id, table_name, column_name, kind, argument, severity, is_blocking)"
    " VALUES {}"
)


def found(result: dg.ExecuteInProcessResult) -> dict[str, tuple[bool, str]]:
    return {
        check.check_name: (check.passed, str(check.description))
        for check in result.get_asset_check_evaluations()
        if "quality_rules" in str(check.description) or check.description == "It holds."
    }


@pytest.fixture(autouse=True)
def _few_labels(project: Project) -> None:
    project.execute(
        "UPDATE node_label_mappings SET is_active = false"
        " WHERE node_label NOT IN ('Account', 'Plan', 'Subscription')"
    )


def test_each_kind_counts_the_rows_that_break_it_and_an_error_fails_the_run(
    project: Project, graph: Graph
) -> None:
    with project.connect("profiles_db") as connection:
        (accounts,) = connection.execute("SELECT count(*) FROM accounts").fetchone() or (0,)
        (others,) = connection.execute(
            "SELECT count(*) FROM subscriptions WHERE status <> 'active'"
        ).fetchone() or (0,)
        (shared,) = connection.execute(
            "SELECT count(*) FROM subscriptions s WHERE EXISTS (SELECT FROM subscriptions o"
            " WHERE o.account_id = s.account_id AND o.subscription_id <> s.subscription_id)"
        ).fetchone() or (0,)
        assert min(accounts, others, shared) > 0
    project.execute(
        INSERT.format(
            "(1, 'accounts', 'email', 'not_null', NULL, 'error', false),"
            "(2, 'accounts', 'email', 'unique', NULL, 'error', false),"
            "(3, 'subscriptions', 'account_id', 'unique', NULL, 'warn', false),"
            "(4, 'subscriptions', 'status', 'accepted_values', '[\"active\"]', 'warn', false),"
            "(5, 'accounts', NULL, 'row_count', '1..10', 'error', false),"
            "(6, NULL, NULL, 'no_rows', 'MATCH (a:Account) WHERE a.email IS NULL RETURN a', 'error', false),"
            "(7, NULL, NULL, 'no_rows', 'MATCH (p:Plan) RETURN p.plan_id LIMIT 2', 'warn', false),"
            "(8, 'accounts', 'email', 'unique', NULL, 'error', false),"
            "(9, 'accounts', 'no_such', 'unique', NULL, 'error', false)"
        )
    )
    project.execute("UPDATE quality_rules SET is_active = false WHERE rule_id = 8")
    result = load_graph()
    (subscriptions,) = _rows(project)
    assert found(result) == {
        "not_null_email_1": (True, "It holds."),
        "unique_email_2": (True, "It holds."),
        "unique_account_id_3": (
            False,
            f"{shared} of {subscriptions} rows have a value of account_id that another row has."
            " (quality_rules row 3)",
        ),
        "accepted_values_status_4": (
            False,
            f"{others} of {subscriptions} rows have a value of status that is not accepted."
            " (quality_rules row 4)",
        ),
        "row_count_5": (False, f"{accounts} rows; allowed are 1..10. (quality_rules row 5)"),
        "no_rows_6": (True, "It holds."),
        "no_rows_7": (False, "The query returns 2 rows. (quality_rules row 7)"),
    } | {
        "control_rows_are_valid": found(result)["control_rows_are_valid"],
    }
    assert (
        "quality_rules row 9: profiles_db/accounts has no column 'no_such'"
        in (found(result)["control_rows_are_valid"][1])
    )
    assert graph_counts(graph)[0]["Account"] == accounts


def test_a_blocking_rule_keeps_the_graph_as_it_was(project: Project, graph: Graph) -> None:
    assert load_graph().success
    before = graph_counts(graph)
    with project.connect("profiles_db") as connection:
        connection.execute("DELETE FROM subscriptions; UPDATE accounts SET full_name = 'Other'")
    project.execute(INSERT.format("(1, 'subscriptions', NULL, 'row_count', '1..', 'error', true)"))
    result = load_graph()
    assert not result.success
    assert found(result)["row_count_1"][0] is False
    assert graph_counts(graph) == before
    project.execute("UPDATE quality_rules SET severity = 'warn'")
    assert load_graph().success
    assert "HAS_SUBSCRIPTION" not in graph_counts(graph)[1]


def _rows(project: Project) -> tuple[int]:
    with project.connect("profiles_db") as connection:
        (row,) = connection.execute("SELECT count(*) FROM subscriptions").fetchall()
    return (int(row[0]),)
