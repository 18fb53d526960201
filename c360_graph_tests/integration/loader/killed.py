"""Work in a process of its own that kills itself at a chosen moment, as SIGKILL would."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from typing import Any

from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import TestServers


def killed_after(servers: TestServers, work: Callable[[Graph], object], text: str) -> bool:
    """Run `work` on a connection of its own; whether it was killed after it had sent such a statement."""
    child = os.fork()
    if child == 0:
        try:
            _die_after(text)
            with servers.open_graph() as graph:
                work(graph)
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def _die_after(wanted: str) -> None:
    run = Graph.run

    def run_and_die(self: Graph, statement: str | bytes, **more: Any) -> Any:
        done = run(self, statement, **more)
        text = statement.decode() if isinstance(statement, bytes) else statement
        if wanted in text:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    Graph.run = run_and_die  # type: ignore[method-assign]
