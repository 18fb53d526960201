"""From control rows and catalogs to the mapping: what is valid, and why the rest is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from c360_graph.errors import MappingError
from c360_graph.mapping.control_rows import ControlRows, QualityRow, Refusal, RelationshipRow
from c360_graph.mapping.exclusions import ColumnHistory
from c360_graph.mapping.identities import identity_columns, resolve_identities
from c360_graph.mapping.join_forms import joined_tables
from c360_graph.mapping.label_rows import refused_ownership
from c360_graph.mapping.model import (
    GraphMapping,
    Kind,
    QualityRule,
    RelationshipMapping,
    Severity,
    TableIndex,
    TableMapping,
    indexed_tables,
    parse_accepted,
    parse_bounds,
)
from c360_graph.mapping.names import did_you_mean
from c360_graph.mapping.property_rows import refused_property_rows
from c360_graph.mapping.relationships import resolve_relationships
from c360_graph.mapping.tables import Catalogs, junction_only_tables, resolve_tables

_TABLE = "quality_rules"

Tables = tuple[TableMapping, ...]


def resolve_quality(
    rows: ControlRows, tables: tuple[TableMapping, ...]
) -> tuple[tuple[QualityRule, ...], tuple[Refusal, ...]]:
    """The rules that can be checked, and a refusal for each other row.

    A rule about a table of a source that could not be asked is neither.
    """
    rules: list[QualityRule] = []
    refusals: list[Refusal] = []
    for row in rows.quality:
        try:
            rules += _rules_of(row, rows, tables)
        except MappingError as error:
            refusals.append(Refusal(control_table=_TABLE, row_id=row.rule_id, reason=str(error)))
    return tuple(rules), tuple(refusals)


def _rules_of(
    row: QualityRow, rows: ControlRows, tables: tuple[TableMapping, ...]
) -> Iterator[QualityRule]:
    if row.kind not in get_args(Kind):
        known = ", ".join(get_args(Kind))
        raise MappingError(
            f"kind {row.kind!r} is none of {known}{did_you_mean(row.kind, get_args(Kind))}"
        )
    severity = row.severity or "error"
    if severity not in get_args(Severity):
        raise MappingError(f"severity {severity!r} is neither error nor warn")
    rule = QualityRule.model_validate(
        {
            "row_id": row.rule_id,
            "kind": row.kind,
            "severity": severity,
            "is_blocking": bool(row.is_blocking),
            "description": row.description or "",
            **_argument(row),
        }
    )
    if rule.kind == "no_rows":
        if row.table_name or row.column_name:
            raise MappingError("no_rows asks the graph; leave table_name and column_name empty")
        yield rule
        return
    for table in _tables_of(row, rows, tables):
        # A table of a source that could not be asked has no columns yet.
        if table.properties:
            columns = tuple(_columns(row, table))
            yield rule.model_copy(update={"table": table.asset_key, "columns": columns})


def _argument(row: QualityRow) -> dict[str, object]:
    match row.kind:
        case "row_count":
            least, most = parse_bounds(row.argument)
            return {"least": least, "most": most}
        case "accepted_values":
            return {"accepted": parse_accepted(row.argument)}
        case "no_rows":
            if not (row.argument or "").strip():
                raise MappingError("no_rows needs a Cypher query in argument")
            return {"query": (row.argument or "").strip().rstrip(";")}
    return {}


def _tables_of(
    row: QualityRow, rows: ControlRows, tables: tuple[TableMapping, ...]
) -> list[TableMapping]:
    if not row.table_name:
        raise MappingError(f"{row.kind} needs a table_name")
    of_source = [t for t in tables if row.source_id in (None, t.source.source_id)]
    found = [t for t in of_source if t.table_name == row.table_name]
    if found or (row.source_id is not None and rows.source(row.source_id) is None):
        return found
    known = sorted({table.table_name for table in of_source})
    raise MappingError(
        f"no mapped table is called {row.table_name!r}{did_you_mean(row.table_name, known)}"
    )


def _columns(row: QualityRow, table: TableMapping) -> Iterator[str]:
    if row.kind == "row_count":
        if row.column_name:
            raise MappingError("row_count counts rows; leave column_name empty")
        return
    names = [name.strip() for name in (row.column_name or "").split(",")]
    if not all(names) or (len(names) > 1 and row.kind != "unique"):
        raise MappingError(f"{row.kind} needs a column_name")
    read = {prop.origin: prop.column for prop in table.columns_read}
    excluded = {column.column: column.rule_id for column in table.excluded}
    for name in names:
        if name in excluded:
            raise MappingError(
                f"{table.qualified_name}.{name} is excluded by field_exclusion_rules row {excluded[name]}, so it is"
                " not read"
            )
        if name not in read:
            raise MappingError(
                f"{table.qualified_name} has no column {name!r}{did_you_mean(name, read)}"
            )
        yield read[name]


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
