"""Loads the target, one load at a time: from a script into an empty or emptied graph, or by reconciling."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from c360_graph.control.audit import RunLog, ScriptLog
from c360_graph.control.connection import ControlDatabase
from c360_graph.control.locks import control_owner, load_lock
from c360_graph.errors import GraphNotEmptyError, ScriptError
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import (
    LoadResult,
    clear_and_load,
    holds_nothing,
    load_into_empty,
)
from c360_graph.graph.load_session import LoadCallbacks
from c360_graph.graph.progress import Progress
from c360_graph.graph.reconcile import Desired, Reconciled, reconcile
from c360_graph.graph.script_contents import script_owner
from c360_graph.graph.target_lock import Claim
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.object_extracts import Extracts
from c360_graph.object_storage import KeptFile
from c360_graph.plan.model import GraphStatus, road_of
from c360_graph.scripts import Scripts

if TYPE_CHECKING:
    from c360_graph.extract_joins.graph_input import GraphParts


LOAD_TAG = "c360/load"
UPDATING = {LOAD_TAG: "reconcile"}
"""Tags of runs that nobody started by hand: they update the graph, so that it stays readable."""


def clears(configured: bool | None, *, setting: bool | None, tags: Mapping[str, str]) -> bool:
    """Whether a load empties the graph first.

    Args:
        configured: `clear_database` of the run's config; None where that does not say.
        setting: C360_CLEAR_DATABASE; None where it is unset.
        tags: the run's.

    >>> clears(None, setting=None, tags={}), clears(None, setting=None, tags=UPDATING)
    (True, False)
    >>> clears(None, setting=True, tags=UPDATING), clears(False, setting=True, tags={})
    (True, False)
    """
    for said in (configured, setting):
        if said is not None:
            return said
    return tags.get(LOAD_TAG) != UPDATING[LOAD_TAG]


@dataclass(frozen=True, kw_only=True)
class LoadedScript:
    """What was loaded, and the script's row with last_run_time set; None where it has no row."""

    result: LoadResult
    script_log: ScriptLog | None


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a load goes, who keeps its lock and who is told of it."""

    graph: Graph
    control: ControlDatabase
    sessions: int
    lock_wait_seconds: float
    report: Callable[[Progress], None]
    warn: Callable[[str], None]
    take_over: bool = False
    """Whether a graph of another control database becomes this one's."""

    @contextmanager
    def locked(self) -> Iterator[tuple[LoadCallbacks, Claim]]:
        """Hold the control database's lock on the target; the target's own is left to the load.

        Raises:
            LoadLockedError: another load of the target was under way all the time.
        """
        begin = time.monotonic()
        with load_lock(
            self.control,
            target=self.graph.server,
            identity=self.graph.identity(),
            wait_seconds=self.lock_wait_seconds,
            waiting=self.warn,
        ) as lock:
            owner = control_owner(self.control)
            claim = Claim(
                owner=owner,
                take_over=self.take_over,
                keeper=owner.id,
                wait_seconds=max(0.0, self.lock_wait_seconds - (time.monotonic() - begin)),
            )
            yield LoadCallbacks(report=self.report, warn=self.warn, check=lock.check), claim


def load_registered_script(
    target: Target, path: KeptFile, scripts: Scripts, *, clear: bool, of_any_owner: bool = False
) -> LoadedScript:
    """Load a script while holding the target's lock, then set its last_run_time.

    `of_any_owner` is whether a script that was written for another control database may be loaded;
    the graph is then that one's.

    Raises:
        LoadLockedError: another load of the target was under way all the time.
        GraphOwnedError: the graph is another control database's; nothing was changed.
        GraphNotEmptyError: `clear` is false and the graph holds something.
        ScriptError, StatementError, CountMismatchError: see `graph.load`.
    """
    run_log = RunLog(target.control)
    with target.locked() as (listener, claim):
        load = clear_and_load if clear else load_into_empty
        claim = _claim_for(path, claim, of_any_owner=of_any_owner)
        result = load(target.graph, path, sessions=target.sessions, listener=listener, claim=claim)
        resolved = path.resolve()
        registered = any(script.file_path == str(resolved) for script in run_log.scripts())
        script_log = run_log.script_loaded(resolved) if registered else None
        if script_log is not None and scripts.own_file(script_log) is not None:
            scripts.remember_loaded(resolved)
    return LoadedScript(result=result, script_log=script_log)


def load_script_if_empty(target: Target, path: KeptFile, scripts: Scripts) -> LoadedScript | None:
    """Load a script in place of an update of the graph, if the target holds nothing; None if it does.

    Raises:
        LoadLockedError, ScriptError, StatementError, CountMismatchError: as `load_registered_script`.
    """
    status: GraphStatus = "empty" if holds_nothing(target.graph) else "loaded"
    if road_of("reconcile", status) != "script":
        return None
    try:
        return load_registered_script(target, path, scripts, clear=False)
    except GraphNotEmptyError:
        # Another load came in between.
        return None


def _claim_for(path: KeptFile, claim: Claim, *, of_any_owner: bool) -> Claim:
    """The claim of a script: it says itself whom it was written for, where it is of a version that does."""
    owner = script_owner(path)
    if owner is None or owner == claim.owner:
        return claim
    if not of_any_owner and claim.owner is not None and owner.id != claim.owner.id:
        raise ScriptError(
            f"The script {path} was written for another control database ({owner.name}; this one is"
            f" {claim.owner.name}). Materialize cypher_script, so that the graph is that of now."
        )
    return replace(claim, owner=owner)


def reconcile_graph(
    target: Target,
    parts: GraphParts,
    *,
    kept: GraphManifest,
    max_removed_share: float,
    created: str,
    log_id: int,
    former: Extracts | None,
) -> Reconciled:
    """Bring the graph to the state of the extracts while it is being read.

    `former` has the extracts of the last load, so that only what differs is sent where the graph is as
    that load left it; None has every row compared with the graph.

    Raises:
        LoadLockedError: another load of the target was under way all the time.
        GraphOwnedError: the graph is another control database's; nothing was changed.
        StatementError, GraphError, CountMismatchError: see `graph.reconcile`.
    """
    desired = Desired(
        header=parts.header(created=created, log_id=log_id),
        extracts=parts.tables,
        mappings=parts.relationships,
        kept=kept,
        max_removed_share=max_removed_share,
    )
    # Here, as a load of a script alone compares nothing, and it takes memory to be able to.
    from c360_graph.extract_joins.changes import comparing

    with target.locked() as (listener, claim), ExitStack() as stack:
        if former is not None:
            changes = stack.enter_context(comparing(parts, former, warn=target.warn))
            desired = replace(desired, changes=changes)
        return reconcile(
            target.graph, desired, sessions=target.sessions, listener=listener, claim=claim
        )
