"""Writes one script from the latest extract of every mapped table, and registers it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from c360_graph.cypher.script import TableExtract, header_for, write_script
from c360_graph.errors import ExtractError, ScriptError
from c360_graph.extracts import (
    PRIVATE_FOLDER,
    Extract,
    ExtractStore,
    file_stamp,
    open_private,
)
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import GraphMapping, Refusal, TableMapping
from c360_graph.mapping.relationships import resolve_relationships
from c360_graph.mapping.tables import describe
from c360_graph.run_log import RunLog, ScriptLog


@dataclass(frozen=True, kw_only=True)
class WrittenScript:
    """A registered script and what it was made of."""

    script_log: ScriptLog
    path: Path
    extracts: tuple[Extract, ...]
    labels: dict[str, int]
    relationship_types: tuple[str, ...]
    refusals: tuple[Refusal, ...]


def write_graph_script(
    *,
    mapping: GraphMapping,
    rows: ControlRows,
    store: ExtractStore,
    folder: Path,
    log_id: int,
    run_log: RunLog,
) -> WrittenScript:
    """Write `graph_output_<UTC microseconds>_<log id>.cypher` into a folder, whole or not at all.

    Raises:
        ExtractError: a mapped table has no extract, or one that holds a column excluded since.
        ScriptError: the folder cannot be written.
    """
    extracts = tuple(_latest(table, rows, store) for table in mapping.tables)
    relationships, refusals, _ = resolve_relationships(
        rows, tuple(extract.manifest.table for extract in extracts)
    )
    parts = tuple(
        TableExtract(table=e.manifest.table, rows=e.manifest.rows, open=e.open) for e in extracts
    )
    header = header_for(parts, created=datetime.now(UTC).isoformat(), log_id=log_id)
    path = (folder / f"graph_output_{file_stamp()}_{log_id}.cypher").resolve()
    partial = path.with_suffix(".partial")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        with open_private(partial) as out:
            write_script(out, header=header, extracts=parts, mappings=relationships)
        partial.replace(path)
    except OSError as error:
        raise ScriptError(f"The script {path} cannot be written: {error.strerror}.") from None
    finally:
        partial.unlink(missing_ok=True)
    return WrittenScript(
        script_log=run_log.register_script(path),
        path=path,
        extracts=extracts,
        labels=header.labels,
        relationship_types=tuple(r.relationship_type for r in relationships),
        refusals=refusals,
    )


def script_to_load(run_log: RunLog, *, log_id: int) -> Path:
    """The script that this run wrote, else the newest that is still there.

    Raises:
        ScriptError: there is none.
    """
    scripts = run_log.scripts()
    own = [s for s in scripts if s.script_name.endswith(f"_{log_id}.cypher")]
    for script in (*own, *scripts):
        if Path(script.file_path).exists():
            return Path(script.file_path)
    raise ScriptError("No script has been written yet, or none is left. Materialize cypher_script.")


def prune_scripts(run_log: RunLog, *, keep: int) -> int:
    """Remove all but the newest `keep` script files; the last one loaded stays too.

    The rows of cypher_scripts stay as the history of what was made.
    """
    there = [s for s in run_log.scripts() if Path(s.file_path).exists()]
    loaded = [s for s in there if s.last_run_time is not None]
    kept = {s.script_id for s in there[:keep]}
    if loaded:
        kept.add(max(loaded, key=lambda s: str(s.last_run_time)).script_id)
    removed = [s for s in there if s.script_id not in kept]
    for script in removed:
        with contextlib.suppress(OSError):
            Path(script.file_path).unlink()
    return len(removed)


def _latest(table: TableMapping, rows: ControlRows, store: ExtractStore) -> Extract:
    extract = store.latest(table.asset_key)
    if extract is None:
        raise ExtractError(
            f"{table.place} has not been extracted yet. Materialize that asset first."
        )
    held = {prop.column: prop.treatment for prop in extract.manifest.table.properties}
    wanted = _treatments(table, rows, extract)
    changed = sorted(column for column in held if held[column] != wanted.get(column, "exclude"))
    if changed:
        raise ExtractError(
            f"The latest extract of {table.place} holds {', '.join(changed)} otherwise than"
            " field_exclusion_rules now say. Materialize that asset again."
        )
    return extract


def _treatments(table: TableMapping, rows: ControlRows, extract: Extract) -> dict[str, str | None]:
    """How the rules of today treat the columns that an extract holds."""
    described = extract.manifest.table
    today = describe(
        source=table.source,
        table_name=table.table_name,
        label_row=None,
        exclusions=rows.exclusions,
        catalog_table=described.as_catalog_table(),
    )
    return {prop.column: prop.treatment for prop in today.properties}
