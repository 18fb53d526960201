"""`c360 check` and `c360 plan` find what a run would fail at, in the run's own words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import failure_messages, materialize_all

RUNNER = CliRunner()

TABLES = {
    "no_right": "permission denied for table no_right",
    "no_column": "permission denied for table no_column",
    "empty_view": 'materialized view "empty_view" has not been populated',
    "over_secret": "permission denied for table secret",
    "far_away": "could not connect to server",
    "broken": "DivisionByZero",
    "parts": "could not connect to server",
}
"""Tables that cannot be read, and what is said of each."""

OBJECTS = """
CREATE TABLE no_right (id int PRIMARY KEY);
CREATE TABLE no_column (id int PRIMARY KEY, name text);
CREATE TABLE secret (id int);
CREATE MATERIALIZED VIEW empty_view AS SELECT 1 AS id WITH NO DATA;
CREATE VIEW over_secret WITH (security_invoker) AS SELECT id FROM secret;
CREATE VIEW broken AS SELECT 1 / (n - 1) AS id FROM generate_series(1, 3) AS n;
CREATE VIEW slow AS SELECT n AS id, pg_sleep(60)::text FROM generate_series(1, 3) AS n;
CREATE TABLE parts (id int) PARTITION BY RANGE (id);
CREATE EXTENSION postgres_fdw;
CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
CREATE USER MAPPING FOR PUBLIC SERVER away OPTIONS (user 'x', password 'x');
CREATE FOREIGN TABLE far_away (id int) SERVER away;
CREATE FOREIGN TABLE parts_far PARTITION OF parts FOR VALUES FROM (0) TO (9) SERVER away;
CREATE TABLE "od%d "" name" (id int PRIMARY KEY, "a%s" text, "{x}" int);
"""


@pytest.fixture
def refusing(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A source whose tables cannot be read, each for another reason, beside two that can."""
    role = f"t{uuid4().hex[:8]}_reader"
    mapped = [*TABLES, "slow", 'od%d " name']
    with project.connect("profiles_db") as connection:
        connection.execute(OBJECTS.encode())
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'".encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
        connection.execute(f"REVOKE SELECT ON no_right, no_column, secret FROM {role}".encode())
        connection.execute(f"GRANT SELECT (id) ON no_column TO {role}".encode())
    with project.connect() as connection:
        connection.execute("DELETE FROM relationship_mappings")
        connection.execute("DELETE FROM field_exclusion_rules")
        connection.execute("DELETE FROM node_label_mappings")
        connection.execute("DELETE FROM source_databases WHERE source_name <> 'profiles_db'")
        connection.execute("UPDATE source_databases SET db_user = %s, db_password = 'x'", (role,))
        for number, name in enumerate(mapped):
            connection.execute(
                "INSERT INTO node_label_mappings (source_id, table_name, node_label)"
                " SELECT source_id, %s, %s FROM source_databases",
                (name, f"L{number}"),
            )
    yield project
    with project.connect("profiles_db") as connection:
        connection.execute(f"DROP OWNED BY {role}".encode())
        connection.execute(f"DROP ROLE {role}".encode())


def test_tables_that_a_run_could_not_read_are_found_before_it_by_check_and_plan(
    refusing: Project, graph: Graph
) -> None:
    checked = RUNNER.invoke(app, ["check", "--json"])
    assert checked.exit_code == 1
    failing = json.loads(checked.stdout)["failing"]
    assert len(failing) == len(TABLES), failing
    for name, why in TABLES.items():
        (line,) = (line for line in failing if f"profiles_db/{name} cannot be read" in line)
        assert why in line
    planned = RUNNER.invoke(app, ["plan", "--json"])
    assert planned.exit_code == 1
    assert json.loads(planned.stdout)["failing"] == failing
    keys = [dg.AssetKey(["profiles_db", name]) for name in ("no_right", "empty_view", "broken")]
    said = failure_messages(materialize_all(asset_selection=keys))
    for name in ("no_right", "empty_view"):
        assert TABLES[name] in said[f"profiles_db__{name}"]
    assert "profiles_db__broken" in said


def test_a_schema_that_may_not_be_used_is_found(refusing: Project, graph: Graph) -> None:
    with refusing.connect("profiles_db") as connection:
        connection.execute("CREATE SCHEMA closed; CREATE TABLE closed.slow (id int)")
    refusing.execute(
        "UPDATE source_databases SET db_schema = 'closed';"
        "DELETE FROM node_label_mappings WHERE table_name <> 'slow'"
    )
    checked = RUNNER.invoke(app, ["check"])
    assert checked.exit_code == 1
    assert "permission denied for schema closed" in checked.stdout
    assert "USAGE" in checked.stdout


def test_what_settings_and_mapping_lack_is_found(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project.execute(
        "INSERT INTO field_exclusion_rules (source_id, table_name, column_name, treatment)"
        " SELECT source_id, 'plans', 'plan_name', 'hash' FROM source_databases"
        " WHERE source_name = 'profiles_db'"
    )
    for command in ("check", "plan"):
        done = RUNNER.invoke(app, [command, "--json"])
        assert done.exit_code == 1
        (line,) = json.loads(done.stdout)["failing"]
        assert line == (
            "profiles_db/plans: plan_name are to be hashed, and C360_HASH_KEY is not set."
        )
    monkeypatch.setenv("C360_HASH_KEY", "a key for tests")
    assert RUNNER.invoke(app, ["check"]).exit_code == 0
    assert RUNNER.invoke(app, ["plan"]).exit_code == 0
    project.execute("DELETE FROM node_label_mappings; DELETE FROM relationship_mappings")
    for command in ("check", "plan"):
        done = RUNNER.invoke(app, [command])
        assert done.exit_code == 1
        assert "No table can be read" in done.stdout + done.stderr


def test_a_target_that_cannot_be_used_is_found_by_check_too(project: Project) -> None:
    done = RUNNER.invoke(app, ["check"], env={"NEO4J_URI": "bolt://127.0.0.1:1"})
    assert done.exit_code == 1
    assert "Neo4j at bolt://127.0.0.1:1/neo4j cannot be used" in done.stdout


WRONG = {
    "db_sslmode = 'requires'": "invalid sslmode value",
    "db_sslmode = NULL, db_password = 'env:C360_NOT_SET'": "C360_NOT_SET",
    "db_password = NULL, db_name = 'no_such_database'": "does not exist",
    "db_host = 'no-such-host.invalid'": "resolve host",
}


def test_a_source_that_is_configured_wrongly_is_found_and_not_tried_again(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_RETRIES", "2")
    assert RUNNER.invoke(app, ["check"]).exit_code == 0
    for change, said in WRONG.items():
        project.execute(f"UPDATE source_databases SET {change} WHERE source_name = 'profiles_db'")
        done = RUNNER.invoke(app, ["check"])
        assert done.exit_code == 1
        assert said in done.stdout
        result = materialize_all(asset_selection=[dg.AssetKey(["profiles_db", "plans"])])
        assert not result.success
        assert said in failure_messages(result)["profiles_db__plans"]
        assert not [event for event in result.all_events if event.is_step_up_for_retry]
