"""Make the cache of Neo4j's classes (JEP 483), with which each server of the tests starts in half the time.

``python -m c360_graph_tests.aot_cache`` does nothing where this user's cache folder has it. It starts a server
that records which classes a load needs, and has Java read, check and link these once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from c360_graph.errors import C360Error
from c360_graph.graph.load import clear_and_load, graph_counts
from c360_graph.mapping.model import TableMapping
from c360_graph.sandbox import downloads
from c360_graph.sandbox.downloads import exclusive
from c360_graph.sandbox.neo4j import DEFAULT_LINE, find_line
from c360_graph.sandbox.servers import start_neo4j, stop
from c360_graph.sandbox.state import Neo4jServer
from c360_graph_tests.conftest import graph_at
from c360_graph_tests.integration.loader.scripts import (
    PATIENT,
    REFERRAL,
    VISIT,
    Row,
    joined,
    patients,
    referred,
    visits,
    write,
)

_CREATE_SECONDS = 600


def make_cache(line_name: str) -> None:
    """Make the cache of a release line, if its Java can use one and there is none.

    Raises:
        SandboxError: the server does not start.
        subprocess.CalledProcessError: Java does not make the cache.
    """
    line = find_line(name=line_name)
    made = line.aot_cache
    if not line.uses_aot_cache or made.exists():
        return
    with exclusive(target=made), tempfile.TemporaryDirectory(prefix="c360_aot_") as name:
        if made.exists():
            return
        recorded, cache = Path(name, "recorded"), Path(name, "cache")
        arguments = _record(Path(name, "sandbox"), line_name, recorded)
        # It takes the place of the server's own option, which names a folder that is gone.
        command = [str(downloads.ensure_java(version=line.java_version)), *arguments]
        command += [
            "-XX:AOTMode=create",
            f"-XX:AOTConfiguration={recorded}",
            f"-XX:AOTCache={cache}",
        ]
        command += [f"-Djava.io.tmpdir={name}"]
        subprocess.run(command, capture_output=True, check=True, timeout=_CREATE_SECONDS)
        # Under its name only once it is whole.
        partial = made.with_suffix(f".{os.getpid()}")
        partial.write_bytes(cache.read_bytes())
        partial.replace(made)


def _record(folder: Path, line_name: str, recorded: Path) -> list[str]:
    """Have a server write down which classes it needs; the options of Java that it ran with."""
    options = ("-XX:AOTMode=record", f"-XX:AOTConfiguration={recorded}")
    try:
        server = start_neo4j(folder=folder, neo4j_line=line_name, java_options=options)
        text = (server.home / "conf" / "java.arguments").read_text(encoding="utf-8")
        _work(server, recorded.parent)
    finally:
        stop(folder=folder)
    arguments = [line.strip('"') for line in text.splitlines()]
    end = arguments.index(find_line(name=line_name).main_class)
    return [argument for argument in arguments[:end] if argument not in options]


def _work(server: Neo4jServer, folder: Path) -> None:
    """What most tests do."""
    with graph_at(server.environment()) as graph:
        referrals: list[Row] = [(1, 2), (2, 3)]
        rows: list[tuple[TableMapping, list[Row]]] = [
            (PATIENT, patients(5)),
            (VISIT, visits(9, of=5)),
            (REFERRAL, referrals),
        ]
        mappings = (joined(1), joined(2, "NAMED", on=("name", "note")), referred(3))
        script = write(folder / "script.cypher", rows, mappings)
        for _ in range(2):
            clear_and_load(graph, script)
        graph_counts(graph)
        graph.rows("MATCH (a)-[r]->(b) WITH a, collect(DISTINCT type(r)) AS types RETURN types")


if __name__ == "__main__":
    try:
        make_cache(os.environ.get("C360_SANDBOX_NEO4J", DEFAULT_LINE))
    except (C360Error, OSError, subprocess.SubprocessError) as error:
        # On a slow machine a server may be killed before it has written all: servers start slowly then.
        sys.stderr.write(
            f"No cache of Neo4j's classes was made, and the tests go without: {error}\n"
        )
