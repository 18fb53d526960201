"""What a command of Dagster is started with goes before `.env`, in its child processes too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project, TestServers
from c360_graph_tests.integration.runs import materialize_by_command, working_folder

ONE_TABLE = 'key:"profiles_db/plans"'
OLD_STORAGE = """
storage:
  postgres:
    postgres_db:
      scheme: postgresql+psycopg2
      hostname: {env: ETL_DB_HOST}
      port: {env: ETL_DB_PORT}
      username: {env: ETL_DB_USER}
      password: {env: ETL_DB_PASSWORD}
      db_name: {env: ETL_DB_NAME}
      params: {options: -c search_path=dagster}
"""


def write_env(folder: Path, **lines: str) -> None:
    text = "".join(f"{name}='{value}'\n" for name, value in lines.items())
    (folder / ".env").write_text(text, encoding="utf-8")


def dagster(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dagster", *words],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_a_run_and_its_storage_use_the_control_database_that_it_was_started_with(
    project: Project,
) -> None:
    # The source's password too: the wrong one of `.env` would be refused.
    project.execute("UPDATE source_databases SET db_password = 'env:SOURCE_PASSWORD'")
    write_env(
        working_folder(),
        ETL_DB_HOST="nowhere.invalid",
        ETL_DB_PORT="1",
        etl_db_name="postgres",
        ETL_DB_USER="nobody",
        ETL_DB_PASSWORD="wrong",
        SOURCE_PASSWORD="wrong",
        C360_DATA_DIR="/proc/nowhere",
    )
    done = materialize_by_command(
        select=ONE_TABLE, SOURCE_PASSWORD=project.servers.postgres.password or ""
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with project.connect() as connection:
        runs = connection.execute("SELECT count(*) FROM dagster.runs").fetchone()
        logs = connection.execute("SELECT status FROM etl_table_logs").fetchall()
    assert runs == (1,)
    assert logs == [("completed",)]


def test_the_graph_that_env_file_names_is_not_touched_by_a_run_that_names_another(
    project: Project, graph: Graph
) -> None:
    project.execute("UPDATE node_label_mappings SET is_active = table_name = 'plans'")
    graph.run(b"CREATE (:Kept)", tag={})
    write_env(working_folder(), **project.servers.environment(project.control_db))
    done = materialize_by_command(select="*neo4j_graph", NEO4J_URI="bolt://127.0.0.1:1")
    assert done.returncode != 0
    assert "neo4j_graph failed: Neo4j at bolt://127.0.0.1:1/" in done.stderr, done.stderr[-2000:]
    assert graph.rows("MATCH (n) RETURN labels(n) AS labels") == [{"labels": ["Kept"]}]


def test_a_code_server_uses_what_its_parent_was_started_with_and_env_file_for_the_rest(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a dagster.yaml nothing of ours runs in the parent, whose `.env` the child inherits.
    monkeypatch.delenv("ETL_DB_PORT")
    monkeypatch.setenv("ETL_DB_USER", "")
    server = project.servers.postgres
    write_env(
        tmp_path,
        ETL_DB_NAME="no_such_database",
        ETL_DB_PORT=str(server.port),
        ETL_DB_USER=server.user or "",
    )
    done = dagster(tmp_path, "definitions", "validate", "-m", "c360_graph.definitions")
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_dagster_yaml_that_names_the_variables_itself_is_refused_where_they_differ(
    project: Project,
) -> None:
    folder = working_folder()
    (folder / "dagster.yaml").write_text(OLD_STORAGE)
    write_env(folder, ETL_DB_HOST="localhost")
    done = dagster(
        folder, "asset", "materialize", "--select", ONE_TABLE, "-m", "c360_graph.definitions"
    )
    assert done.returncode != 0
    assert "has put 'localhost', not '127.0.0.1' with which the process was started" in done.stderr
    with project.connect() as connection:
        assert connection.execute("SELECT count(*) FROM etl_table_logs").fetchone() == (0,)


def test_storage_that_cannot_be_reached_is_one_sentence(
    servers: TestServers, project: Project
) -> None:
    done = dagster(
        working_folder(),
        *("asset", "materialize", "--select", ONE_TABLE, "-m", "c360_graph.definitions"),
        ETL_DB_PORT="1",
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.rstrip().splitlines()[-1]
    assert last.startswith("Error: Dagster's storage in ")
    assert last.endswith("Check that the control database runs, and ETL_DB_*.")
