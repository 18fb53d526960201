"""Writes one script from the latest extract of every mapped table, and registers it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from c360_graph.control.audit import RunLog, ScriptLog
from c360_graph.cypher.script_reader import read_header
from c360_graph.cypher.script_writer import write_script
from c360_graph.errors import ScriptError
from c360_graph.extract_joins.graph_input import GraphParts
from c360_graph.files import file_stamp
from c360_graph.mapping.graph_manifest import Owner
from c360_graph.object_storage import KeptFile
from c360_graph.scripts import COMPRESSED, PLAIN, Scripts, new_script, open_script


@dataclass(frozen=True, kw_only=True)
class WrittenScript:
    """A registered script and what it was made of."""

    script_log: ScriptLog
    path: KeptFile
    parts: GraphParts


def write_graph_script(
    *,
    parts: GraphParts,
    store: Scripts,
    log_id: int,
    run_log: RunLog,
    folder: str | None = None,
    compressed: bool = False,
    owner: Owner | None = None,
) -> WrittenScript:
    """Write `graph_output_<UTC microseconds>_<log id>.cypher`, whole or not at all: into a folder, or where
    the store keeps them.

    A compressed one has `.zst` behind its name.

    Raises:
        ScriptError: the folder cannot be written.
        ObjectStorageError: the storage cannot be reached or refuses.
    """
    header = parts.header(created=datetime.now(UTC).isoformat(), log_id=log_id, owner=owner)
    ending = COMPRESSED if compressed else PLAIN
    name = f"graph_output_{file_stamp()}_{log_id}{ending}"
    path = store.path_for(name, folder=folder)
    rows: list[ScriptLog] = []

    def register(size: int) -> None:
        # Before the file has its name: a script that no row names would never be pruned.
        rows.append(run_log.register_script(path, size=size))

    try:
        store.prepare(path)
        store.remove_leftovers()
        with new_script(path, compressed=compressed, ready=register) as out:
            write_script(out, header=header, extracts=parts.tables, mappings=parts.relationships)
    except OSError as error:
        raise ScriptError(f"The script {path} cannot be written: {error.strerror}.") from None
    return WrittenScript(script_log=rows[-1], path=path, parts=parts)


def script_of_run(run_log: RunLog, store: Scripts, *, log_id: int) -> KeptFile | None:
    """The script that a run wrote; None if it wrote none, or the file is gone."""
    endings = (f"_{log_id}{PLAIN}", f"_{log_id}{COMPRESSED}")
    mine = [s for s in run_log.scripts() if s.script_name.endswith(endings)]
    return next((path for _, path in store.own_files(mine)), None)


def script_to_load(run_log: RunLog, store: Scripts, *, log_id: int) -> KeptFile:
    """The script that this run wrote, else the newest of the project's own that is still there.

    Raises:
        ScriptError: there is none.
    """
    mine = script_of_run(run_log, store, log_id=log_id)
    if mine is not None:
        return mine
    scripts = run_log.scripts()
    for _, path in store.own_files(scripts):
        return path
    elsewhere = "".join(f" {said}" for said in scripts_elsewhere(scripts, store))
    raise ScriptError(
        f"No script has been written yet, or none is left. Materialize cypher_script.{elsewhere}"
    )


def prune_scripts(run_log: RunLog, store: Scripts, *, keep: int, rules: str) -> int:
    """Remove all but the newest `keep` script files; the last one loaded stays too.

    A script written under other exclusion rules is removed even then: it may hold what no file may
    hold now. The rows of cypher_scripts stay as the history of what was made. Files that a row names
    and that are no scripts of the project's own are left alone.
    """
    existing = store.own_files(run_log.scripts())
    allowed = [(s, path) for s, path in existing if _rules_of(path) == rules]
    kept = {path for _, path in allowed[:keep]}
    kept |= {path for s, path in allowed if path == _loaded_last(allowed, store)}
    removed = {path for _, path in existing if path not in kept}
    # One that no row names: of a process that was killed, or of another control database.
    named = {path.resolve() for _, path in existing}
    removed |= {p for p in store.files() if p not in named and _rules_of(p) != rules}
    for path in removed:
        with contextlib.suppress(OSError):
            path.unlink()
    return len(removed)


def purge_scripts(store: Scripts, *, rules: str) -> int:
    """Remove every script written under other exclusion rules; returns how many were removed."""
    removed = [path for path in store.files() if _rules_of(path) != rules]
    for path in removed:
        with contextlib.suppress(OSError):
            path.unlink()
    return len(removed)


def scripts_elsewhere(scripts: Iterable[ScriptLog], store: Scripts) -> tuple[str, ...]:
    """Each row that names a file which is there, and is no script of the project's own."""
    return tuple(
        f"cypher_scripts row {script.script_id} names {script.file_path!r}, which is no script that this"
        f" project wrote to {store.folder}: it is neither loaded nor removed. Correct or delete the row;"
        " remove the file yourself where it is not wanted."
        for script in scripts
        if _exists(script.file_path) and store.own_file(script) is None
    )


def _loaded_last(scripts: list[tuple[ScriptLog, KeptFile]], store: Scripts) -> KeptFile | None:
    loaded = store.loaded
    if loaded is not None:
        return next((path for _, path in scripts if str(path) == loaded), None)
    # A data folder of an older version: only the control database knows.
    known = [(s.last_run_time, s.script_id, path) for s, path in scripts if s.last_run_time]
    return max(known)[2] if known else None


def _exists(path: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return os.path.lexists(path)
    return False


def _rules_of(path: KeptFile) -> str | None:
    with contextlib.suppress(OSError, ScriptError), open_script(path) as file:
        header = read_header(file)
        return header.rules if header else None
    return None
