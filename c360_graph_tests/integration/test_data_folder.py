"""What a run leaves in the data folder: after it was killed, with a wrong clock, under a new rule."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from c360_graph import extracts
from c360_graph.control.audit import RunLog
from c360_graph.graph.connection import Graph
from c360_graph.pipeline import write_script
from c360_graph.report import files as report_files
from c360_graph.scripts import ScriptStore, open_script
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import (
    materialize_all,
    materialize_by_command,
    materialize_command,
    working_folder,
)

RECONCILE = '{"ops": {"neo4j_graph": {"config": {"clear_database": false}}}}'


def kill_when(found: Callable[[], bool], *, select: str, config: str | None = None) -> None:
    """Start a run as a user does, and kill its process at the moment when something is there."""
    command = materialize_command(select=select)
    if config:
        command += ["--config-json", config]
    with subprocess.Popen(
        command,
        cwd=working_folder(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not found():
            assert process.poll() is None, "the run ended before it"
            assert time.monotonic() < deadline
            time.sleep(0.001)
        # The process alone: what it started has to notice by itself.
        os.kill(process.pid, signal.SIGKILL)


def up_to(asset: str) -> list[dg.AssetKey]:
    """An asset and all that it is made of."""
    from c360_graph.definitions import defs

    graph = defs().resolve_asset_graph()
    return list(dg.AssetSelection.assets(asset).upstream().resolve(graph))


def leftovers(project: Project) -> list[str]:
    """Files and folders that belong to work that is not done."""
    return sorted(
        path.relative_to(project.data_dir).as_posix()
        for path in project.data_dir.rglob("*")
        if path.suffix in (".part", ".partial") or path.parent.name in ("work", ".work")
    )


def holding(project: Project, value: str) -> list[str]:
    """Files that hold a text, compressed ones too."""
    found = []
    for path in project.data_dir.rglob("*"):
        if path.is_file():
            with open_script(path) as file:
                if value.encode() in file.read():
                    found.append(path.name)
    return found


def test_what_a_killed_run_left_is_private_and_removed_by_the_next(
    project: Project, graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.map_only("Plan", "Ticket")
    monkeypatch.setenv("TMPDIR", str(temporary := tmp_path / "temporary"))
    temporary.mkdir()
    work = project.data_dir / "extracts" / ".work"
    with project.connect("profiles_db") as connection:
        connection.execute("BEGIN; LOCK TABLE plans IN ACCESS EXCLUSIVE MODE")
        kill_when(lambda: any(work.glob("*/")), select="profiles_db/plans")
        connection.execute("ROLLBACK")
    assert len(leftovers(project)) == 2
    modes = {stat.S_IMODE(path.stat().st_mode) for path in work.rglob("*") if path.is_dir()}
    assert modes == {0o700}
    assert materialize_all(asset_selection=up_to("neo4j_graph")).success
    assert leftovers(project) == []
    with project.connect("support_db") as connection:
        connection.execute("UPDATE tickets SET subject = 'changed'")
    assert materialize_all(asset_selection=[dg.AssetKey(["support_db", "tickets"])]).success
    compared = project.data_dir / "work"
    kill_when(lambda: any(compared.glob("*/changes/*")), select="neo4j_graph", config=RECONCILE)
    assert len(leftovers(project)) >= 2
    written = [path for path in compared.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
    assert not list(temporary.glob("c360_*"))
    assert materialize_by_command(select="profiles_db/plans").returncode == 0
    assert leftovers(project) == []


def test_after_a_wrong_clock_a_new_rule_removes_what_it_excludes(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ahead() -> str:
        return (datetime.now(UTC) + timedelta(days=2)).strftime("%Y%m%dT%H%M%S_%fZ")

    with monkeypatch.context() as patch:
        for module in (extracts, write_script, report_files):
            patch.setattr(module, "file_stamp", ahead)
        assert materialize_all().success
    assert materialize_all(asset_selection=up_to("cypher_script")).success
    with project.connect("profiles_db") as connection:
        (name,) = connection.execute(
            "SELECT full_name FROM accounts WHERE length(full_name) > 12 ORDER BY 1 LIMIT 1"
        ).fetchone() or ("",)
    assert holding(project, name)
    project.execute(
        "INSERT INTO field_exclusion_rules (source_id, table_name, column_name)"
        " SELECT source_id, 'accounts', 'full_name' FROM source_databases"
        " WHERE source_name = 'profiles_db'"
    )
    # Neither read any more nor named by a label: the rule holds for its extracts all the same.
    project.execute(
        "UPDATE node_label_mappings SET is_active = false WHERE table_name = 'accounts'"
    )
    (check,) = checks_of_files()
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    said = str(check.description)
    assert "holds a value of profiles_db/accounts.full_name" in said
    assert "rows.tsv of" in said
    assert "customer_360_" in said
    assert (
        "holds full_name of profiles_db/accounts against the current field_exclusion_rules" in said
    )
    assert name not in said
    assert materialize_by_command(select="support_db/ticket_tags").returncode == 0
    assert holding(project, name) == []
    (check,) = checks_of_files()
    assert check.passed


def checks_of_files() -> list[dg.AssetCheckEvaluation]:
    """What the check of files says of the data folder as it is."""
    from c360_graph.definitions import defs

    definitions = defs()
    keys = [
        key
        for key in definitions.resolve_asset_graph().asset_check_keys
        if key.name == "excluded_values_are_in_no_file"
    ]
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.checks(*keys))
    merged = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job]))
    result = merged.resolve_job_def("checks").execute_in_process()
    return list(result.get_asset_check_evaluations())


def test_a_row_of_scripts_has_no_other_file_removed_or_loaded(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.map_only("Plan")
    monkeypatch.setenv("C360_KEEP_SCRIPTS", "1")
    assert materialize_all(asset_selection=up_to("cypher_script")).success
    (written,) = (project.data_dir / "scripts").glob("*.cypher")
    precious = tmp_path / "precious.txt"
    named_alike = tmp_path / "graph_output_20200101T000000_000000Z_1.cypher"
    by_dots = project.data_dir / "scripts" / ".." / "keep.txt"
    linked = project.data_dir / "scripts" / "graph_output_20200102T000000_000000Z_1.cypher"
    for path in (precious, named_alike, by_dots):
        path.write_text("MATCH (n) DETACH DELETE n;")
    linked.symlink_to(precious)
    with project.connect() as connection:
        for path in (precious, named_alike, by_dots, linked):
            connection.execute(
                "INSERT INTO cypher_scripts (script_name, file_path) VALUES (%s, %s)",
                (path.name, str(path)),
            )
    result = materialize_all(asset_selection=[dg.AssetKey("cypher_script")])
    assert result.success
    assert not written.exists()
    for path in (precious, named_alike, by_dots, linked):
        assert path.exists()
    # The newest row is not the newest script.
    found = write_script.script_to_load(
        RunLog(project.control), ScriptStore(project.data_dir), log_id=-1
    )
    assert Path(str(found)).parent == (project.data_dir / "scripts").resolve()
