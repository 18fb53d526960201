"""From control rows and catalogs to the mapping: what can be honoured, and why the rest cannot."""

from __future__ import annotations

from c360_graph.mapping.control_rows import ControlRows, Refusal, RelationshipRow
from c360_graph.mapping.junctions import junction_only_tables
from c360_graph.mapping.model import GraphMapping, RelationshipMapping, TableMapping
from c360_graph.mapping.new_columns import ColumnHistory
from c360_graph.mapping.ownership import refused_ownership
from c360_graph.mapping.relationships import resolve_relationships
from c360_graph.mapping.tables import Catalogs, resolve_tables

Tables = tuple[TableMapping, ...]


def resolve(
    rows: ControlRows, catalogs: Catalogs, history: ColumnHistory | None = None
) -> GraphMapping:
    """Resolve all control rows against what is known of the sources.

    Without a history each table is taken for one that was never read.

    Relationships between tables of sources that could not be asked are left for the time their
    extracts are there: they are neither honoured nor refused.
    """
    history = history or ColumnHistory()
    labelled, refusals, resting_labels = resolve_tables(rows, catalogs, history)
    junctions = junction_only_tables(rows, labelled, catalogs, history)
    tables = labelled + junctions
    known = tuple(table for table in tables if table.source.source_id in catalogs)
    undecided = tuple(r for r in rows.relationships if _is_open(r, tables, known, rows, catalogs))
    decidable = rows.model_copy(
        update={"relationships": tuple(r for r in rows.relationships if r not in undecided)}
    )
    relationships, more, resting = resolve_relationships(decidable, known)
    return GraphMapping(
        tables=labelled + _needed(junctions, relationships, undecided),
        relationships=relationships,
        refusals=_by_row((*rows.unreadable, *refusals, *more, *refused_ownership(rows))),
        resting=resting,
        resting_labels=resting_labels,
        waiting=tuple(row.relationship_id for row in undecided),
    )


def _needed(
    junctions: Tables,
    relationships: tuple[RelationshipMapping, ...],
    undecided: tuple[RelationshipRow, ...],
) -> Tables:
    """The junctions of relationships that are or may be made: no other is worth reading."""
    used = {mapping.junction.table for mapping in relationships if mapping.junction}
    names = {row.junction_table for row in undecided}
    return tuple(t for t in junctions if t.asset_key in used or t.table_name in names)


def _is_open(
    row: RelationshipRow, tables: Tables, known: Tables, rows: ControlRows, catalogs: Catalogs
) -> bool:
    """Whether a row needs a table of a source that could not be asked."""
    labels = {row.from_label, row.to_label, row.junction_label} - {None}
    if any(t.node_label in labels for t in tables if t not in known):
        return True
    if not row.junction_table or any(t.table_name == row.junction_table for t in known):
        return False
    return any(source.source_id not in catalogs for source in rows.sources)


def _by_row(refusals: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    return tuple(sorted(refusals, key=lambda r: (r.control_table, r.row_id, r.reason)))
