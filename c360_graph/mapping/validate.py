"""From control rows and catalogs to the mapping: what can be honoured, and why the rest cannot."""

from __future__ import annotations

from c360_graph.mapping.control_rows import ControlRows, RelationshipRow
from c360_graph.mapping.model import GraphMapping, Refusal, TableMapping
from c360_graph.mapping.relationships import resolve_relationships
from c360_graph.mapping.tables import Catalogs, describe, resolve_tables


def resolve(rows: ControlRows, catalogs: Catalogs) -> GraphMapping:
    """Resolve all control rows against what is known of the sources.

    Relationships between tables of sources that could not be asked are left for the time their
    extracts are there: they are neither honoured nor refused.
    """
    tables, refusals = resolve_tables(rows, catalogs)
    tables += _junction_only_tables(rows, tables, catalogs)
    known = tuple(table for table in tables if table.source.source_id in catalogs)
    decidable = rows.model_copy(
        update={
            "relationships": tuple(r for r in rows.relationships if not _is_open(r, tables, known))
        }
    )
    relationships, more, resting = resolve_relationships(decidable, known)
    return GraphMapping(
        tables=tables,
        relationships=relationships,
        refusals=_by_row(refusals + more),
        resting=resting,
    )


def _junction_only_tables(
    rows: ControlRows, tables: tuple[TableMapping, ...], catalogs: Catalogs
) -> tuple[TableMapping, ...]:
    """Junction tables that no label maps: read all the same, for their relationships' sake."""
    mapped = {table.table_name for table in tables}
    found: dict[tuple[int, str], TableMapping] = {}
    for row in rows.relationships:
        name = row.junction_table
        if not name or row.junction_label or name in mapped:
            continue
        having = [
            source
            for source in rows.sources
            if source.source_id in catalogs and name in catalogs[source.source_id].table_names
        ]
        narrowed = [source for source in having if source.source_name == row.source_db] or having
        for source in narrowed:
            found[(source.source_id, name)] = describe(
                source=source,
                table_name=name,
                label_row=None,
                exclusions=rows.exclusions,
                catalog_table=catalogs[source.source_id].table(name),
            )
    return tuple(found.values())


def _is_open(
    row: RelationshipRow, tables: tuple[TableMapping, ...], known: tuple[TableMapping, ...]
) -> bool:
    labels = {row.from_label, row.to_label, row.junction_label} - {None}
    return any(t.node_label in labels for t in tables if t not in known)


def _by_row(refusals: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    return tuple(sorted(refusals, key=lambda r: (r.control_table, r.row_id, r.reason)))
