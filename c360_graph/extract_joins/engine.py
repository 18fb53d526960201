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
from c360_graph.extracts import Extract
from c360_graph.sql_quoting import sql_literal

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
def join_engine(folder: Path) -> Iterator[JoinEngine]:
    """Start an engine with nothing in it, which spills into a folder; it ends with the block, or with
    this process."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", __name__, str(folder.resolve())],
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


def _serve(folder: str) -> None:
    """Answer each line, a statement as JSON, by a line, until there are no more."""
    import duckdb

    # An interruption is for the run, which then closes this process's input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What it spills, and what statements write, are rows of customers.
    os.umask(0o077)
    statements: SimpleQueue[str] = SimpleQueue()
    Thread(target=_listen, args=(statements,), daemon=True).start()
    config: dict[str, Any] = {
        "memory_limit": MEMORY_LIMIT,
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
    _serve(sys.argv[1])


READ_BYTES = 2_000_000
_SHORT_LINE = 100_000


def file_rows(extract: Extract) -> str:
    """SQL for the columns c0, c1, ... of COPY's text form, escapes left as they are: equal values have equal texts."""
    names = ", ".join(f"'c{i}': 'VARCHAR'" for i, _ in enumerate(extract.manifest.table.properties))
    return _read(extract, delimiter="\t", columns=f"{{{names}}}")


def file_lines(extract: Extract) -> str:
    """SQL for the column `line`: each row's text as a whole."""
    # COPY writes a backspace as an escape, so that none stands in the text and nothing is cut apart.
    return _read(extract, delimiter="\b", columns="{'line': 'VARCHAR'}")


def written_to(path: Path, query: str) -> str:
    """SQL that writes the one column of a query into a file, a line for each row, nothing quoted."""
    return (
        f"COPY ({query}) TO {sql_literal(str(path))}"
        " (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\b')"
    )


def _read(extract: Extract, *, delimiter: str, columns: str) -> str:
    size = max(extract.manifest.longest_row_bytes, _SHORT_LINE)
    # By itself it takes 32 MB at a time, and keeps several: so much that the limit stopped joins.
    sizes = f"max_line_size={size}, buffer_size={max(2 * size, READ_BYTES)}"
    return (
        f"read_csv({sql_literal(str(extract.rows_path))}, delim='{delimiter}', quote='', escape='',"
        f" nullstr='\\N', header=false, auto_detect=false, columns={columns}, {sizes})"
    )
