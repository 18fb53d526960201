"""The `c360` command against real servers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import REPOSITORY, Project, TestServers
from c360_graph_tests.integration.runs import load_graph
from c360_graph_tests.integration.test_pipeline import nodes_of

RUNNER = CliRunner()


def test_a_script_is_loaded_alone_and_its_row_says_when(project: Project, graph: Graph) -> None:
    project.map_only("Plan", "PlayEvent")
    assert load_graph().success
    script = newest_script(project)
    with project.connect() as connection:
        connection.execute("UPDATE cypher_scripts SET last_run_time = NULL")
    refused = RUNNER.invoke(app, ["load", str(script)])
    assert refused.exit_code == 1
    assert "--clear" in refused.stderr
    assert graph_counts(graph)[0] == nodes_of("Plan", "PlayEvent")
    loaded = RUNNER.invoke(app, ["load", str(script), "--clear"])
    assert loaded.exit_code == 0, loaded.stderr
    assert "PlayEvent" in loaded.stdout
    assert graph_counts(graph)[0] == nodes_of("Plan", "PlayEvent")
    with project.connect() as connection:
        row = connection.execute("SELECT last_run_time IS NOT NULL FROM cypher_scripts").fetchone()
    assert row == (True,)


def test_without_a_control_database_a_script_is_loaded_only_when_no_lock_is_asked_for(
    project: Project, graph: Graph, tmp_path: Path
) -> None:
    script = tmp_path / "other.cypher"
    script.write_text("CREATE (:Thing {name: 'a;b'}); // a comment\nCREATE (:Thing);\n")
    environment = {"ETL_DB_PORT": "1"}
    failed = RUNNER.invoke(app, ["load", str(script)], env=environment)
    assert failed.exit_code == 1
    assert "control database" in failed.stderr
    done = RUNNER.invoke(app, ["load", str(script), "--no-lock"], env=environment)
    assert done.exit_code == 0, done.stderr
    assert graph_counts(graph)[0] == {"Thing": 2}


def test_check_lists_what_is_not_valid_and_exits_with_one(project: Project) -> None:
    sound = RUNNER.invoke(app, ["check"])
    assert sound.exit_code == 0
    assert sound.stdout == ""
    assert "9 tables and 7 relationships are valid, 0 problems" in sound.stderr
    with project.connect() as connection:
        connection.execute(
            "INSERT INTO relationship_mappings (relationship_id, relationship_type, from_label,"
            " to_label, join_condition) VALUES (77, 'KNOWS', 'Account', 'Nobody', 'a.x = b.y')"
        )
    broken = RUNNER.invoke(app, ["check"])
    assert broken.exit_code == 1
    assert "relationship_mappings row 77" in broken.stdout
    assert "Nobody" in broken.stdout


def test_check_finds_a_schedule_that_dagster_would_not_take(project: Project) -> None:
    told = RUNNER.invoke(app, ["check"], env={"C360_NIGHTLY_CRON": "61 3 * * *"})
    assert told.exit_code == 1
    assert (
        "C360_NIGHTLY_CRON '61 3 * * *' is not a cron expression that Dagster accepts."
        in told.stdout
    )
    assert RUNNER.invoke(app, ["check"], env={"C360_NIGHTLY_CRON": "30 2 * * 1-5"}).exit_code == 0


def test_who_asks_a_graph_that_no_load_made_is_told_so(project: Project, graph: Graph) -> None:
    graph.run(b"CREATE (:Customer {name: 'Ann'})", tag={})
    done = RUNNER.invoke(app, ["ask"])
    assert done.exit_code == 0, done.stderr
    assert f"The graph at {graph.server} was not loaded by this project" in done.stderr


def test_questions_are_answered_with_their_titles(project: Project, graph: Graph) -> None:
    assert load_graph().success
    done = RUNNER.invoke(app, ["ask", "--as-of", "2025-11-03"], env={"COLUMNS": "240"})
    assert done.exit_code == 0, done.stderr
    assert "1. Accounts that share a card fingerprint" in done.stdout
    assert "11. " in done.stdout


def test_a_server_that_is_not_there_is_one_sentence(project: Project) -> None:
    done = RUNNER.invoke(app, ["ask"], env={"NEO4J_URI": "bolt://127.0.0.1:1"})
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: Neo4j at bolt://127.0.0.1:1")
    assert "Traceback" not in done.stderr


def test_dev_against_a_control_database_without_its_schema_is_one_sentence(
    servers: TestServers, scratch_db: str, tmp_path: Path
) -> None:
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", "from c360_graph.cli import app; app()", "dev", "--port", "0"],
        cwd=tmp_path,
        env=os.environ
        | servers.environment(scratch_db)
        | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: The control database {servers.credentials(scratch_db).server} lacks the schema dagster"
        " and the table source_databases. Run sql/etl_control_db_schema.sql on it (safe to repeat).\n"
    )


def newest_script(project: Project) -> Path:
    return max((project.data_dir / "scripts").glob("*.cypher"))
