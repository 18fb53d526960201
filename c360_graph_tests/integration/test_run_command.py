"""`c360 run`: a run of Dagster's in the terminal, a line for each asset."""

from __future__ import annotations

import json

import dagster as dg

from c360_graph.command_run import instance_for_commands
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import c360


def test_a_run_prints_a_line_for_each_asset_and_is_one_of_dagsters(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "Plan")
    done = c360("run")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("PASS")]
    assert passed == [
        "profiles_db/accounts",
        "profiles_db/plans",
        "cypher_script",
        "neo4j_graph",
        "customer_360_report",
    ]
    assert "PASS profiles_db/plans  5 rows, " in done.stdout
    assert "DEBUG" not in done.stdout + done.stderr
    assert "Done in " in done.stderr
    assert "5 passed" in done.stderr
    with project.connect() as connection:
        ((run_id, status),) = connection.execute(
            "SELECT dagster_run_id, status FROM etl_run_logs"
        ).fetchall()
    assert status == "completed"
    assert f"Run {run_id}." in done.stderr
    with instance_for_commands() as instance:
        run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.SUCCESS

    # One table through to the graph, while what others wrote stays.
    graph.run(b"CREATE (:Note)", tag={})
    with project.connect("profiles_db") as connection:
        connection.execute("UPDATE plans SET plan_name = 'Renamed' WHERE plan_id = 1")
    one = c360("run", "plans", "--reconcile", "--json")
    assert one.returncode == 0, one.stdout + one.stderr
    told = json.loads(one.stdout)
    assert told["success"] is True
    names = [line["name"] for line in told["lines"] if line["verdict"] == "PASS"]
    assert names == ["profiles_db/plans", "cypher_script", "neo4j_graph"]
    assert graph.rows("MATCH (p:Plan {plan_name: 'Renamed'}) RETURN count(p) AS n")[0]["n"] == 1
    assert graph_counts(graph)[0]["Note"] == 1


def test_a_run_that_fails_says_what_failed_and_exits_with_1(project: Project, graph: Graph) -> None:
    project.map_only("Account", "Plan")
    with project.connect("profiles_db") as connection:
        connection.execute("ALTER TABLE plans RENAME TO kept_plans")
        connection.execute(
            "CREATE VIEW plans AS SELECT plan_id / (plan_id - plan_id) AS plan_id FROM kept_plans"
        )
    done = c360("run")
    assert done.returncode == 1
    assert "FAIL profiles_db__plans  " in done.stdout
    assert "PASS neo4j_graph" in done.stdout
    assert "FAIL cypher_script: every_table_was_read" in done.stdout
    assert "Failed in " in done.stderr


def test_a_table_that_is_not_mapped_is_one_sentence(project: Project) -> None:
    project.map_only("Account", "Plan")
    done = c360("run", "plan")
    assert done.returncode == 1
    assert done.stderr == "Error: No mapped table is called 'plan'; did you mean 'plans'?\n"
