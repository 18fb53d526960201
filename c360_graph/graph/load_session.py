"""What every load has around it: the target's lock, progress, a guard, and nothing left running. What the graph
has of a table that could not be read is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from c360_graph.cypher.script_writer import ScriptHeader
from c360_graph.errors import C360Error, GraphError
from c360_graph.faults import repeating
from c360_graph.graph.connection import ERRORS, Graph
from c360_graph.graph.execution import Execution
from c360_graph.graph.manifest import read_state
from c360_graph.graph.progress import Progress, ProgressMeter, reporting
from c360_graph.graph.target_lock import Claim, refuse_anothers_graph, target_lock
from c360_graph.mapping.graph_manifest import GraphManifest

CHECK_SECONDS = 1.0


class Guard:
    """Remembers why a load must stop."""

    def __init__(self) -> None:
        self.reason: C360Error | None = None

    def check(self) -> None:
        """Raise the reason to stop, if there is one."""
        if self.reason is not None:
            raise self.reason


@contextmanager
def guarding(check: Callable[[], None], *, stop: Callable[[], None]) -> Iterator[Guard]:
    """Call `check` now, and now and then while the block runs; once it raises, `stop` what runs."""
    check()
    guard = Guard()

    def look() -> bool:
        try:
            if guard.reason is None:
                check()
        except C360Error as error:
            guard.reason = error
        if guard.reason is not None:
            # Again until the load has ended: a statement may have been on its way just then.
            with suppress(C360Error, *ERRORS):
                stop()
        return True

    with repeating(look, every=CHECK_SECONDS, name="c360-guard"):
        yield guard


@dataclass(frozen=True, kw_only=True)
class LoadCallbacks:
    """Who is told of a load. `check` may raise to stop it, in the middle of a statement too."""

    report: Callable[[Progress], None] = lambda progress: None
    warn: Callable[[str], None] = lambda message: None
    check: Callable[[], None] = lambda: None


@contextmanager
def under_way(
    graph: Graph, listener: LoadCallbacks, claim: Claim, *, may_vanish: bool = False
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
            refuse_anothers_graph(state.manifest if state else None, claim, server=graph.server)
            execution.end_other_loads()
            with _ending(execution, guard, meter, listener):
                yield execution, meter


@contextmanager
def _ending(
    execution: Execution, guard: Guard, meter: ProgressMeter, listener: LoadCallbacks
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


def refuse_losing_tables(header: ScriptHeader, held: GraphManifest) -> None:
    """Make sure that a graph has nothing of a table that is left out, before anything is changed.

    Raises:
        GraphError: it has; names the table.
    """
    for table, label in header.left_out.items():
        only_its_own = label not in header.labels and bool(held.labels.get(label))
        if table in held.digests or only_its_own:
            what = f"{label} nodes" if label else "relationships"
            raise GraphError(
                f"{table} could not be read, no extract of it is kept, and the graph has its {what} from a"
                " former load, which this load would remove. Nothing was changed. Make the table"
                " readable and materialize it; or deactivate its row of node_label_mappings (or of"
                " relationship_mappings, for a junction) if they are to go."
            )


def said_of_left_out(header: ScriptHeader) -> str | None:
    """What a load says of tables that are left out; None where none is."""
    if not header.left_out:
        return None
    return f"Left out, since they could not be read: {', '.join(header.left_out)}."
