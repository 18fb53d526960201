"""Resolves the records of an identity from the latest extracts, and commits its tables as extracts."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from c360_graph.control.connection import ControlDatabase
from c360_graph.errors import ExtractError
from c360_graph.extract_joins.graph_input import latest_extract
from c360_graph.extracts import Extract, ExtractManifest
from c360_graph.files import writing_into
from c360_graph.identity.resolution import (
    Former,
    Limits,
    Resolution,
    ResolvedTable,
    resolve_records,
)
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import GraphMapping, Identity, NodeTable, TableMapping
from c360_graph.object_extracts import Extracts, extract_store
from c360_graph.object_storage import data_location
from c360_graph.settings import Settings

MOST_VALUES = 5
"""Ignored values that are told, at most; C360_PREVIEW_ROWS may allow fewer."""


def resolve_identity(
    *,
    identity: Identity,
    mapping: GraphMapping,
    rows: ControlRows,
    log_id: int,
    control: ControlDatabase,
    settings: Settings,
) -> Resolution:
    """Find the entities of an identity as the latest extracts and the decisions of now have them.

    Args:
        identity: which label, of which tables.
        mapping: of the whole graph.
        rows: the control rows that it was made of.
        log_id: the run's row in etl_run_logs.
        control: where people's decisions are.
        settings: folder, retention and limits.

    Raises:
        ExtractError: an extract lacks what the rules ask for, or nothing was extracted.
        ControlDatabaseError: the decisions cannot be read.
        SettingsError: rules compare records, and Splink is not installed.
    """
    start = datetime.now(UTC)
    store = extract_store(data_location(settings))
    decisions, refused = control.read_decisions(identity.label)
    extracts = _extracts(identity, mapping, rows, store)
    with writing_into(settings.c360_data_dir), store.work_folder() as work:
        resolution = resolve_records(
            identity,
            extracts,
            decisions=decisions,
            former=former_load(identity, store),
            limits=Limits(
                shared_records=settings.c360_most_sharing_records,
                shown_values=min(MOST_VALUES, settings.c360_preview_rows),
                least_score=settings.c360_least_score,
            ),
            folder=work,
        )
        # The entities come last: where something fails before, the next run knows the ids of before.
        for table in reversed(resolution.tables):
            _commit(store, table, resolution, log_id=log_id, start=start)
    for table in resolution.tables:
        store.prune(table.table.asset_key, keep=settings.c360_keep_extracts)
    problems = (*map(str, refused), *resolution.decision_problems)
    return replace(resolution, decision_problems=problems)


def _extracts(
    identity: Identity, mapping: GraphMapping, rows: ControlRows, store: Extracts
) -> dict[tuple[str, str], Extract]:
    found: dict[tuple[str, str], Extract] = {}
    for record in identity.records:
        table = mapping.table(record.table)
        extract = latest_extract(table, rows, store) if table is not None else None
        if table is None or extract is None:
            continue
        read = extract.manifest.table
        lacking = [column for column in record.columns if read.property_of(column) is None]
        if lacking or read.key != table.key:
            what = f"has no {', '.join(lacking)}" if lacking else "has another key"
            raise ExtractError(
                f"The latest extract of {table.qualified_name} {what}: it was made before identity_rules were as they"
                " are now. Materialize that asset again."
            )
        found[record.table] = extract
    if not found:
        tables = ", ".join("/".join(record.table) for record in identity.records)
        raise ExtractError(
            f"No table with records of {identity.label} has been extracted yet: {tables}. Materialize them"
            " first."
        )
    return found


def former_load(identity: Identity, store: Extracts) -> Former:
    """What the last run left, of tables whose keys mean the same now."""
    entities = _last_good(store, identity.entities)
    links = {}
    for record in identity.records:
        extract = _last_good(store, record.links)
        if extract is not None and extract.manifest.table.properties == record.links.properties:
            links["/".join(record.table)] = extract
    highest = entities.manifest.highest_id if entities else None
    return Former(links=links, highest_id=highest or 0)


def _last_good(store: Extracts, table: TableMapping) -> Extract | None:
    """The latest extract, or the one before if that is damaged: the ids in it must not be lost."""
    with suppress(ExtractError):
        return store.latest(table.asset_key)
    with suppress(OSError, ValueError):
        return store.former(table.asset_key)
    return None


def _commit(
    store: Extracts,
    table: ResolvedTable,
    resolution: Resolution,
    *,
    log_id: int,
    start: datetime,
) -> None:
    with store.new_extract(table.table.asset_key, log_id=log_id) as draft:
        with draft.open_rows() as (out, file), Path(table.path).open("rb") as rows:
            shutil.copyfileobj(rows, out, 1 << 20)
        is_entities = isinstance(table.table, NodeTable)
        draft.commit(
            ExtractManifest(
                table=table.table,
                rows=table.rows,
                values_absent={},
                file_bytes=file.size,
                file_lines=file.lines,
                file_digest=file.digest,
                longest_row_bytes=table.longest_row_bytes,
                log_id=log_id,
                table_log_id=0,
                highest_id=resolution.ids.highest_id if is_entities else None,
                start_time=start,
                end_time=datetime.now(UTC),
            ),
        )
