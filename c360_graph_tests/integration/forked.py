"""Dagster's commands in a fork of this process, which has imported what they import for seconds."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NoReturn

IMPORTED = ("dagster._cli", "c360_graph.dagster_storage", "c360_graph.definitions")
TIMEOUT_SECONDS = 180


def run_dagster(
    *words: str, folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """`python -m dagster` in a folder, with variables beside those of this process.

    The operating system shows the environment of this process for it, so whatever is about `.env` needs a
    process of its own.
    """
    for module in IMPORTED:
        importlib.import_module(module)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            _run(words, folder=folder, environment=environment, streams=(output, errors))
        status = _status(child)
        texts = []
        for stream in (output, errors):
            stream.seek(0)
            texts.append(stream.read().decode())
    return subprocess.CompletedProcess(["dagster", *words], status, *texts)


def _run(
    words: tuple[str, ...],
    *,
    folder: Path,
    environment: Mapping[str, str],
    streams: tuple[IO[bytes], IO[bytes]],
) -> NoReturn:
    """Run the command and end the process."""
    status = 1
    # What the parent opened is not closed here, and what it wants done at its end is not done.
    gc.freeze()
    atexit._clear()
    try:
        for number, stream in enumerate(streams, start=1):
            os.dup2(stream.fileno(), number)
        # A connection that the parent closes is to be closed, and one of the parent's to stay its own.
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        os.chdir(folder)
        os.environ.update(environment)
        sys.argv = ["dagster", *words]
        runpy.run_module("dagster", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _status(child: int) -> int:
    """Wait for the end of a child; one that takes too long is killed."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise TimeoutError(
                f"A command of Dagster's took longer than {TIMEOUT_SECONDS} seconds."
            )
        time.sleep(0.02)
