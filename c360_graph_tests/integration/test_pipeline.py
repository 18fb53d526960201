"""The whole pipeline on the sample databases."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from backports import zstd

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import (
    load_graph,
    materialize_by_command,
)

NODES = {
    "Account": 40,
    "Media": 30,
    "PaymentMethod": 42,
    "Plan": 5,
    "PlayEvent": 400,
    "Subscription": 43,
    "Tag": 9,
    "Ticket": 25,
    "TicketTagLink": 34,
}


SECRET = "$2b$12$"
"""Part of every hashed_password of the sample."""


def nodes_of(*labels: str) -> dict[str, int]:
    """The sample's nodes of these labels."""
    return {label: NODES[label] for label in labels}


def test_an_excluded_column_is_nowhere(project: Project, graph: Graph) -> None:
    done = materialize_by_command()
    assert done.returncode == 0, done.stderr[-2000:]
    with project.connect("profiles_db") as connection:
        hashes = [
            row[0] for row in connection.execute("SELECT hashed_password FROM accounts").fetchall()
        ]
    assert all(SECRET in value for value in hashes)
    written = [path for path in project.data_dir.rglob("*") if path.is_file()]
    assert any(path.suffix == ".cypher" for path in written)
    assert any(path.name == "rows.tsv" for path in written)
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in done.stdout + done.stderr
    assert graph.rows("MATCH (a:Account) WHERE a.hashed_password IS NOT NULL RETURN a") == []
    found = graph.rows(
        "MATCH (n) UNWIND keys(n) AS k WITH n[k] AS v WHERE toStringOrNull(v) CONTAINS $s RETURN v",
        s=SECRET,
    )
    assert found == []
    assert SECRET not in _everything_in(project)


def test_old_extracts_and_scripts_are_pruned_but_never_the_last_good_ones(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.map_only("Plan")
    monkeypatch.setenv("C360_KEEP_SCRIPTS", "2")
    monkeypatch.setenv("C360_KEEP_EXTRACTS", "2")
    for _ in range(3):
        assert load_graph().success
    scripts = sorted((project.data_dir / "scripts").glob("*.cypher"))
    folders = sorted((project.data_dir / "extracts/profiles_db/plans").glob("2*"))
    assert len(scripts) == 2
    assert len(folders) == 2
    latest = json.loads((folders[0].parent / "latest.json").read_bytes())["extract"]
    assert latest == folders[-1].name
    with project.connect() as connection:
        loaded = connection.execute(
            "SELECT file_path FROM cypher_scripts ORDER BY last_run_time DESC LIMIT 1"
        ).fetchone()
    assert loaded == (str(scripts[-1]),)


def test_the_script_goes_to_the_folder_that_config_names(
    project: Project, graph: Graph, tmp_path: Path
) -> None:
    project.map_only("Plan")
    folder = tmp_path / "elsewhere"
    config = {"ops": {"cypher_script": {"config": {"output_folder": str(folder)}}}}
    assert load_graph(run_config=config).success
    (script,) = folder.glob("graph_output_*.cypher")
    with project.connect() as connection:
        row = connection.execute(
            "SELECT script_name, file_path, file_size_kb, last_run_time IS NOT NULL FROM cypher_scripts"
        ).fetchone()
    assert row is not None
    assert row[:2] == (script.name, str(script))
    assert float(row[2]) == round(script.stat().st_size / 1024, 2)
    assert row[3] is True


def test_a_compressed_script_is_loaded_registered_and_pruned_as_any_other(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.map_only("Account", "Plan")
    monkeypatch.setenv("C360_KEEP_SCRIPTS", "1")
    folder = project.data_dir / "scripts"
    assert load_graph().success
    (plain,) = folder.iterdir()
    text = plain.read_bytes()
    monkeypatch.setenv("C360_COMPRESS_SCRIPTS", "true")
    assert load_graph().success
    assert graph_counts(graph)[0] == nodes_of("Account", "Plan")
    # The one before was the last one loaded when this one was written.
    (script,) = (path for path in folder.iterdir() if path != plain)
    assert script.name.endswith(".cypher.zst")
    assert zstd.decompress(script.read_bytes()).split(b"\n", 1)[1] == text.split(b"\n", 1)[1]
    with project.connect() as connection:
        row = connection.execute(
            "SELECT script_name, file_path, file_size_kb::float8, last_run_time IS NOT NULL"
            " FROM cypher_scripts ORDER BY script_id DESC LIMIT 1"
        ).fetchone()
    assert row == (script.name, str(script), round(script.stat().st_size / 1024, 2), True)
    config = {"ops": {"cypher_script": {"config": {"compress": False}}}}
    for _ in range(2):
        assert load_graph(run_config=config).success
    assert [path.suffix for path in folder.iterdir()] == [".cypher"] * 2


def test_steps_may_have_a_process_each(project: Project) -> None:
    done = materialize_by_command(
        select="profiles_db/plans,support_db/tickets", C360_EXECUTOR="multiprocess"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    started = re.findall(r" - (\d+) - (\w+) - STEP_START - ", done.stdout + done.stderr)
    assert {step for _, step in started} == {"profiles_db__plans", "support_db__tickets"}
    assert len({process for process, _ in started}) == 2
    with project.connect() as connection:
        tables = connection.execute(
            "SELECT table_name, t.status, r.status FROM etl_table_logs t JOIN etl_run_logs r"
            " USING (log_id) ORDER BY table_name"
        ).fetchall()
    assert tables == [("plans", "completed", "completed"), ("tickets", "completed", "completed")]


def _everything_in(project: Project) -> str:
    """Every row of the control database, Dagster's own tables too, as text."""
    found = []
    with project.connect() as connection:
        tables = connection.execute(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
            " WHERE schemaname IN ('public', 'dagster')"
        ).fetchall()
        assert any("event_logs" in name for (name,) in tables)
        for (name,) in tables:
            rows = connection.execute(f"SELECT t::text FROM {name} AS t").fetchall()
            found += [str(text) for (text,) in rows]
    return "\n".join(found)
