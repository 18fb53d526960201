"""A table as it is found in a snapshot, by which it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from c360_graph.control.connection import ControlDatabase
from c360_graph.errors import MappingError, SettingsError, SourceError
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.control_rows import ControlRows, NodeLabelRow, SourceRow
from c360_graph.mapping.exclusions import (
    ColumnHistory,
    holding_rules,
    rules_without_table,
    why_held_back,
)
from c360_graph.mapping.join_forms import with_join_columns
from c360_graph.mapping.model import NodeTable, TableMapping
from c360_graph.mapping.tables import describe, why_unknown_time_zone
from c360_graph.pipeline.readiness import hash_key_problem
from c360_graph.settings import Settings
from c360_graph.source.snapshot import SourceSnapshot
from c360_graph.source.snapshot_series import SnapshotSeries


def source_snapshots(
    source: SourceRow,
    control: ControlDatabase,
    settings: Settings,
    warn: Callable[[str], None],
) -> SnapshotSeries:
    """Snapshots of a source as the settings want them; `warn` is told of a source that sends nothing."""
    return SnapshotSeries(
        source,
        lambda: control.source_credentials(source),
        silent_seconds=settings.c360_source_timeout_seconds or None,
        warn=warn,
    )


def find_table(
    snapshot: SourceSnapshot, table: TableMapping, rows: ControlRows, history: ColumnHistory
) -> CatalogTable:
    catalog = snapshot.catalog(frozenset({table.table_name}))
    if catalog.unknown_time_zone is not None:
        raise SourceError(
            f"{table.qualified_name} is not read: {why_unknown_time_zone(table.source)} (source_databases row"
            f" {table.source.source_id})."
        )
    found = catalog.table(table.table_name)
    if found is None:
        row = f"node_label_mappings row {table.mapping_id}" if table.mapping_id else "its mapping"
        raise SourceError(
            f"source {table.source.source_name} has no table {table.table_name!r} in schema"
            f" {table.source.db_schema!r} that its role may see; correct {row} or the source."
        )
    holding = holding_rules(
        table.source,
        found,
        rows,
        history,
        without_table=rules_without_table(table.source, catalog, rows),
    )
    if holding:
        raise SourceError(why_held_back(table.source, found, holding, history))
    return found


def describe_found(
    found: CatalogTable, table: TableMapping, rows: ControlRows, history: ColumnHistory
) -> TableMapping:
    label_row = (
        NodeLabelRow(
            mapping_id=table.mapping_id,
            source_id=table.source.source_id,
            table_name=table.table_name,
            node_label=table.node_label,
            row_filter=" AND ".join(map(str, table.row_filter)) or None,
            key_columns=table.declared_key or None,
            **_labels(table),
        )
        if isinstance(table, NodeTable) and table.mapping_id is not None
        else None
    )
    try:
        described = describe(
            source=table.source,
            table_name=table.table_name,
            label_row=label_row,
            rows=rows,
            history=history,
            catalog_table=found,
            label_is_shared=table.label_is_shared,
        )
    except MappingError as error:
        # The table has changed since the run began.
        raise SourceError(
            f"{table.qualified_name} is not read: {error} (node_label_mappings row {table.mapping_id})."
        ) from None
    forms = (prop.column for prop in table.properties if prop.form is not None)
    return with_join_columns(described, forms).model_copy(
        update={"indexed": table.indexed, "identified_by": table.identified_by}
    )


def _labels(table: TableMapping) -> dict[str, Any]:
    """What the control row says of further labels."""
    by_value = table.property_of(table.extra.by_property or "")
    return {
        "extra_labels": table.extra.always,
        "label_column": by_value.origin if by_value else None,
        "label_values": table.extra.values,
    }


def hashing_of(table: TableMapping, settings: Settings) -> KeyedHash | None:
    """The table's hashing; None where nothing of it is hashed."""
    hashed = [prop.column for prop in table.properties if prop.treatment == "hash"]
    if not hashed:
        return None
    problem = hash_key_problem(table, settings)
    if problem or settings.c360_hash_key is None:
        raise SettingsError(problem or "C360_HASH_KEY is not set.")
    return KeyedHash(settings.c360_hash_key.get_secret_value())
