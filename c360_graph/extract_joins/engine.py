"""DuckDB in a process of its own, told statements and answering with rows.

It spills to the disk, so that it stays small at any size: 212 MB beside play events of 1,000,000. In
a run's process, which holds 185 MB by then, it would be the one thing that goes beyond 300 MB.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from c360_graph.errors import ExtractError

MEMORY_LIMIT = "128MB"
THREADS = 2


class JoinEngine:
    """An engine that runs; made by `join_engine`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def rows(self, statement: str) -> list[list[Any]]:
        """All rows of a statement; of few rows only.

        Raises:
            ExtractError: it cannot be run; the engine's own words.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(statement) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            raise ExtractError("the engine that joins the extracts has ended") from None
        if "error" in answer:
            raise ExtractError(answer["error"])
        rows: list[list[Any]] = answer["rows"]
        return rows


@contextmanager
def join_engine(folder: Path, *, memory: str = MEMORY_LIMIT) -> Iterator[JoinEngine]:
    """Start an engine with nothing in it, which spills into a folder; it ends with the block, or with
    this process."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", __name__, str(folder.resolve()), memory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield JoinEngine(process)
    finally:
        # Whatever it is at: it holds nothing that anybody wants.
        process.kill()
        process.communicate()


def _serve(folder: str, memory: str) -> None:
    """Answer each line, a statement as JSON, by a line, until there are no more."""
    import duckdb

    # An interruption is for the run, which then closes this process's input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What it spills, and what statements write, are rows of customers.
    os.umask(0o077)
    statements: SimpleQueue[str] = SimpleQueue()
    Thread(target=_listen, args=(statements,), daemon=True).start()
    config: dict[str, Any] = {
        "memory_limit": memory,
        "threads": THREADS,
        "temp_directory": folder,
    }
    with duckdb.connect(":memory:", config=config) as connection:
        while True:
            try:
                statement = json.loads(statements.get())
                answer: dict[str, Any] = {"rows": connection.execute(statement).fetchall()}
            except duckdb.Error as error:
                answer = {"error": str(error).splitlines()[0][:200]}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def _listen(statements: SimpleQueue[str]) -> None:
    """Pass statements on; end this process with the one that told it, whatever is being executed."""
    for line in sys.stdin:
        statements.put(line)
    os._exit(0)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
