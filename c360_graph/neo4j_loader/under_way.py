"""What every load has around it: progress, a guard that may stop it, and nothing left running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from c360_graph.errors import C360Error
from c360_graph.neo4j_loader.execution import Execution
from c360_graph.neo4j_loader.graph import ERRORS, Graph
from c360_graph.neo4j_loader.guard import guarding
from c360_graph.neo4j_loader.progress import Progress, ProgressMeter, reporting


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who is told of a load. `check` may raise to stop it, in the middle of a statement too."""

    report: Callable[[Progress], None] = lambda progress: None
    warn: Callable[[str], None] = lambda message: None
    check: Callable[[], None] = lambda: None


@contextmanager
def under_way(graph: Graph, listener: Listener) -> Iterator[tuple[Execution, ProgressMeter]]:
    """A load's execution and its meter; whatever happens, nothing of it is left running."""
    meter = ProgressMeter()
    stopper = Execution(graph)
    with guarding(listener.check, stop=stopper.end_all) as guard:
        execution = Execution(graph, load=stopper.load, warn=listener.warn, check=guard.check)
        execution.end_other_loads()
        try:
            with reporting(meter, listener.report):
                yield execution, meter
        except BaseException:
            with suppress(C360Error, *ERRORS):
                execution.end_all()
            # What was stopped failed because it was stopped.
            guard.check()
            raise
