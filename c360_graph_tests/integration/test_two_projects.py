"""Two control databases and one Neo4j: neither changes what the other loaded unless it is told to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.control.connection import ControlDatabase
from c360_graph.control.locks import control_owner
from c360_graph.graph.connection import Graph
from c360_graph.graph.execution import Execution
from c360_graph.graph.load import graph_counts
from c360_graph.graph.manifest import read_state
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import failure_messages

RUNNER = CliRunner()
REFUSED = "is loaded from another control database"


def build(*, only: bool = False, **config: Any) -> dg.ExecuteInProcessResult:
    """The graph and what it is made of, or the graph alone."""
    from c360_graph.definitions import defs

    graph = dg.AssetSelection.assets("neo4j_graph")
    job = dg.define_asset_job("build", selection=graph if only else graph.upstream())
    with_job = dg.Definitions.merge(defs(), dg.Definitions(jobs=[job]))
    return with_job.resolve_job_def("build").execute_in_process(
        raise_on_error=False, run_config={"ops": {"neo4j_graph": {"config": config}}}
    )


@pytest.fixture
def other(project: Project) -> ControlDatabase:
    """A copy of the control database that maps less."""
    name = f"{project.prefix}copy"
    with project.servers.postgres.connect("postgres") as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(project.control_db)
            )
        )
    with project.servers.postgres.connect(name) as connection:
        connection.execute("UPDATE node_label_mappings SET is_active = node_label = 'Plan'")
        connection.execute("DELETE FROM relationship_mappings")
    return ControlDatabase(project.servers.credentials(name))


def test_another_control_database_changes_nothing_until_it_takes_the_graph_over(
    project: Project, graph: Graph, other: ControlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.map_only("Account", "Plan")
    assert build().success
    before = graph_counts(graph)
    assert before[0]["Account"]
    scripts = set(_scripts(project))
    monkeypatch.setenv("ETL_DB_NAME", other.credentials.database)

    for clear in (False, True):
        message = failure_messages(build(clear_database=clear))["neo4j_graph"]
        assert REFUSED in message
        assert project.control_db in message
        assert graph_counts(graph) == before
    planned = RUNNER.invoke(app, ["plan", "--reconcile", "--json"])
    assert planned.exit_code == 1
    assert REFUSED in json.loads(planned.stdout)["graph"]["refusal"]
    assert REFUSED in planned.stderr
    (own, *_) = set(_scripts(project)) - scripts
    for options in ([], ["--no-lock"]):
        loaded = RUNNER.invoke(app, ["load", str(own), "--clear", *options])
        assert loaded.exit_code == 1
        assert REFUSED in loaded.stderr
    assert graph_counts(graph) == before
    state = read_state(Execution(graph))
    assert state is not None
    assert state.is_whole
    assert state.manifest.owner == control_owner(project.control)

    assert build(clear_database=False, take_over=True).success
    assert graph_counts(graph) == ({"Plan": before[0]["Plan"]}, {})
    assert build(clear_database=False).success
    monkeypatch.setenv("ETL_DB_NAME", project.control_db)
    assert REFUSED in failure_messages(build(only=True))["neo4j_graph"]
    taken = RUNNER.invoke(app, ["load", str(scripts.pop()), "--clear", "--take-over"])
    assert taken.exit_code == 0, taken.stderr
    assert graph_counts(graph) == before


def _scripts(project: Project) -> list[Path]:
    return sorted((project.data_dir / "scripts").glob("*.cypher"))


def test_a_copy_of_a_control_database_loads_no_script_of_its_original(
    project: Project, graph: Graph, other: ControlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.map_only("Plan")
    assert build().success
    with project.connect() as connection:
        row = connection.execute(
            "SELECT script_name, file_path FROM cypher_scripts ORDER BY script_id DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    with project.servers.postgres.connect(other.credentials.database) as connection:
        connection.execute(
            "INSERT INTO cypher_scripts (script_name, file_path) VALUES (%s, %s)", row
        )
    monkeypatch.setenv("ETL_DB_NAME", other.credentials.database)
    message = failure_messages(build(only=True))["neo4j_graph"]
    assert "was written for another control database" in message


def test_a_renamed_control_database_is_the_same_and_a_copy_is_another(
    project: Project, other: ControlDatabase
) -> None:
    mine = control_owner(project.control)
    assert control_owner(other).id != mine.id
    renamed = f"{project.prefix}renamed"
    with project.servers.postgres.connect("postgres") as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(project.control_db), sql.Identifier(renamed)
            )
        )
    again = control_owner(ControlDatabase(project.servers.credentials(renamed)))
    assert again.id == mine.id
    assert renamed in again.name
