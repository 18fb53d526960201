"""The servers of a benchmark: PostgreSQL and one Neo4j that every contender gets empty."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.dataset import Counts
from c360_graph.graph.connection import Graph, open_graph
from c360_graph.graph.counts import graph_counts
from c360_graph.sandbox import servers
from c360_graph.sandbox.sample import Server
from c360_graph.sandbox.state import HOST, NEO4J_USER, POSTGRES_USER, Neo4jServer, PostgresServer

_REMOVALS = (
    "MATCH ()-[x]->() CALL (x) { DELETE x } IN TRANSACTIONS OF 20000 ROWS",
    "MATCH (x) CALL (x) { DELETE x } IN TRANSACTIONS OF 20000 ROWS",
)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What Neo4j may use, in MiB."""

    heap_mb: int
    page_cache_mb: int


@dataclass(frozen=True, kw_only=True)
class Target:
    """Running servers."""

    neo4j: Neo4jServer
    postgres: PostgresServer
    graph: Graph

    @property
    def source_server(self) -> Server:
        """PostgreSQL, for those who connect."""
        return Server(
            host=HOST,
            port=self.postgres.port,
            user=POSTGRES_USER,
            password=self.postgres.password,
        )

    def environment(self, control: str) -> dict[str, str]:
        """The project's settings that reach the servers and a control database."""
        return self.postgres.environment() | {"ETL_DB_NAME": control} | self.neo4j.environment()

    def counts(self) -> Counts:
        """What is in the graph."""
        nodes, relationships = graph_counts(self.graph)
        return Counts(nodes=nodes, relationships=relationships)

    def cpu_seconds(self) -> tuple[float, float]:
        """CPU time that Neo4j and PostgreSQL have used since they started."""
        return (
            _cpu_seconds(psutil.Process(self.neo4j.process.pid)),
            _cpu_seconds(psutil.Process(self.postgres.process.pid)),
        )

    def empty(self) -> None:
        """Remove everything, constraints and indexes too."""
        for removal in _REMOVALS:
            self.graph.run(removal.encode(), tag={})
        for row in self.graph.rows("SHOW CONSTRAINTS YIELD name RETURN name"):
            self.graph.run(f"DROP CONSTRAINT `{row['name']}`".encode(), tag={})
        for row in self.graph.rows(
            "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name"
        ):
            self.graph.run(f"DROP INDEX `{row['name']}`".encode(), tag={})


@contextmanager
def temporary_target(*, line: str, memory: Memory) -> Iterator[tuple[Target, Path]]:
    """Both servers, and the folder that they and the rest of a benchmark leave their files in."""
    with tempfile.TemporaryDirectory(prefix="c360_bench_") as name:
        folder = Path(name)
        (folder / "imports").mkdir()
        with running_target(
            folder / "sandbox", line=line, memory=memory, imports=folder / "imports"
        ) as target:
            yield target, folder


@contextmanager
def running_target(folder: Path, *, line: str, memory: Memory, imports: Path) -> Iterator[Target]:
    """Start both servers, and stop them at the end. `imports` is where LOAD CSV may read.

    Raises:
        SandboxError: one cannot be started.
    """
    try:
        started = servers.start(
            folder=folder,
            neo4j_line=line,
            heap_mb=memory.heap_mb,
            neo4j_settings={
                "server.memory.pagecache.size": f"{memory.page_cache_mb}m",
                "server.directories.import": str(imports.resolve()),
            },
        )
        neo4j = started.neo4j
        assert neo4j is not None
        assert started.postgres is not None
        with open_graph(
            uri=neo4j.uri, username=NEO4J_USER, password=neo4j.password, database="neo4j"
        ) as graph:
            yield Target(neo4j=neo4j, postgres=started.postgres, graph=graph)
    finally:
        servers.stop(folder=folder)


def _cpu_seconds(process: psutil.Process) -> float:
    """Of a process, of its children, and of those children that have ended."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if each.pid == process.pid:
            total += times.children_user + times.children_system
    return total
