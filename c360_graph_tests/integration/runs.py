"""Runs of the pipeline, inside this process or as a user starts them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from c360_graph.assets.analytics import GROUP, REPORT_KEY
from c360_graph.graph.connection import Graph
from c360_graph.graph.execution import Execution
from c360_graph.graph.manifest import read_state
from c360_graph_tests.conftest import REPOSITORY, Project
from c360_graph_tests.integration.loader.proxy import FaultyProxy, faulty_proxy


def materialize_all(**options: Any) -> dg.ExecuteInProcessResult:
    """Every asset, in this process, on definitions that are read anew."""
    from c360_graph.definitions import defs

    job = defs().resolve_implicit_global_asset_job_def()
    return job.execute_in_process(raise_on_error=False, **options)


def load_graph(**options: Any) -> dg.ExecuteInProcessResult:
    """The tables, the script and the graph without the questions, which take as long again."""
    from c360_graph.definitions import defs

    built = defs()
    keys = [
        key
        for key in built.resolve_asset_graph().get_all_asset_keys()
        if key.path[0] not in (GROUP, REPORT_KEY)
    ]
    job = built.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(raise_on_error=False, asset_selection=keys, **options)


def is_whole(graph: Graph) -> bool | None:
    """What a graph says of itself; None where it says nothing."""
    state = read_state(Execution(graph))
    return state.is_whole if state else None


def materialize_by_command(
    *, select: str = "*", config: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`dagster asset materialize` as CI runs it."""
    command = materialize_command(select=select)
    if config is not None:
        command += ["--config-json", config]
    return subprocess.run(
        command,
        cwd=working_folder(),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def c360(*words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, in the checkout."""
    return subprocess.run(
        [sys.executable, "-c", "from c360_graph.cli import app; app()", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def working_folder() -> Path:
    """A folder with the project's dagster.yaml; a killed run leaves things in its own."""
    folder = Path(os.environ["C360_DATA_DIR"]).parent / "working"
    folder.mkdir(exist_ok=True)
    shutil.copy(REPOSITORY / "dagster.yaml", folder)
    return folder


def materialize_command(*, select: str = "*") -> list[str]:
    """The command's words."""
    return [
        sys.executable,
        "-m",
        "dagster",
        "asset",
        "materialize",
        "--select",
        select,
        "-m",
        "c360_graph.definitions",
    ]


def failure_messages(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """What each failed step said."""
    return {
        event.step_key or "": str(event.step_failure_data.user_failure_data.description)
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.user_failure_data
    }


@contextmanager
def source_behind_proxy(
    project: Project, source_name: str, patch: pytest.MonkeyPatch
) -> Iterator[FaultyProxy]:
    """A proxy by which one source of the project is reached from now on."""
    server = project.servers.postgres
    patch.setenv("C360_TEST_SOURCE_PASSWORD", server.password or "none")
    with faulty_proxy(server.host, server.port) as proxy:
        with project.connect() as control:
            control.execute(
                "UPDATE source_databases SET db_host = '127.0.0.1', db_port = %s, db_user = %s,"
                " db_password = 'env:C360_TEST_SOURCE_PASSWORD', db_sslmode = 'disable'"
                " WHERE source_name = %s",
                (proxy.port, server.user, source_name),
            )
        yield proxy


def hold_back_plans(project: Project, *, is_active: bool) -> None:
    """A rule that finds no column: the table is not read."""
    project.execute(
        "INSERT INTO field_exclusion_rules (rule_id, source_id, table_name, column_name)"
        " SELECT 900, source_id, 'plans', 'no_such_column' FROM source_databases"
        " WHERE source_name = 'profiles_db' ON CONFLICT DO NOTHING"
        if is_active
        else "DELETE FROM field_exclusion_rules WHERE rule_id = 900"
    )


def until(holds: Callable[[], object], *, seconds: float = 20) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def wait_for(project: Project, statement: str, *, seconds: float = 60) -> None:
    """Wait until a statement on the control database finds something other than false, 0 and NULL."""
    deadline = time.monotonic() + seconds
    with project.connect() as connection:
        while time.monotonic() < deadline:
            row = connection.execute(statement).fetchone()
            if row and row[0]:
                return
            time.sleep(0.2)
    raise AssertionError(f"nothing came of: {statement}")
