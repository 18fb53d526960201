"""The real cypher-shell on a script, to hold this loader against."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from c360_graph.sandbox.neo4j import cypher_shell_command
from c360_graph.sandbox.state import Neo4jServer, Process
from c360_graph_tests.conftest import TestServers


def load_by_cypher_shell(servers: TestServers, script: Path) -> None:
    """Run the script as it is by the real cypher-shell."""
    server = Neo4jServer(
        process=Process(pid=0, started=0.0),
        port=0,
        password=servers.neo4j_password,
        home=script.parent,
        line=servers.neo4j_line,
        heap_mb=0,
    )
    command = cypher_shell_command(server=server)
    command[command.index("-a") + 1] = servers.neo4j_uri
    done = subprocess.run(
        [*command, "--fail-fast", "--format", "plain", "--file", str(script)],
        env=os.environ | {"NEO4J_PASSWORD": servers.neo4j_password},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
