"""The process of the Neo4j that the tests run on."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from c360_graph_tests.conftest import TestServers


def server_process(servers: TestServers) -> tuple[psutil.Process, Path]:
    """The server's process and its sandbox folder; one that no sandbox started is never stopped or killed."""
    port = urlsplit(servers.neo4j_uri).port
    for process in psutil.process_iter(["cmdline"]):
        arguments = [a for a in process.info["cmdline"] or () if a.endswith("/java.arguments")]
        if arguments and any(c.laddr.port == port for c in process.net_connections("tcp")):
            return process, Path(arguments[0].removeprefix("@")).parents[2]
    pytest.skip("the server is not one of a sandbox")


def stop_server(servers: TestServers) -> Path:
    """End the server as its operator would; its sandbox folder, from which it can be started again."""
    process, sandbox = server_process(servers)
    process.terminate()
    process.wait(60)
    return sandbox
