"""A run that leaves something out says so: in its exit code, in the audit rows, in answers and in the report."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import materialize_by_command

RUNNER = CliRunner()
TYPO = (
    "UPDATE relationship_mappings SET join_condition = 'a.acount_id = s.account_id'"
    " WHERE relationship_type = 'HAS_SUBSCRIPTION'"
)
REASON = "uses a.acount_id, a column that no table of its labels has"


def test_a_typo_in_a_control_row_fails_the_run_and_no_answer_needs_what_is_missing(
    project: Project, graph: Graph
) -> None:
    project.execute(TYPO)
    run = materialize_by_command()
    assert run.returncode != 0
    assert "control_rows_are_valid" in run.stderr
    assert REASON in run.stderr
    with project.connect() as connection:
        ((status, error),) = connection.execute(
            "SELECT status, error_message FROM etl_run_logs"
        ).fetchall()
    assert status == "failed"
    assert REASON in error
    assert graph.rows("MATCH (s:Subscription) RETURN count(s) > 0 AS there")[0]["there"]

    report = Path(project.data_dir / "reports" / "latest.html").read_text(encoding="utf-8")
    assert "This report is incomplete" in report
    assert REASON in report
    assert "11 of 11" not in report

    asked = RUNNER.invoke(app, ["ask", "--as-of", "2025-11-03", "--json"])
    assert asked.exit_code == 1
    assert REASON in asked.stderr
    replies = {reply["name"]: reply for reply in json.loads(asked.stdout)}
    revenue = replies["revenue_by_plan"]
    assert REASON in revenue["skipped"][0]
    assert revenue["rows"] == []
    assert replies["fraud_ring"]["rows"]

    relaxed = materialize_by_command(select="*neo4j_graph", C360_FAIL_ON="never")
    assert relaxed.returncode == 0
