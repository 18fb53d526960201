"""Loads a registered script into the target, one load at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from c360_graph.control_db import ControlDatabase
from c360_graph.load_lock import load_lock
from c360_graph.neo4j_loader.graph import Graph
from c360_graph.neo4j_loader.load import Listener, LoadResult, clear_and_load, load_into_empty
from c360_graph.neo4j_loader.progress import Progress
from c360_graph.run_log import RunLog, ScriptLog


@dataclass(frozen=True, kw_only=True)
class LoadedScript:
    """What was loaded, and the script's row with last_run_time set; None where it has no row."""

    result: LoadResult
    script_log: ScriptLog | None


def load_registered_script(
    *,
    path: Path,
    graph: Graph,
    control: ControlDatabase,
    clear: bool,
    sessions: int,
    lock_wait_seconds: float,
    report: Callable[[Progress], None],
    warn: Callable[[str], None],
) -> LoadedScript:
    """Load a script while holding the target's lock, then set its last_run_time.

    Raises:
        LoadLockedError: another load of the target was under way all the time.
        GraphNotEmptyError: `clear` is false and the graph holds something.
        ScriptError, StatementError, CountMismatchError: see `neo4j_loader.load`.
    """
    run_log = RunLog(control)
    with load_lock(
        control,
        target=graph.place,
        identity=graph.identity(),
        wait_seconds=lock_wait_seconds,
        waiting=warn,
    ) as lock:
        listener = Listener(report=report, warn=warn, check=lock.check)
        load = clear_and_load if clear else load_into_empty
        result = load(graph, path, sessions=sessions, listener=listener)
        resolved = str(path.resolve())
        registered = any(script.file_path == resolved for script in run_log.scripts())
        script_log = run_log.script_loaded(Path(resolved)) if registered else None
    return LoadedScript(result=result, script_log=script_log)
