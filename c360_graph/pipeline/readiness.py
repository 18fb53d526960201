"""What a run would fail at, found without running: asked of settings, sources and folder, written to none of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from c360_graph.control.connection import ControlDatabase
from c360_graph.errors import C360Error, SettingsError, SourceError
from c360_graph.identity.similar import splink_problem
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.model import GraphMapping, TableMapping
from c360_graph.object_storage import data_location
from c360_graph.settings import Settings
from c360_graph.source.snapshot import SourceSnapshot, open_snapshot

NO_TABLE = (
    "No table can be read: the control database maps none that is active and sound. Add rows to"
    " source_databases and node_label_mappings."
)


def lacking(mapping: GraphMapping, settings: Settings) -> Iterator[str]:
    """What the mapping, the settings and the data folder lack for a run; no server is asked."""
    if not mapping.tables:
        yield NO_TABLE
    for table in mapping.tables:
        problem = hash_key_problem(table, settings)
        if problem:
            yield problem
    yield from filter(None, map(splink_problem, mapping.identities))
    try:
        location = data_location(settings)
    except SettingsError as error:
        yield str(error)
        return
    for folder in {settings.c360_data_dir, *([location] if isinstance(location, Path) else [])}:
        problem = folder_problem(folder)
        if problem:
            yield problem


def hash_key_problem(table: TableMapping, settings: Settings) -> str | None:
    """Why a table's columns cannot be hashed, None where they can or none is to be."""
    hashed = [prop.column for prop in table.properties if prop.treatment == "hash"]
    if not hashed or settings.c360_hash_key is not None:
        return None
    return f"{table.qualified_name}: {', '.join(hashed)} are to be hashed, and C360_HASH_KEY is not set."


def folder_problem(folder: Path) -> str | None:
    """Why nothing can be written below a folder, which need not exist yet; None where it can."""
    resolved = folder.resolve()
    existing = next(path for path in (resolved, *resolved.parents) if path.exists())
    if not existing.is_dir():
        return f"C360_DATA_DIR {resolved} cannot be used: {existing} is no folder."
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"C360_DATA_DIR {resolved} cannot be used: {existing} cannot be written to."
    return None


def unreadable_tables(
    control: ControlDatabase, mapping: GraphMapping, unasked: Mapping[int, str]
) -> tuple[str, ...]:
    """Why tables cannot be read, a line for each; sources that could not be asked before are left out."""
    sources = {table.source.source_id: table.source for table in mapping.source_tables}
    asked = [source for number, source in sources.items() if number not in unasked]

    def ask(source: SourceRow) -> list[str]:
        try:
            with open_snapshot(source, control.source_credentials(source)) as snapshot:
                return list(unreadable(snapshot, mapping.tables))
        except C360Error as error:
            return [str(error)]

    with ThreadPoolExecutor(max_workers=8) as pool:
        return tuple(line for lines in pool.map(ask, asked) for line in lines)


def unreadable(snapshot: SourceSnapshot, tables: Iterable[TableMapping]) -> Iterator[str]:
    """Why tables of a source cannot be read as extraction would read them, a line for each.

    Raises:
        SourceError: the source left.
    """
    for table in tables:
        if table.source.source_id == snapshot.source.source_id:
            why = snapshot.why_unreadable(table)
            if why:
                yield why


def unreadable_or_left(snapshot: SourceSnapshot, tables: Iterable[TableMapping]) -> Iterator[str]:
    """As `unreadable`; that the source left is a line, too."""
    try:
        yield from unreadable(snapshot, tables)
    except SourceError as error:
        yield str(error)
