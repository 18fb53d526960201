"""Metadata of materializations: the same facts as the audit rows."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from c360_graph.assets.columns import graph_columns, graph_schema, lineage_to_tables, table_columns
from c360_graph.assets.markdown import cell, table
from c360_graph.assets.preview import preview
from c360_graph.assets.schema_picture import schema_picture
from c360_graph.mapping.model import RelationshipMapping, TableMapping
from c360_graph.neo4j_loader.reconcile import Reconciled
from c360_graph.phases.extraction import ExtractedTable
from c360_graph.phases.left_out_rows import rows_left_out
from c360_graph.phases.loading import LoadedScript
from c360_graph.phases.scripting import WrittenScript

Metadata = dict[str, Any]


def extract_facts(extracted: ExtractedTable, *, preview_rows: int) -> Metadata:
    """An extract, its first rows, and its row of etl_table_logs."""
    log, manifest = extracted.table_log, extracted.extract.manifest
    facts: Metadata = {
        "log_id": log.log_id,
        "table_log_id": log.table_log_id,
        "status": log.status,
        "rows": log.rows_processed,
        "start_time": moment(log.start_time),
        "end_time": moment(log.end_time),
        "dagster/row_count": log.rows_processed,
        "dagster/uri": str(extracted.extract.rows_path.resolve()),
        "dagster/table_name": table_name(manifest.table),
        "dagster/column_schema": table_columns(manifest.table),
        "seconds": round((log.end_time - log.start_time).total_seconds(), 3),
        "file_bytes": manifest.file_bytes,
        "key": ", ".join(manifest.table.key) or "none, so the label has no constraint",
    }
    if preview_rows:
        facts["preview"] = dg.MetadataValue.md(preview(extracted.extract, rows=preview_rows))
    left_out = rows_left_out(manifest)
    if left_out:
        facts |= {"rows_left_out": manifest.rows_left_out, "left_out": left_out}
    if manifest.table.withheld:
        facts["withheld_columns"] = dg.MetadataValue.json(list(manifest.table.withheld))
    if manifest.values_absent:
        facts["values_absent"] = dg.MetadataValue.json(manifest.values_absent)
    return facts


def script_facts(written: WrittenScript, *, log_id: int) -> Metadata:
    """A script, its row of cypher_scripts, and which extracts it holds."""
    log, parts = written.script_log, written.parts
    columns = graph_columns([t.table for t in parts.tables], parts.relationships)
    left_out = [str(missing) for missing in parts.left_out]
    return {
        **({"tables_left_out": dg.MetadataValue.json(left_out)} if left_out else {}),
        "log_id": log_id,
        "script_id": log.script_id,
        "script_name": log.script_name,
        "file_size_kb": log.file_size_kb,
        "last_updated_at": moment(log.last_updated_at),
        "dagster/uri": str(written.path),
        "script": dg.MetadataValue.path(written.path),
        "dagster/column_schema": graph_schema(columns),
        "dagster/column_lineage": lineage_to_tables(columns),
        "rows": sum(extract.manifest.rows for extract in parts.extracts),
        "relationship_types": dg.MetadataValue.json(
            [r.relationship_type for r in parts.relationships]
        ),
        "extracts": dg.MetadataValue.md(_extracts_table(written, log_id)),
    }


def load_facts(
    loaded: LoadedScript, relationships: Iterable[RelationshipMapping], *, log_id: int
) -> Metadata:
    """What a load of the script made, and the script's row of cypher_scripts."""
    result, log = loaded.result, loaded.script_log
    facts: Metadata = {
        "log_id": log_id,
        "statements": result.statements,
        "rows": result.rows,
        "nodes_created": sum(result.nodes.values()),
        "relationships_created": sum(result.relationships.values()),
        "nodes_by_label": dg.MetadataValue.md(counts_table("label", result.nodes)),
        "relationships_by_type": dg.MetadataValue.md(counts_table("type", result.relationships)),
        **_totals(result.seconds, result.nodes, result.relationships, relationships),
    }
    if log is not None and log.last_run_time is not None:
        facts |= {
            "script_id": log.script_id,
            "script_name": log.script_name,
            "last_run_time": moment(log.last_run_time),
            "script": dg.MetadataValue.path(log.file_path),
        }
    return facts


def reconcile_facts(
    reconciled: Reconciled, relationships: Iterable[RelationshipMapping], *, log_id: int
) -> Metadata:
    """What a reconciliation changed."""
    nodes = {
        label: (c.created, c.updated, c.deleted) for label, c in reconciled.changed_nodes.items()
    }
    edges = {kind: (c.created, c.deleted) for kind, c in reconciled.changed_relationships.items()}
    facts: Metadata = {
        "log_id": log_id,
        **reconciled.changes,
        "nodes_by_label": dg.MetadataValue.md(
            counts_table("label", reconciled.nodes, ("created", "updated", "deleted"), nodes)
        ),
        "relationships_by_type": dg.MetadataValue.md(
            counts_table("type", reconciled.relationships, ("created", "deleted"), edges)
        ),
        **_totals(reconciled.seconds, reconciled.nodes, reconciled.relationships, relationships),
    }
    if reconciled.purged_properties:
        facts["purged_properties"] = dg.MetadataValue.json(list(reconciled.purged_properties))
    return facts


def table_name(mapping: TableMapping) -> str:
    """`database.schema.table`, by which Dagster knows a table."""
    return f"{mapping.source.db_name}.{mapping.source.db_schema}.{mapping.table_name}"


def _totals(
    seconds: float,
    nodes: dict[str, int],
    edges: dict[str, int],
    relationships: Iterable[RelationshipMapping],
) -> Metadata:
    drawn = dict.fromkeys((r.relationship_type, r.from_label, r.to_label) for r in relationships)
    return {
        "load_seconds": round(seconds, 3),
        "nodes": sum(nodes.values()),
        "relationships": sum(edges.values()),
        "schema": dg.MetadataValue.md(
            schema_picture(labels=nodes, edges=tuple(drawn), counts=edges)
        ),
    }


def moment(value: datetime) -> dg.TimestampMetadataValue:
    """A moment as Dagster shows it, to the microsecond."""
    return dg.MetadataValue.timestamp(value)


def counts_table(
    name: str,
    counts: Mapping[str, int],
    kinds: tuple[str, ...] = (),
    changes: Mapping[str, tuple[int, ...]] | None = None,
) -> str:
    """Counts as a Markdown table, with further columns for what was changed."""
    changed = changes or {}
    nothing = (0,) * len(kinds)
    return table(
        (name, "count", *kinds),
        [
            (
                cell(key),
                *(f"{n:,}" for n in (counts.get(key, 0), *changed.get(key, nothing))),
            )
            for key in dict.fromkeys([*counts, *changed])
        ],
        right=frozenset(range(1, len(kinds) + 2)),
    )


def _extracts_table(written: WrittenScript, log_id: int) -> str:
    return table(
        ("table", "rows", "extract of"),
        [
            (
                cell(e.manifest.table.place),
                f"{e.manifest.rows:,}",
                f"{'this run' if e.manifest.log_id == log_id else f'run {e.manifest.log_id}'},"
                f" {e.manifest.end_time:%Y-%m-%d %H:%M:%S} UTC",
            )
            for e in written.parts.extracts
        ],
        right=frozenset({1}),
    )
