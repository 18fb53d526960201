"""Runs a contender's process and measures it: time, CPU, memory, and how the graph grows meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.dataset import Counts
from benchmarks.target import Target
from c360_graph.errors import SandboxError
from c360_graph.graph.connection import Graph

C360 = (sys.executable, "-c", "from c360_graph.cli import app; app()")
"""The command `c360` of this interpreter, before the words that are given to it."""

_MEMORY_SECONDS = 0.05
_GRAPH_SECONDS = 0.2
_MB = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a process and its children took. `peak_mb` is of the largest one, `tree_mb` of all."""

    wall: float
    client_cpu: float
    neo4j_cpu: float
    postgres_cpu: float
    peak_mb: float
    tree_mb: float
    node_seconds: float | None
    relationship_seconds: float | None
    output: str


class _Memory:
    """Looks at the memory of a process tree again and again."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self.peak = self.tree = 0

    def look(self) -> None:
        sizes = []
        try:
            for process in (self._root, *self._root.children(recursive=True)):
                sizes.append(process.memory_info().rss)
        except psutil.Error:
            return
        self.peak = max(self.peak, *sizes)
        self.tree = max(self.tree, sum(sizes))


class _Growth:
    """When the graph had its nodes and its relationships, seen from outside: one clock for all.

    The count store answers in about a millisecond, so that asking does not disturb.
    """

    def __init__(self, graph: Graph, counts: Counts) -> None:
        self._graph, self._counts = graph, counts
        self._first: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def look(self) -> None:
        now = time.monotonic()
        row = self._graph.rows(
            "RETURN COUNT { (n) } AS nodes, COUNT { ()-[]->() } AS relationships"
        )[0]
        wanted = {
            "nodes": self._counts.all_nodes,
            "relationships": self._counts.all_relationships,
        }
        for what, all_of_it in wanted.items():
            # The loader keeps a node of its own beside the others.
            if row[what] <= 1:
                self._first[what] = now
            elif row[what] >= all_of_it:
                self._last.setdefault(what, now)

    def seconds(self, what: str) -> float | None:
        if what not in self._last or what not in self._first:
            return None
        return self._last[what] - self._first[what]


def run(
    command: list[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    target: Target,
    counts: Counts,
) -> Usage:
    """Run a contender to its end.

    Raises:
        SandboxError: it failed; shows the end of what it said.
    """
    log = folder / "contender.log"
    neo4j, postgres = target.cpu_seconds()
    begin = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603
            command, env={**os.environ, **environment}, cwd=folder, stdout=out, stderr=out
        )
    memory, growth = _Memory(process.pid), _Growth(target.graph, counts)
    with _repeating(memory.look, _MEMORY_SECONDS), _repeating(growth.look, _GRAPH_SECONDS):
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    growth.look()
    output = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        shown = "\n".join(output.splitlines()[-25:])
        raise SandboxError(f"{' '.join(command[:4])} ended with {process.returncode}:\n{shown}")
    neo4j_after, postgres_after = target.cpu_seconds()
    return Usage(
        wall=wall,
        client_cpu=used.ru_utime + used.ru_stime,
        neo4j_cpu=neo4j_after - neo4j,
        postgres_cpu=postgres_after - postgres,
        peak_mb=memory.peak / _MB,
        tree_mb=memory.tree / _MB,
        node_seconds=growth.seconds("nodes"),
        relationship_seconds=growth.seconds("relationships"),
        output=output,
    )


@contextmanager
def _repeating(look: Callable[[], None], seconds: float) -> Iterator[None]:
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(seconds):
            look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
