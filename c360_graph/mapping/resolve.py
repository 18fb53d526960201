"""From control rows and catalogs to the mapping: what is valid, and why the rest is refused."""

from __future__ import annotations

from c360_graph.mapping.control_rows import ControlRows, Refusal, RelationshipRow
from c360_graph.mapping.exclusions import ColumnHistory
from c360_graph.mapping.identities import identity_columns, resolve_identities
from c360_graph.mapping.join_columns import joined_tables
from c360_graph.mapping.model import GraphMapping, RelationshipMapping, TableMapping
from c360_graph.mapping.ownership import refused_ownership
from c360_graph.mapping.property_rows import refused_property_rows
from c360_graph.mapping.quality import resolve_quality
from c360_graph.mapping.relationships import resolve_relationships
from c360_graph.mapping.table_index import TableIndex, indexed_tables
from c360_graph.mapping.tables import Catalogs, junction_only_tables, resolve_tables

Tables = tuple[TableMapping, ...]


def resolve(
    rows: ControlRows, catalogs: Catalogs, history: ColumnHistory | None = None
) -> GraphMapping:
    """Resolve all control rows against what is known of the sources.

    Without a history each table is taken for one that was never read.

    Relationships between tables of sources that could not be asked are left for the time their
    extracts are there: they are neither valid nor refused.
    """
    history = history or ColumnHistory()
    labelled, refusals, inactive_label_ids = resolve_tables(rows, catalogs, history)
    of_properties: list[Refusal] = []
    junctions = junction_only_tables(rows, labelled, catalogs, history, refuse=of_properties.append)
    of_properties += refused_property_rows(rows, labelled + junctions, tuple(catalogs))
    identities, id_refusals = resolve_identities(rows, labelled, tuple(catalogs))
    resolved = tuple(table for identity in identities for table in identity.tables)
    tables = labelled + junctions
    known = (*(table for table in tables if table.source.source_id in catalogs), *resolved)
    unknown = TableIndex(t for t in tables if t.source.source_id not in catalogs)
    undecided, decidable = _by_decision(rows, unknown, TableIndex(known), catalogs)
    relationships, more, inactive = resolve_relationships(
        rows.model_copy(update={"relationships": decidable}), known
    )
    needed = (*labelled, *_needed(junctions, relationships, undecided), *resolved)
    quality, unchecked = resolve_quality(rows, needed)
    joined = (identity_columns(identities, t) for t in joined_tables(needed, relationships))
    return GraphMapping(
        tables=indexed_tables(tuple(joined), relationships),
        relationships=relationships,
        quality=quality,
        refusals=_by_row(
            (
                *(*rows.unreadable, *refusals, *more, *id_refusals),
                *(*refused_ownership(rows), *unchecked, *of_properties),
            )
        ),
        inactive_relationship_ids=inactive,
        inactive_label_ids=inactive_label_ids,
        undecided_relationship_ids=tuple(row.relationship_id for row in undecided),
        identities=identities,
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


def _by_decision(
    rows: ControlRows, unknown: TableIndex, known: TableIndex, catalogs: Catalogs
) -> tuple[tuple[RelationshipRow, ...], tuple[RelationshipRow, ...]]:
    """The relationships that need a table of a source that could not be asked, and the others."""
    all_asked = all(source.source_id in catalogs for source in rows.sources)
    undecided: list[RelationshipRow] = []
    decidable: list[RelationshipRow] = []
    for row in rows.relationships:
        is_open = not all_asked and _is_open(row, unknown, known)
        (undecided if is_open else decidable).append(row)
    return tuple(undecided), tuple(decidable)


def _is_open(row: RelationshipRow, unknown: TableIndex, known: TableIndex) -> bool:
    """Whether a row needs a table of a source that could not be asked; there is one."""
    if not unknown.labels.isdisjoint((row.from_label, row.to_label, row.junction_label)):
        return True
    if not row.junction_table:
        return False
    return not known.named(row.junction_table)


def _by_row(refusals: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    return tuple(sorted(refusals, key=lambda r: (r.control_table, r.row_id, r.reason)))
