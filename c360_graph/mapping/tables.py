"""Which source tables are read, under which label, with which columns and key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import get_args

from c360_graph.mapping.catalog import CatalogTable, SourceCatalog
from c360_graph.mapping.control_rows import (
    ControlRows,
    ExclusionRow,
    NodeLabelRow,
    SourceRow,
    Treatment,
)
from c360_graph.mapping.model import (
    ExcludedColumn,
    PropertyMapping,
    Refusal,
    TableMapping,
)
from c360_graph.mapping.names import reason_against_name

Catalogs = Mapping[int, SourceCatalog]
"""What is known of each source, by source_id; a source that could not be asked is absent."""


def resolve_tables(
    rows: ControlRows, catalogs: Catalogs
) -> tuple[tuple[TableMapping, ...], tuple[Refusal, ...]]:
    """Each mapped table that can be honoured, and each label or exclusion row that cannot."""
    refusals: list[Refusal] = []
    chosen: dict[tuple[int, str], tuple[SourceRow, NodeLabelRow]] = {}
    # A row that names its source goes before one that means any source with such a table.
    for row in sorted(rows.labels, key=lambda r: (r.source_id is None, r.mapping_id)):
        reason = reason_against_name(row.node_label, what="node_label")
        sources, missing = _sources_of(row, rows.sources, catalogs)
        if reason or missing:
            refusals.append(_refused_label(row, reason or missing or ""))
            continue
        for source in sources:
            taken = chosen.setdefault((source.source_id, row.table_name), (source, row))[1]
            if taken is not row and row.source_id is not None:
                refusals.append(
                    _refused_label(
                        row,
                        f"{source.source_name}/{row.table_name} is mapped by row"
                        f" {taken.mapping_id} already",
                    )
                )
    feeding = Counter(row.node_label for _, row in chosen.values())
    tables = tuple(
        describe(
            source=source,
            table_name=row.table_name,
            label_row=row,
            exclusions=rows.exclusions,
            catalog_table=_table_in(catalogs, source, row.table_name),
            label_is_shared=feeding[row.node_label] > 1,
        )
        for source, row in sorted(chosen.values(), key=lambda p: (p[0].source_id, p[1].mapping_id))
    )
    return tables, tuple(refusals) + _refused_exclusions(rows, tables, catalogs)


def describe(
    *,
    source: SourceRow,
    table_name: str,
    label_row: NodeLabelRow | None,
    exclusions: Iterable[ExclusionRow],
    catalog_table: CatalogTable | None,
    label_is_shared: bool = False,
) -> TableMapping:
    """A table's mapping as its catalog is; without a catalog, only its place and label."""
    rules = {rule.column_name: rule for rule in _rules_for(source, table_name, exclusions)}
    columns = catalog_table.columns if catalog_table else ()
    by_column = {column.name: _rule_of(column.name, rules) for column in columns}
    properties = tuple(
        PropertyMapping(
            column=column.name,
            type=column.type,
            nullable=column.nullable,
            treatment=_treatment(by_column[column.name]),
        )
        for column in columns
        if _treatment(by_column[column.name]) != "exclude"
    )
    excluded = tuple(
        ExcludedColumn(column=name, rule_id=rule.rule_id, reason=rule.reason)
        for name, rule in by_column.items()
        if rule is not None and _treatment(rule) == "exclude"
    )
    return TableMapping(
        source=source,
        table_name=table_name,
        mapping_id=label_row.mapping_id if label_row else None,
        node_label=label_row.node_label if label_row else None,
        properties=properties,
        excluded=excluded,
        key=_key(catalog_table, properties) if catalog_table else (),
        label_is_shared=label_is_shared,
    )


def _sources_of(
    row: NodeLabelRow, sources: tuple[SourceRow, ...], catalogs: Catalogs
) -> tuple[list[SourceRow], str | None]:
    """The sources that a row means, and why none does."""
    if row.source_id is not None:
        source = next((s for s in sources if s.source_id == row.source_id), None)
        if source is None:
            return [], f"source_id {row.source_id} is not an active row of source_databases"
        catalog = catalogs.get(source.source_id)
        if catalog is not None and row.table_name not in catalog.table_names:
            return [], _no_such_table(source, row.table_name)
        return [source], None
    having = [
        source
        for source in sources
        if source.source_id in catalogs and row.table_name in catalogs[source.source_id].table_names
    ]
    return having, None if having else f"no active source has a table {row.table_name!r}"


def _no_such_table(source: SourceRow, table_name: str) -> str:
    return (
        f"source {source.source_name} has no table {table_name!r} in schema {source.db_schema!r}"
        " that its role may see"
    )


def _table_in(catalogs: Catalogs, source: SourceRow, name: str) -> CatalogTable | None:
    catalog = catalogs.get(source.source_id)
    return catalog.table(name) if catalog else None


def _rules_for(
    source: SourceRow, table_name: str, exclusions: Iterable[ExclusionRow]
) -> list[ExclusionRow]:
    """The rules of a table; of two for one column the one that names the source comes last."""
    mine = [
        rule
        for rule in exclusions
        if rule.table_name.casefold() == table_name.casefold()
        and rule.source_id in (None, source.source_id)
    ]
    return sorted(mine, key=lambda rule: (rule.source_id is not None, -rule.rule_id))


def _rule_of(column: str, rules: Mapping[str, ExclusionRow]) -> ExclusionRow | None:
    """A rule in other letter case counts too: a column too many withheld beats one leaked."""
    if column in rules:
        return rules[column]
    return next((r for name, r in rules.items() if name.casefold() == column.casefold()), None)


def _treatment(rule: ExclusionRow | None) -> Treatment | None:
    """An unknown treatment excludes."""
    if rule is None:
        return None
    return rule.treatment if rule.treatment in get_args(Treatment) else "exclude"  # type: ignore[return-value]


def _key(table: CatalogTable, properties: tuple[PropertyMapping, ...]) -> tuple[str, ...]:
    """The primary key, else a unique index over NOT NULL columns, if all of it is read unmasked."""
    usable = {prop.column for prop in properties if prop.treatment != "mask"}
    candidates = (table.primary_key, *table.unique_keys)
    return next((key for key in candidates if key and usable.issuperset(key)), ())


def _refused_label(row: NodeLabelRow, reason: str) -> Refusal:
    return Refusal(control_table="node_label_mappings", row_id=row.mapping_id, reason=reason)


def _refused_exclusions(
    rows: ControlRows, tables: tuple[TableMapping, ...], catalogs: Catalogs
) -> tuple[Refusal, ...]:
    """Rules that name a column which no table they mean has, or a treatment there is not."""
    refusals = []
    for rule in rows.exclusions:
        meant = [t for t in tables if _rules_for(t.source, t.table_name, [rule])]
        known = [t for t in meant if t.source.source_id in catalogs]
        columns = {
            name.casefold()
            for table in known
            for name in (*(p.column for p in table.properties), *(e.column for e in table.excluded))
        }
        if rule.treatment not in get_args(Treatment):
            reason = f"treatment {rule.treatment!r} is none of {', '.join(get_args(Treatment))}; the column is excluded"
        elif known and rule.column_name.casefold() not in columns:
            reason = f"table {rule.table_name!r} has no column {rule.column_name!r}: the rule protects nothing"
        else:
            continue
        refusals.append(
            Refusal(control_table="field_exclusion_rules", row_id=rule.rule_id, reason=reason)
        )
    return tuple(refusals)
