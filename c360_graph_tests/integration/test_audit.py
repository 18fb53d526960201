"""The audit tables and Dagster's event log tell the same story, however a run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pytest
from dagster import DagsterInstance

from c360_graph.control.audit import RUN_LOCK, RunLog
from c360_graph.executor import AuditedExecutor, close_abandoned_runs
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import (
    load_graph,
    materialize_by_command,
    materialize_command,
    wait_for,
    working_folder,
)


def test_materializations_and_audit_rows_hold_the_same_facts(
    project: Project, graph: Graph
) -> None:
    with DagsterInstance.ephemeral() as instance:
        result = load_graph(instance=instance)
        assert result.success
        events = {
            event.asset_key.to_user_string(): event.materialization.metadata
            for event in result.all_events
            if event.is_step_materialization and event.asset_key
        }
    with project.connect() as connection:
        rows = connection.execute(
            "SELECT s.source_name || '/' || t.table_name, t.log_id, t.table_log_id, t.status,"
            " t.rows_processed, t.start_time, t.end_time, t.is_progressing, t.is_done, t.error_message"
            " FROM etl_table_logs t JOIN source_databases s USING (source_id)"
        ).fetchall()
        scripts = connection.execute(
            "SELECT script_id, script_name, file_size_kb, last_updated_at, last_run_time"
            " FROM cypher_scripts"
        ).fetchall()
    assert len(rows) == 9
    for table, log_id, table_log_id, status, count, start, end, progressing, done, error in rows:
        facts = events.pop(table)
        assert _plain(
            facts, "log_id", "table_log_id", "status", "rows", "start_time", "end_time"
        ) == (
            log_id,
            table_log_id,
            status,
            count,
            start,
            end,
        )
        assert (status, progressing, done, error) == ("completed", False, True, None)
    ((script_id, name, size, updated, loaded),) = scripts
    script = _plain(
        events["cypher_script"], "script_id", "script_name", "file_size_kb", "last_updated_at"
    )
    assert script == (script_id, name, float(size), updated)
    assert _plain(events["neo4j_graph"], "script_id", "script_name", "last_run_time") == (
        script_id,
        name,
        loaded,
    )
    assert set(events) == {"cypher_script", "neo4j_graph"}


def test_a_run_is_one_row_that_says_completed(project: Project, graph: Graph) -> None:
    project.map_only("Plan")
    assert materialize_by_command(select="*neo4j_graph").returncode == 0
    assert _runs(project) == [("completed", True, None)]


def test_a_failed_run_says_so_in_its_row_and_why(project: Project, graph: Graph) -> None:
    project.map_only("Plan", "Tag", "Ticket", "TicketTagLink")
    with project.connect() as connection:
        connection.execute(
            "UPDATE source_databases SET db_port = 1 WHERE source_name = 'support_db'"
        )
        connection.execute("UPDATE source_databases SET db_host = '127.0.0.1' WHERE db_port = 1")
    assert materialize_by_command(select="*neo4j_graph").returncode != 0
    ((status, ended, error),) = _runs(project)
    assert (status, ended) == ("failed", True)
    assert "support_db" in str(error)
    with project.connect() as connection:
        states = connection.execute(
            "SELECT status, count(*) FROM etl_table_logs WHERE error_message LIKE '%support_db%'"
            " GROUP BY status"
        ).fetchall()
    assert states == [("failed", 3)]


def test_a_run_that_is_interrupted_is_cancelled(project: Project, graph: Graph) -> None:
    project.map_only("Plan")
    with _slow_source(project):
        process = _start_run(project)
        wait_for(project, "SELECT count(*) FROM etl_table_logs WHERE is_progressing")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    ((status, ended, _),) = _runs(project)
    assert (status, ended) == ("cancelled", True)
    with project.connect() as connection:
        assert connection.execute(
            "SELECT DISTINCT status FROM etl_table_logs WHERE status <> 'completed'"
        ).fetchall() == [("cancelled",)]


def test_a_run_whose_process_was_killed_is_closed_by_the_next(
    project: Project, graph: Graph
) -> None:
    project.map_only("Plan")
    with _slow_source(project):
        process = _start_run(project)
        wait_for(project, "SELECT count(*) FROM etl_table_logs WHERE is_progressing")
        with DagsterInstance.ephemeral() as instance:
            assert close_abandoned_runs(RunLog(project.control), instance) == 0, "it is still alive"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert _runs(project) == [("running", False, None)]
    wait_for(
        project,
        "SELECT 1 - count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    assert materialize_by_command(select="*neo4j_graph").returncode == 0
    (first, second) = _runs(project)
    assert first[:2] == ("failed", True)
    assert second == ("completed", True, None)


def test_no_other_process_takes_a_run_for_abandoned_while_it_begins(project: Project) -> None:
    closed: list[int] = []

    class Instance(_Instance):
        def add_run_tags(self, run_id: str, tags: dict[str, str]) -> None:
            with DagsterInstance.ephemeral() as other:
                closed.append(close_abandoned_runs(RunLog(project.control), other))

        def get_run_by_id(self, run_id: str) -> None:
            return None

    assert list(_execute(Instance())) == []
    assert closed == [0]
    assert _runs(project) == [("completed", True, None)]


def test_a_row_is_seen_only_once_its_run_holds_it(project: Project) -> None:
    run_log, log_id = RunLog(project.control), 1
    begun, ended = threading.Event(), threading.Event()

    def begin() -> None:
        with run_log.running("live") as opened:
            assert opened == log_id
            begun.set()
            ended.wait(60)

    thread = threading.Thread(target=begin)
    with project.connect() as connection:
        connection.execute("SELECT pg_advisory_lock(%s, %s)", (RUN_LOCK, log_id))
        thread.start()
        wait_for(project, "SELECT count(*) FROM pg_locks WHERE NOT granted")
        assert _runs(project) == []
        connection.execute("SELECT pg_advisory_unlock(%s, %s)", (RUN_LOCK, log_id))
    try:
        assert begun.wait(60)
        assert _runs(project) == [("running", False, None)]
        assert run_log.abandoned_runs() == ()
    finally:
        ended.set()
        thread.join()
    assert [run.log_id for run in run_log.abandoned_runs()] == [log_id]


def test_a_run_that_cannot_be_tagged_is_closed_as_failed(project: Project) -> None:
    class Instance(_Instance):
        def add_run_tags(self, run_id: str, tags: dict[str, str]) -> None:
            raise ConnectionError("the storage is gone")

        @property
        def event_log_storage(self) -> Any:
            # What cannot be given back hides no reason.
            raise ConnectionError("the pools cannot be reached")

    with pytest.raises(ConnectionError, match="the storage is gone"):
        list(_execute(Instance()))
    assert _runs(project) == [("failed", True, "run: the storage is gone")]


class _Instance:
    """As much of Dagster's as an executor needs; tests add the rest."""

    @property
    def event_log_storage(self) -> Any:
        return SimpleNamespace(supports_global_concurrency_limits=False)

    def optimize_for_webserver(self, **kept: int) -> None:
        assert kept["pool_recycle"] < 60


def _execute(instance: object) -> Iterator[dg.DagsterEvent]:
    """A run of no steps."""
    nothing = SimpleNamespace(execute=lambda plan_context, execution_plan: iter(()))
    executor = AuditedExecutor(cast("dg.Executor", nothing))
    return executor.execute(SimpleNamespace(run_id="live", instance=instance), None)


def test_rows_move_while_a_table_is_read(project: Project, graph: Graph) -> None:
    project.map_only("Plan")
    with _slow_source(project):
        process = _start_run(project)
        wait_for(
            project,
            "SELECT count(*) FROM etl_table_logs WHERE is_progressing AND rows_processed > 0",
        )
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def _plain(metadata: Any, *names: str) -> tuple[Any, ...]:
    def value(name: str) -> Any:
        found = metadata[name]
        if isinstance(found, dg.TimestampMetadataValue):
            return datetime.fromtimestamp(found.value, UTC)
        return found.value

    return tuple(value(name) for name in names)


def _runs(project: Project) -> list[tuple[Any, ...]]:
    with project.connect() as connection:
        return connection.execute(
            "SELECT status, run_end_time IS NOT NULL, error_message FROM etl_run_logs ORDER BY log_id"
        ).fetchall()


class _slow_source:  # noqa: N801 - reads as a word in a with statement
    """A view in place of plans whose rows take their time, so that a run can be met in the middle."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def __enter__(self) -> None:
        with self._project.connect("profiles_db") as connection:
            connection.execute("ALTER TABLE plans RENAME TO plans_table")
            connection.execute(
                "CREATE VIEW plans AS SELECT n AS plan_id, 'x' || pg_sleep(0.0005)::text AS plan_name,"
                " 1.00::numeric(5,2) AS monthly_fee, 1 AS max_devices"
                " FROM generate_series(1, 100000) AS n"
            )

    def __exit__(self, *_: object) -> None:
        with self._project.connect("profiles_db") as connection:
            connection.execute("DROP VIEW plans")
            connection.execute("ALTER TABLE plans_table RENAME TO plans")


def _start_run(project: Project) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        materialize_command(),
        cwd=working_folder(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
