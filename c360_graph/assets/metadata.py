"""What Dagster shows of an asset: its description, made of the mapping alone, and metadata of materializations, the same facts as the audit rows."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice, takewhile
from typing import Any

import dagster as dg

from c360_graph.assets.lineage import (
    graph_column_schema,
    graph_columns,
    lineage_to_tables,
    table_columns,
)
from c360_graph.assets.pictures import schema_picture
from c360_graph.cypher.copy_text import decode_rows, shown_list
from c360_graph.extracts import Extract
from c360_graph.graph.reconcile import Reconciled
from c360_graph.mapping.join_forms import normalised_properties
from c360_graph.mapping.model import (
    GraphMapping,
    NodeTable,
    PropertyMapping,
    RelationshipMapping,
    TableMapping,
)
from c360_graph.mapping.property_rows import cast_named
from c360_graph.mapping.property_types import property_type
from c360_graph.pipeline.extract import ExtractedTable, rows_left_out, values_not_cast
from c360_graph.pipeline.load import LoadedScript
from c360_graph.pipeline.write_script import WrittenScript
from c360_graph.questions import Answer, shown

_TREATED = {"hash": "replaced by a keyed hash", "mask": "all but the last four characters masked"}

# A code span takes no markup, links or pictures; only these end it, or the cell it stands in.
_IN_CODE = str.maketrans({"`": "ˋ", "|": "｜", "\n": "⏎", "\r": "⏎", "\t": "⇥"})


def table_description(
    table: TableMapping, relationships: tuple[RelationshipMapping, ...] = ()
) -> str:
    """Markdown: source, label, key, relationships that use it, columns withheld and why."""
    what = (
        f"nodes {code(f':{table.node_label}')}"
        if isinstance(table, NodeTable)
        else "a junction table without a label"
    )
    name = code(f"{table.source.db_schema}.{table.table_name}")
    paragraphs = [
        f"Table {name} of source {code(table.source.source_name)}, read as {what}.",
        f"Key: {', '.join(map(code, table.key))}."
        if table.key
        else "Key: none, so the label has no constraint.",
    ]
    if table.extra.always:
        always = ", ".join(code(f":{name}") for name in table.extra.always)
        paragraphs.append(f"Each node also has {always}.")
    if table.extra.by_property:
        values = ", ".join(code(f":{name}") for name in table.extra.values)
        paragraphs.append(
            f"A node also has one of {values}, if that is the value of {code(table.extra.by_property)}."
        )
    if table.row_filter:
        kept = " and ".join(code(str(condition)) for condition in table.row_filter)
        paragraphs.append(f"Only rows with {kept} are read.")
    mapped = [f"- {_mapped(p)}" for p in table.columns_read if p.mapped]
    if mapped:
        paragraphs.append("Columns with another name or type:\n\n" + "\n".join(mapped))
    used = [_drawn(r) for r in relationships if _uses(r, table)]
    if used:
        paragraphs.append("Relationships: " + ", ".join(used) + ".")
    compared = [
        f"- {code(prop.column)} is {code(shown)}" for prop, shown in normalised_properties(table)
    ]
    if compared:
        paragraphs.append("Properties that joins compare:\n\n" + "\n".join(compared))
    withheld = [f"- {code(e.column)} is never read: {_reason(e.reason)}" for e in table.excluded]
    withheld += [
        f"- {code(p.column)}: {_TREATED[p.treatment]}"
        for p in table.columns_read
        if p.treatment in _TREATED
    ]
    withheld += [
        f"- {code(name)} is new and is not read until a row of field_exclusion_rules decides on it"
        for name in table.withheld
    ]
    if withheld:
        paragraphs.append("Columns withheld:\n\n" + "\n".join(withheld))
    return "\n\n".join(paragraphs)


def _mapped(prop: PropertyMapping) -> str:
    """`given` becomes `first_name`, cast from text to integer."""
    name = f" becomes {code(prop.column)}" if prop.renamed_from else ""
    cast = f" is cast to {cast_named(prop.type)}" if prop.cast_from else ""
    return f"{code(prop.origin)}{' and'.join(filter(None, (name, cast)))}"


def graph_description(mapping: GraphMapping) -> str:
    """Markdown: how much is mapped, and which control rows are inactive or were refused."""
    sources = {table.source.source_name for table in mapping.tables}
    labels = {table.node_label for table in mapping.node_tables}
    types = {relationship.relationship_type for relationship in mapping.relationships}
    text = (
        f"{len(mapping.tables)} tables of {len(sources)} sources, {len(labels)} labels,"
        f" {len(types)} relationship types."
    )
    if mapping.refusals:
        text += f" {len(mapping.refusals)} control rows are refused (see the checks)."
    return text


def _drawn(relationship: RelationshipMapping) -> str:
    return code(
        f"(:{relationship.from_label})-[:{relationship.relationship_type}]->"
        f"(:{relationship.to_label})"
    )


def _uses(relationship: RelationshipMapping, table: TableMapping) -> bool:
    if relationship.junction is not None and relationship.junction.table == table.asset_key:
        return True
    return relationship.start.has(table) or relationship.end.has(table)


def _reason(text: str | None) -> str:
    return code(text) if text else "no reason given"


def code(text: str) -> str:
    """A text as a code span that nothing within it ends."""
    shown = "".join(c if c.isprintable() else "�" for c in text.translate(_IN_CODE))
    return f"`{shown}`" if shown.strip() else "``" + repr(shown) + "``"


def cell(text: str) -> str:
    """A text as a table's cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[int]) -> str:
    """A Markdown table; the columns numbered in `right` are set to the right."""
    marks = ["---:" if number in right else "---" for number in range(len(head))]
    lines = [head, marks, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


LONGEST_VALUE = 40
MOST_COLUMNS = 50
MOST_BYTES = 1 << 20
"""Of one line: a longer row ends the preview, as it would be read whole for forty characters."""


def preview(extract: Extract, *, rows: int) -> str:
    """The first rows of a committed extract, up to one that is too long."""
    with extract.open() as file:
        read = islice(iter(lambda: file.readline(MOST_BYTES), b""), rows)
        whole = list(takewhile(lambda line: line.endswith(b"\n"), read))
    if extract.manifest.rows and not whole:
        return "The first row is longer than 1 MB and is not shown."
    return preview_table(extract.manifest.table, b"".join(whole)[:-1])


def preview_table(mapping: TableMapping, block: bytes) -> str:
    """Rows in COPY's text form as a table; values are cut to 40 characters, 50 columns are shown."""
    if not mapping.columns_read:
        return "Every column is excluded."
    # Join forms come last, so that the columns stand where the row has them.
    shown = mapping.columns_read[:MOST_COLUMNS]
    lists = [property_type(p.type, treatment=p.treatment).name.startswith("LIST") for p in shown]
    rows = decode_rows(block) if block else []
    text = table(
        [code(prop.column) for prop in shown],
        [
            [
                _value(value, is_list)
                for value, is_list in zip(row[: len(shown)], lists, strict=True)
            ]
            for row in rows
        ],
        right=frozenset(),
    )
    more = len(mapping.columns_read) - len(shown)
    return text + (f"\nand {more:,} more columns\n" if more else "") if rows else "No rows."


def _value(value: str | None, is_list: bool) -> str:
    if value is None:
        return "*absent*"
    text = shown_list(value) if is_list else value
    return code(text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…")


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
        "dagster/uri": extracted.extract.location,
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
    if (not_cast := values_not_cast(manifest)) is not None:
        facts["values_not_cast"] = not_cast
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
        "script": dg.MetadataValue.path(str(written.path)),
        "dagster/column_schema": graph_column_schema(columns),
        "dagster/column_lineage": lineage_to_tables(columns),
        "rows": sum(extract.manifest.rows for extract in parts.extracts),
        "relationship_types": dg.MetadataValue.json(
            [r.relationship_type for r in parts.relationships]
        ),
        "extracts": dg.MetadataValue.md(_extracts_table(written, log_id)),
    }


def load_facts(
    loaded: LoadedScript,
    relationships: Iterable[RelationshipMapping],
    *,
    log_id: int,
    extra_labels: frozenset[str] = frozenset(),
) -> Metadata:
    """What a load of the script made, and the script's row of cypher_scripts."""
    result, log = loaded.result, loaded.script_log
    counted = counted_once(result.nodes, extra_labels)
    facts: Metadata = {
        "log_id": log_id,
        "statements": result.statements,
        "rows": result.rows,
        "nodes_created": sum(counted.values()),
        "relationships_created": sum(result.relationships.values()),
        "nodes_by_label": dg.MetadataValue.md(counts_table("label", result.nodes)),
        "relationships_by_type": dg.MetadataValue.md(counts_table("type", result.relationships)),
        **_totals(result.seconds, counted, result.relationships, relationships),
    }
    if log is not None and log.last_run_time is not None:
        facts |= {
            "script_id": log.script_id,
            "script_name": log.script_name,
            "last_run_time": moment(log.last_run_time),
            "script": dg.MetadataValue.path(log.file_path),
        }
    return facts


NOTHING_CHANGED: Metadata = {
    "nodes_updated": 0,
    "nodes_deleted": 0,
    "relationships_deleted": 0,
    "properties_purged": 0,
}
"""What an update says beside what it created, of a graph that was empty."""


def reconcile_facts(
    reconciled: Reconciled,
    relationships: Iterable[RelationshipMapping],
    *,
    log_id: int,
    extra_labels: frozenset[str] = frozenset(),
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
        **_totals(
            reconciled.seconds,
            counted_once(reconciled.nodes, extra_labels),
            reconciled.relationships,
            relationships,
        ),
    }
    if reconciled.purged_properties:
        facts["purged_properties"] = dg.MetadataValue.json(list(reconciled.purged_properties))
    return facts


def counted_once(nodes: Mapping[str, int], extra_labels: frozenset[str]) -> dict[str, int]:
    """Nodes by label, without the labels that nodes have beside another."""
    return {label: count for label, count in nodes.items() if label not in extra_labels}


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
                cell(e.manifest.table.qualified_name),
                f"{e.manifest.rows:,}",
                f"{'this run' if e.manifest.log_id == log_id else f'run {e.manifest.log_id}'},"
                f" {e.manifest.end_time:%Y-%m-%d %H:%M:%S} UTC",
            )
            for e in written.parts.extracts
        ],
        right=frozenset({1}),
    )


MOST_ROWS = 20
"""Rows of an answer in its metadata."""


def answer_facts(answer: Answer, *, preview_rows: int) -> dict[str, Any]:
    """Metadata of an answer; without its rows where `preview_rows` is 0."""
    facts: dict[str, Any] = {
        "title": answer.question.title,
        "dagster/row_count": answer.row_count,
    }
    if preview_rows:
        facts["answer"] = dg.MetadataValue.md(answer_table(answer))
    return facts


def answer_table(answer: Answer) -> str:
    """The first rows as a Markdown table."""
    if not answer.columns:
        return "No columns."
    text = table(
        [code(column) for column in answer.columns],
        [
            ["" if value is None else code(shown(value)) for value in row]
            for row in answer.rows[:MOST_ROWS]
        ],
        right=frozenset(),
    )
    more = answer.row_count - MOST_ROWS
    return text + (f"\nand {more:,} more rows\n" if more > 0 else "")
