"""What checks and plan say of joins: which side refers, and what the source counts itself."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from c360_graph.checks.relationships import relationship_counts
from c360_graph.cli import app
from c360_graph.extract_joins.expected_relationships import Expectation
from c360_graph.graph.connection import Graph
from c360_graph.pipeline.source_counts import SourceCount
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import load_graph
from c360_graph_tests.integration.test_checks import check_only, evaluate
from c360_graph_tests.unit.mapping.given import Case, table

RUNNER = CliRunner()


def test_the_side_that_refers_has_the_orphans_and_a_source_that_changed_is_no_fault(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "PaymentMethod", "Subscription", "Ticket")
    project.execute(
        "UPDATE relationship_mappings SET relationship_type = 'FROM_EMAIL_OF', from_label = 'Ticket',"
        " to_label = 'Account', join_condition = 't.customer_email = a.email'"
        " WHERE relationship_type = 'SUBMITTED'"
    )
    checks = evaluate()
    with project.connect("profiles_db") as connection:
        emails = {row[0] for row in connection.execute("SELECT email FROM accounts")}
    with project.connect("support_db") as connection:
        asked = [row[0] for row in connection.execute("SELECT customer_email FROM tickets")]
    strangers = sum(email is not None and email not in emails for email in asked)
    said = str(checks["no_row_is_an_orphan"].description)
    assert (
        f"FROM_EMAIL_OF (relationship_mappings row 6): {strangers} references have no match" in said
    )
    assert "support_db/tickets " in said
    planned = json.loads(RUNNER.invoke(app, ["plan", "--json"]).stdout)["relationships"]
    (sample,) = [found["sample"] for found in planned if found["type"] == "FROM_EMAIL_OF"]
    present = sum(email is not None for email in asked)
    assert (sample["sampled"], sample["matched"]) == (present, present - strangers)

    counts = checks["relationship_counts_match"]
    assert counts.passed
    # Two joins are within one database each.
    facts = ("joins_counted_by_sources", "joins_changed_since")
    assert [counts.metadata[name].value for name in facts] == [2, 0]
    with project.connect("profiles_db") as connection:
        connection.execute("DELETE FROM payment_methods")
    changed = check_only("relationship_counts_match")["relationship_counts_match"]
    assert changed.passed
    assert [changed.metadata[name].value for name in facts] == [2, 1]


def test_a_source_with_a_time_zone_that_is_none_is_left_out_and_every_command_says_so(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "PlayEvent", "Tag", "Ticket", "TicketTagLink")
    project.execute(
        "UPDATE source_databases SET time_zone = 'UTC+2' WHERE source_name = 'support_db'"
    )
    with project.connect() as connection:
        ((number,),) = connection.execute(
            "SELECT source_id FROM source_databases WHERE source_name = 'support_db'"
        )
    said = f"source_databases row {number}: time_zone 'UTC+2' is not in pg_timezone_names"
    checked = RUNNER.invoke(app, ["check"])
    assert checked.exit_code == 1
    assert said in checked.stdout
    planned = json.loads(RUNNER.invoke(app, ["plan", "--json"]).stdout)["refusals"]
    (refused,) = [row for row in planned if row["control_table"] == "source_databases"]
    assert f"source_databases row {refused['row_id']}: {refused['reason']}".startswith(said)
    result = load_graph()
    assert result.success
    (valid,) = [
        check
        for check in result.get_asset_check_evaluations()
        if check.check_name == "control_rows_are_valid"
    ]
    assert not valid.passed
    assert said in str(valid.description)
    labels = {row["l"] for row in graph.rows("MATCH (n) UNWIND labels(n) AS l RETURN DISTINCT l")}
    assert {"Account", "PlayEvent"} <= labels
    assert not labels & {"Ticket", "Tag", "TicketTagLink"}


def test_a_join_that_its_source_makes_otherwise_fails_the_check(graph: Graph) -> None:
    (mapping,) = (
        Case()
        .source("one", table("people", "id int; boss int?", key="id"))
        .label("people", "Person")
        .joining("Person", "LEADS", "Person", "b.id = p.boss", from_alias="b", to_alias="p")
        .resolve()
        .relationships
    )
    expectation = Expectation(
        mapping=mapping,
        relationships=0,
        orphans=0,
        orphan_sample=(),
        ambiguous=0,
        ambiguous_sample=(),
    )
    count = SourceCount(expectation=expectation, by_postgres=61, by_graph=0)
    result = relationship_counts(graph, [expectation], [count])
    assert not result.passed
    assert result.description == (
        "LEADS (relationship_mappings row 1): 61 by the source's own join, 0 by what the graph compares"
    )
