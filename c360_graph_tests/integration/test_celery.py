"""Steps on two workers that share no disk: a broker, a bucket, and what happens when a worker is killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import Project, TestServers, empty
from c360_graph_tests.integration.big_plans import (
    add_plans,
    count,
    hold_readers,
    let_readers_go,
    ranges,
    read_plans_in_ranges,
    wait_for_another_reader,
)
from c360_graph_tests.integration.celery_workers import (
    Broker,
    Servers,
    Worker,
    files,
    run_beside,
    workers,
)
from c360_graph_tests.integration.reconcile.reconciled import contents
from c360_graph_tests.integration.runs import materialize_by_command, until, wait_for
from c360_graph_tests.integration.schemas.world import built
from c360_graph_tests.integration.test_built_graph import relationships_by_sql
from c360_graph_tests.integration.test_pipeline import NODES
from c360_graph_tests.s3_server import s3_server

EMAIL = b"john.smith"
PLANS, GRAPH = "key:profiles_db/plans", "+key:neo4j_graph"
GONE = b"the worker's process that executed it is gone"
_IS_READING = "SELECT count(*) > 0 FROM etl_table_logs WHERE end_time IS NULL"

STARTED_SECONDS = 300.0
"""Until a worker has started and taken a step, beside other tests."""


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Both servers of this module."""
    with s3_server(tmp_path_factory.mktemp("s3")) as storage:
        broker = Broker(tmp_path_factory.mktemp("broker"))
        yield Servers(broker=broker, storage=storage)
        broker.end()


@pytest.fixture
def celery(beside: Servers, project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The sample, to be run by workers."""
    monkeypatch.setenv("C360_EXECUTOR", "celery")
    monkeypatch.setenv("C360_CELERY_BROKER", beside.broker.url)
    monkeypatch.setenv("C360_DATA_URI", f"s3://bucket/{project.prefix}")
    return project


def test_two_workers_without_a_common_disk_make_the_same_graph(
    celery: Project, beside: Servers, graph: Graph, tmp_path: Path
) -> None:
    with workers(tmp_path, "one", "two") as both:
        done = materialize_by_command(select=GRAPH)
        assert done.returncode == 0, done.stderr[-3000:]
        assert graph_counts(graph) == (NODES, relationships_by_sql(celery))
        for worker in both:
            # Of the last lines of a step, a log may lack some.
            assert b"STEP_START" in worker.log
            assert EMAIL not in worker.log
            assert files(worker.folder / "data") == []
    assert files(celery.data_dir) == []
    sent = b"".join(path.read_bytes() for path in files(beside.broker.folder))
    assert b"execute_step" in sent
    assert EMAIL not in sent
    assert b"db_host" not in sent


def test_a_killed_worker_fails_its_step_and_an_interrupt_ends_the_run(
    celery: Project, tmp_path: Path
) -> None:
    celery.map_only("Plan")
    with celery.connect("profiles_db") as connection:
        connection.execute("ALTER TABLE plans RENAME TO plans_table")
        connection.execute(
            "CREATE VIEW plans AS SELECT n AS plan_id, 'x' || pg_sleep(0.001)::text AS plan_name,"
            " 1.00::numeric(5,2) AS monthly_fee, 1 AS max_devices"
            " FROM generate_series(1, 100000) AS n"
        )
    with workers(tmp_path, "killed") as (worker,):
        with run_beside(PLANS) as process:
            wait_for(celery, _IS_READING, seconds=90)
            worker.kill()
            begin = time.monotonic()
            _, stderr = process.communicate(timeout=120)
        assert process.returncode != 0
        assert time.monotonic() - begin < 120
        assert GONE in stderr
        assert _table_logs(celery) == [("failed", True)]

    with workers(tmp_path, "interrupted") as (worker,):
        with run_beside(PLANS) as process:
            wait_for(celery, _IS_READING, seconds=90)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        assert process.returncode != 0
        assert _table_logs(celery) == [("failed", True), ("cancelled", True)]
        assert worker.process.poll() is None

        with celery.connect("profiles_db") as connection:
            connection.execute("DROP VIEW plans")
            connection.execute("ALTER TABLE plans_table RENAME TO plans")
        done = materialize_by_command(select=PLANS)
        assert done.returncode == 0, done.stderr[-3000:]
        assert _table_logs(celery)[-1] == ("completed", True)


def test_a_worker_killed_in_the_script_or_the_load_fails_the_run_and_the_next_one_is_whole(
    celery: Project, graph: Graph, tmp_path: Path
) -> None:
    celery.map_only("Plan")
    for step in ("cypher_script", "neo4j_graph"):
        with workers(tmp_path, "killed") as (worker,), run_beside(GRAPH) as process:
            until(partial(_has_begun, worker, step), seconds=STARTED_SECONDS)
            worker.kill()
            _, stderr = process.communicate(timeout=120)
        assert process.returncode != 0
        assert GONE in stderr
    with workers(tmp_path, "killed") as (worker,):
        done = materialize_by_command(select=GRAPH)
        assert done.returncode == 0, done.stderr[-3000:]
        assert graph_counts(graph) == ({"Plan": NODES["Plan"]}, {})
        assert files(worker.folder / "data") == []


@pytest.fixture
def big(celery: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Nothing but a table that two steps read."""
    celery.map_only("Plan")
    add_plans(celery)
    read_plans_in_ranges(monkeypatch)
    return celery


def test_two_workers_read_one_table_together(big: Project, graph: Graph, tmp_path: Path) -> None:
    wait_for_another_reader(big, before=1)
    with workers(tmp_path, "one", "two") as both:
        done = materialize_by_command(select=GRAPH)
        assert done.returncode == 0, done.stderr[-3000:]
        assert all(files(worker.folder / "data") == [] for worker in both)
    assert graph_counts(graph) == ({"Plan": count(big)}, {})
    found = ranges(big)
    assert {status for status, _, _ in found} == {"completed"}
    assert len({reader for _, reader, _ in found}) == 2


@pytest.mark.parametrize(
    ("killed", "is_loaded"),
    [
        pytest.param("join_2", True, id="the_step_that_joined"),
        pytest.param("read", False, id="the_step_that_keeps_the_snapshot"),
    ],
)
def test_a_worker_killed_while_it_reads_ranges_fails_the_run_and_loses_no_row(
    big: Project, graph: Graph, tmp_path: Path, killed: str, is_loaded: bool
) -> None:
    hold_readers(big)
    with workers(tmp_path, "one", "two") as both, run_beside(GRAPH) as process:
        step = f"profiles_db__plans.{killed}"
        until(
            lambda: (
                any(_has_begun(worker, step) for worker in both)
                and len({reader for _, reader, _ in ranges(big)}) == 3
            ),
            seconds=STARTED_SECONDS,
        )
        next(worker for worker in both if _has_begun(worker, step)).kill()
        let_readers_go(big)
        _, stderr = process.communicate(timeout=300)
    assert process.returncode != 0
    assert GONE in stderr
    assert f"{step} failed".encode() in stderr
    # Whoever keeps the snapshot has read what the other one left undone.
    expected = {"Plan": count(big)} if is_loaded else {}
    assert graph_counts(graph)[0] == expected


def test_a_run_whose_broker_and_storage_start_anew_in_the_middle_makes_the_same_graph(
    beside: Servers, servers: TestServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with built("hospital", servers, tmp_path) as hospital:
        wanted = contents(hospital.graph)
        empty(hospital.graph)
        monkeypatch.setenv("C360_EXECUTOR", "celery")
        monkeypatch.setenv("C360_CELERY_BROKER", beside.broker.url)
        monkeypatch.setenv("C360_DATA_URI", f"s3://bucket/{hospital.prefix}")
        with workers(tmp_path, "one", "two") as both, run_beside(GRAPH) as process:
            until(
                lambda: any(b"STEP_SUCCESS" in worker.log for worker in both),
                seconds=STARTED_SECONDS,
            )
            beside.broker.restart()
            beside.storage.end()
            beside.storage.start()
            _, stderr = process.communicate(timeout=600)
            assert process.returncode == 0, stderr[-3000:]
            assert all(files(worker.folder / "data") == [] for worker in both)
        assert contents(hospital.graph) == wanted


def _has_begun(worker: Worker, step: str) -> bool:
    return f"{step} - STEP_START".encode() in worker.log


def _table_logs(project: Project) -> list[tuple[Any, ...]]:
    with project.connect() as connection:
        return connection.execute(
            "SELECT status, end_time IS NOT NULL FROM etl_table_logs ORDER BY table_log_id"
        ).fetchall()
