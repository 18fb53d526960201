"""What every load has around it: the target's lock, progress, a guard, and nothing left running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from c360_graph.errors import C360Error
from c360_graph.neo4j_loader.claim import Claim, refuse_anothers_graph
from c360_graph.neo4j_loader.execution import Execution
from c360_graph.neo4j_loader.graph import ERRORS, Graph
from c360_graph.neo4j_loader.guard import Guard, guarding
from c360_graph.neo4j_loader.manifest import read_state
from c360_graph.neo4j_loader.progress import Progress, ProgressMeter, reporting
from c360_graph.neo4j_loader.target_lock import target_lock


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who is told of a load. `check` may raise to stop it, in the middle of a statement too."""

    report: Callable[[Progress], None] = lambda progress: None
    warn: Callable[[str], None] = lambda message: None
    check: Callable[[], None] = lambda: None


@contextmanager
def under_way(
    graph: Graph, listener: Listener, claim: Claim, *, may_vanish: bool = False
) -> Iterator[tuple[Execution, ProgressMeter]]:
    """A load's execution and its meter; whatever happens, nothing of it is left running.

    The target's lock is held meanwhile. `may_vanish` is whether what is loaded may remove it.

    Raises:
        LoadLockedError: another load of the target was under way all the time.
        GraphOwnedError: the graph is another control database's; nothing was changed.
    """
    meter = ProgressMeter()
    stopper = Execution(graph)
    with target_lock(
        graph, claim, warn=listener.warn, check=listener.check, may_vanish=may_vanish
    ) as lock:

        def check() -> None:
            listener.check()
            lock.check()

        with guarding(check, stop=stopper.end_all) as guard:
            execution = Execution(
                graph,
                load=stopper.load,
                warn=listener.warn,
                check=guard.check,
                verify=lock.verify,
                owner=claim.owner,
            )
            state = read_state(execution)
            refuse_anothers_graph(state.manifest if state else None, claim, place=graph.place)
            execution.end_other_loads()
            with _ending(execution, guard, meter, listener):
                yield execution, meter


@contextmanager
def _ending(
    execution: Execution, guard: Guard, meter: ProgressMeter, listener: Listener
) -> Iterator[None]:
    """Report while the block runs; when it fails, end what it left running."""
    try:
        with reporting(meter, listener.report):
            yield
    except BaseException:
        with suppress(C360Error, *ERRORS):
            execution.end_all()
        # What was stopped failed because it was stopped.
        guard.check()
        raise
