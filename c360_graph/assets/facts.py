"""Metadata of materializations: the same facts as the audit rows."""

from datetime import datetime
from typing import Any

import dagster as dg

from c360_graph.neo4j_loader.reconcile import Reconciled
from c360_graph.phases.extraction import ExtractedTable
from c360_graph.phases.loading import LoadedScript
from c360_graph.phases.scripting import WrittenScript

Metadata = dict[str, Any]


def extract_facts(extracted: ExtractedTable) -> Metadata:
    """An extract and its row of etl_table_logs."""
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
        "file_bytes": manifest.file_bytes,
        "key": ", ".join(manifest.table.key) or "none: no constraint guards this label's rows",
    }
    if manifest.rows_left_out:
        facts["rows_left_out"] = manifest.rows_left_out
    if manifest.values_absent:
        facts["values_absent"] = dg.MetadataValue.json(manifest.values_absent)
    return facts


def script_facts(written: WrittenScript, *, log_id: int) -> Metadata:
    """A script, its row of cypher_scripts, and which extracts it holds."""
    log = written.script_log
    return {
        "log_id": log_id,
        "script_id": log.script_id,
        "script_name": log.script_name,
        "file_size_kb": log.file_size_kb,
        "last_updated_at": moment(log.last_updated_at),
        "dagster/uri": str(written.path),
        "rows": sum(extract.manifest.rows for extract in written.parts.extracts),
        "relationship_types": dg.MetadataValue.json(
            [r.relationship_type for r in written.parts.relationships]
        ),
        "extracts": dg.MetadataValue.md(_extracts_table(written, log_id)),
    }


def load_facts(loaded: LoadedScript, *, log_id: int) -> Metadata:
    """What a load of the script made, and the script's row of cypher_scripts."""
    result, log = loaded.result, loaded.script_log
    facts: Metadata = {
        "log_id": log_id,
        "statements": result.statements,
        "rows": result.rows,
        **_counts(result.seconds, result.nodes, result.relationships),
    }
    if log is not None and log.last_run_time is not None:
        facts |= {
            "script_id": log.script_id,
            "script_name": log.script_name,
            "last_run_time": moment(log.last_run_time),
        }
    return facts


def reconcile_facts(reconciled: Reconciled, *, log_id: int) -> Metadata:
    """What a reconciliation changed."""
    facts: Metadata = {
        "log_id": log_id,
        **reconciled.changes,
        **_counts(reconciled.seconds, reconciled.nodes, reconciled.relationships),
    }
    if reconciled.purged_properties:
        facts["purged_properties"] = dg.MetadataValue.json(list(reconciled.purged_properties))
    return facts


def _counts(seconds: float, nodes: dict[str, int], relationships: dict[str, int]) -> Metadata:
    return {
        "load_seconds": round(seconds, 3),
        "nodes": sum(nodes.values()),
        "relationships": sum(relationships.values()),
        "nodes_by_label": dg.MetadataValue.md(counts_table("label", nodes)),
        "relationships_by_type": dg.MetadataValue.md(counts_table("type", relationships)),
    }


def moment(value: datetime) -> dg.TimestampMetadataValue:
    """A moment as Dagster shows it, to the microsecond."""
    return dg.MetadataValue.timestamp(value)


def counts_table(name: str, counts: dict[str, int]) -> str:
    """Counts as a Markdown table."""
    rows = "".join(f"| {_cell(key)} | {count:,} |\n" for key, count in counts.items())
    return f"| {name} | count |\n| --- | ---: |\n{rows}"


def _extracts_table(written: WrittenScript, log_id: int) -> str:
    rows = "".join(
        f"| {_cell(e.manifest.table.place)} | {e.manifest.rows:,} |"
        f" {'this run' if e.manifest.log_id == log_id else f'run {e.manifest.log_id}'},"
        f" {e.manifest.end_time:%Y-%m-%d %H:%M:%S} UTC |\n"
        for e in written.parts.extracts
    )
    return f"| table | rows | extract of |\n| --- | ---: | --- |\n{rows}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
