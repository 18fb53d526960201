"""A first load offline: `c360 export`, neo4j-admin, the start of the server, and `c360 finish-import`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.contenders.contender import Contender, Ground, Run, module_run
from benchmarks.contenders.offline_import import admin_command, home_environment
from benchmarks.dataset import Counts
from benchmarks.measurement import C360, Usage
from c360_graph.graph.connection import open_graph
from c360_graph.graph.counts import graph_counts
from c360_graph.import_files.import_folder import import_command
from c360_graph.pipeline.write_import_files import ARGUMENTS
from c360_graph.sandbox import servers
from c360_graph.sandbox.state import NEO4J_USER, end

_FILES = "import_files"


@dataclass(frozen=True, kw_only=True)
class OfflineLoad:
    """Seconds of each part, and what the graph has."""

    seconds: dict[str, float]
    nodes: dict[str, int]
    relationships: dict[str, int]


class FirstLoadOffline(Contender):
    """From the extracts of the pipeline to a server that answers, into a database of its own."""

    title = "this project's export, imported offline"
    online = False

    def prepare(self, ground: Ground) -> Run:
        """A server that was started once and is stopped."""
        folder = ground.folder / "offline_first_load"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        server = servers.start_neo4j(
            folder=folder,
            neo4j_line=ground.line,
            heap_mb=ground.memory.heap_mb,
            settings={"server.memory.pagecache.size": f"{ground.memory.page_cache_mb}m"},
        )
        end(process=server.process, polite=signal.SIGTERM)
        arguments = [str(folder), ground.line, str(ground.memory.heap_mb)]
        run = module_run(ground, __name__, *arguments)
        own = ground.target.environment(ground.dataset.databases.control)
        own["C360_DATA_DIR"] = str(ground.folder / "data")
        return replace(run, environment=run.environment | own)

    def counts(self, ground: Ground, usage: Usage) -> Counts:
        """What the database of its own holds."""
        result = _result(usage)
        return Counts(nodes=result.nodes, relationships=result.relationships)

    def facts(self, ground: Ground, usage: Usage) -> dict[str, float]:
        """Seconds of each part."""
        return _result(usage).seconds


def load_offline(folder: Path, *, line: str, heap_mb: int) -> OfflineLoad:
    """Export, import, start the server and complete the graph."""
    files = folder / _FILES
    seconds: dict[str, float] = {}

    def timed(name: str, command: list[str], environment: dict[str, str] | None = None) -> None:
        begin = time.monotonic()
        subprocess.run(command, env=os.environ | (environment or {}), check=True)  # noqa: S603
        seconds[name] = time.monotonic() - begin

    timed("c360 export", [*C360, "export", str(files)])
    imported = import_command("", "neo4j", files / ARGUMENTS, ("--overwrite-destination",))
    admin = [*admin_command(line, heap_mb=heap_mb), *imported[1:]]
    timed("neo4j-admin", admin, home_environment(folder / "neo4j"))
    try:
        begin = time.monotonic()
        server = servers.restart_neo4j(folder=folder)
        seconds["start of the server"] = time.monotonic() - begin
        finish = [*C360, "finish-import", str(files)]
        timed("c360 finish-import", finish, server.environment())
        with open_graph(
            uri=server.uri, username=NEO4J_USER, password=server.password, database="neo4j"
        ) as graph:
            nodes, relationships = graph_counts(graph)
    finally:
        servers.stop(folder=folder)
    return OfflineLoad(seconds=seconds, nodes=nodes, relationships=relationships)


def _result(usage: Usage) -> OfflineLoad:
    return OfflineLoad(**json.loads(usage.output.splitlines()[-1]))


if __name__ == "__main__":
    found = load_offline(Path(sys.argv[1]), line=sys.argv[2], heap_mb=int(sys.argv[3]))
    print(json.dumps(asdict(found)))  # noqa: T201
