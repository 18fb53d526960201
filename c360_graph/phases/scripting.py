"""Writes one script from the latest extract of every mapped table, and registers it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from c360_graph.cypher.script import write_script
from c360_graph.cypher.statements import read_header
from c360_graph.data_folder import make_private_folder
from c360_graph.errors import ScriptError
from c360_graph.extracts import file_stamp
from c360_graph.phases.graph_parts import GraphParts
from c360_graph.run_log import RunLog, ScriptLog
from c360_graph.script_files import COMPRESSED, PLAIN, new_script, open_script
from c360_graph.settings import load_settings


@dataclass(frozen=True, kw_only=True)
class WrittenScript:
    """A registered script and what it was made of."""

    script_log: ScriptLog
    path: Path
    parts: GraphParts


def write_graph_script(
    *,
    parts: GraphParts,
    folder: Path,
    log_id: int,
    run_log: RunLog,
    compressed: bool = False,
) -> WrittenScript:
    """Write `graph_output_<UTC microseconds>_<log id>.cypher` into a folder, whole or not at all.

    A compressed one has `.zst` behind its name.

    Raises:
        ScriptError: the folder cannot be written.
    """
    header = parts.header(created=datetime.now(UTC).isoformat(), log_id=log_id)
    ending = COMPRESSED if compressed else PLAIN
    path = (folder / f"graph_output_{file_stamp()}_{log_id}{ending}").resolve()
    partial = path.with_suffix(".partial")
    try:
        make_private_folder(folder, within=load_settings().c360_data_dir)
        with new_script(partial, compressed=compressed) as out:
            write_script(out, header=header, extracts=parts.tables, mappings=parts.relationships)
        partial.replace(path)
    except OSError as error:
        raise ScriptError(f"The script {path} cannot be written: {error.strerror}.") from None
    finally:
        partial.unlink(missing_ok=True)
    return WrittenScript(script_log=run_log.register_script(path), path=path, parts=parts)


def script_to_load(run_log: RunLog, *, log_id: int) -> Path:
    """The script that this run wrote, else the newest that is still there.

    Raises:
        ScriptError: there is none.
    """
    scripts = run_log.scripts()
    endings = (f"_{log_id}{PLAIN}", f"_{log_id}{COMPRESSED}")
    own = [s for s in scripts if s.script_name.endswith(endings)]
    for script in (*own, *scripts):
        if Path(script.file_path).exists():
            return Path(script.file_path)
    raise ScriptError("No script has been written yet, or none is left. Materialize cypher_script.")


def prune_scripts(run_log: RunLog, *, keep: int, rules: str) -> int:
    """Remove all but the newest `keep` script files; the last one loaded stays too.

    A script written under other exclusion rules is removed even then: it may hold what no file may
    hold now. The rows of cypher_scripts stay as the history of what was made.
    """
    there = [s for s in run_log.scripts() if Path(s.file_path).exists()]
    allowed = [s for s in there if _rules_of(Path(s.file_path)) == rules]
    loaded = [s for s in allowed if s.last_run_time is not None]
    kept = {s.script_id for s in allowed[:keep]}
    if loaded:
        kept.add(max(loaded, key=lambda s: str(s.last_run_time)).script_id)
    removed = [s for s in there if s.script_id not in kept]
    for script in removed:
        with contextlib.suppress(OSError):
            Path(script.file_path).unlink()
    return len(removed)


def _rules_of(path: Path) -> str | None:
    with contextlib.suppress(OSError, ScriptError), open_script(path) as file:
        header = read_header(file)
        return header.rules if header else None
    return None
