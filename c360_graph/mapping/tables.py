"""Which source tables are read, under which label, with which columns and key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial

from c360_graph.errors import MappingError
from c360_graph.mapping.catalog import CatalogTable, SourceCatalog
from c360_graph.mapping.control_rows import (
    ControlRows,
    NodeLabelRow,
    Refusal,
    RelationshipRow,
    SourceRow,
)
from c360_graph.mapping.exclusions import (
    ColumnHistory,
    refused_exclusions,
    rule_for,
    treatment_of,
    withheld_columns,
)
from c360_graph.mapping.label_rows import declared_key, extra_labels, filter_of
from c360_graph.mapping.model import (
    ExcludedColumn,
    ExtraLabels,
    JunctionTable,
    NodeTable,
    PropertyMapping,
    TableIndex,
    TableMapping,
    is_kept_name,
)
from c360_graph.mapping.names import did_you_mean, reason_against_name
from c360_graph.mapping.property_rows import ReadColumns, mapped_properties

Catalogs = Mapping[int, SourceCatalog]
"""What is known of each source, by source_id; a source that could not be asked is absent."""


def resolve_tables(
    rows: ControlRows, catalogs: Catalogs, history: ColumnHistory
) -> tuple[tuple[TableMapping, ...], tuple[Refusal, ...], tuple[int, ...]]:
    """Each valid mapped table, each refused label or exclusion row, and inactive rows."""
    choice = _Choice(rows, catalogs)
    # A row that names its source goes before one that means any source with such a table.
    for row in sorted(rows.labels, key=lambda r: (r.source_id is None, r.mapping_id)):
        choice.consider(row)
    tables = tuple(choice.mappings(history))
    refusals = (
        *_unknown_time_zones(rows, catalogs),
        *choice.refusals,
        *refused_exclusions(rows, tables, catalogs, history),
    )
    return tables, refusals, tuple(sorted(choice.inactive))


def describe(
    *,
    source: SourceRow,
    table_name: str,
    label_row: NodeLabelRow | None,
    rows: ControlRows,
    catalog_table: CatalogTable | None,
    history: ColumnHistory | None = None,
    label_is_shared: bool = False,
    refuse: Callable[[Refusal], None] = lambda refusal: None,
) -> TableMapping:
    """A table's mapping as its catalog is; without a catalog, only its name and label.

    Without a history no column is new. `refuse` is told of rows of property_mappings that are refused, and of labels
    that the row does not get.

    Raises:
        MappingError: the row's filter or key cannot be used with this table.
    """
    known = catalog_table or CatalogTable(schema_name=source.db_schema, table_name=table_name)
    withheld: tuple[str, ...] = ()
    if catalog_table and history:
        withheld = withheld_columns(source, catalog_table, rows, history)
    own, excluded = _columns(source, known, rows, withheld)
    declared = declared_key(label_row, own) if label_row and catalog_table else ()
    key = _key(known, own, declared)
    columns = ReadColumns(
        source=source,
        table_name=table_name,
        properties=own,
        unread=_why_unread(excluded, withheld),
        key=key,
    )
    properties, refused = mapped_properties(columns, rows)
    for refusal in refused if catalog_table else ():
        refuse(refusal)
    extra = ExtraLabels()
    if label_row and catalog_table:
        extra, why = extra_labels(label_row, properties, time_zone=source.time_zone)
        if why:
            refuse(_partly_refused(label_row, f"{source.source_name}/{table_name}: {why}"))
    names = {prop.origin: prop.column for prop in properties}
    kind: Callable[..., TableMapping] = (
        partial(NodeTable, node_label=label_row.node_label) if label_row else JunctionTable
    )
    return kind(
        source=source,
        table_name=table_name,
        mapping_id=label_row.mapping_id if label_row else None,
        properties=properties,
        excluded=excluded,
        withheld=withheld,
        key=tuple(names[column] for column in key),
        row_filter=filter_of(label_row, own) if label_row and catalog_table else (),
        declared_key=declared,
        label_is_shared=label_is_shared,
        extra=extra,
        unique=known.unique_columns,
        referring=known.referring_columns,
    )


def _columns(
    source: SourceRow, known: CatalogTable, rows: ControlRows, withheld: tuple[str, ...]
) -> tuple[tuple[PropertyMapping, ...], tuple[ExcludedColumn, ...]]:
    """The columns that are read, under their own names, and those that rules exclude."""
    exclusions = rows.rules_about(known.table_name)
    rules = {c.name: rule_for(source, known.table_name, c.name, exclusions) for c in known.columns}
    treatments = {name: treatment_of(rule) if rule else None for name, rule in rules.items()}
    properties = tuple(
        PropertyMapping(
            column=column.name,
            type=column.type,
            nullable=column.nullable,
            treatment=treatments[column.name],
        )
        for column in known.columns
        if treatments[column.name] != "exclude" and column.name not in withheld
    )
    excluded = tuple(
        ExcludedColumn(column=name, rule_id=rule.rule_id, reason=rule.reason)
        for name, rule in rules.items()
        if rule is not None and treatments[name] == "exclude"
    )
    return properties, excluded


def _partly_refused(row: NodeLabelRow, reason: str) -> Refusal:
    return Refusal(
        control_table="node_label_mappings", row_id=row.mapping_id, reason=reason, is_partial=True
    )


def _why_unread(excluded: tuple[ExcludedColumn, ...], withheld: tuple[str, ...]) -> dict[str, str]:
    """Of each column that is not read why."""
    rules = {e.column: f"is excluded by field_exclusion_rules row {e.rule_id}" for e in excluded}
    return rules | dict.fromkeys(
        withheld, "is withheld, as it is new to a table with exclusion rules"
    )


class _Choice:
    """Which label row each table goes by."""

    def __init__(self, rows: ControlRows, catalogs: Catalogs) -> None:
        self.chosen: dict[tuple[int, str], tuple[SourceRow, NodeLabelRow]] = {}
        self.refusals: list[Refusal] = []
        self.inactive: list[int] = []
        self._rows = rows
        self._catalogs = catalogs

    def consider(self, row: NodeLabelRow) -> None:
        """Take a row for the sources it means, or note why not."""
        reason = reason_against_name(row.node_label, what="node_label")
        reason = reason or (None if row.table_name.strip() else "table_name is empty")
        reason = reason or self._reason_against_labels(row)
        if reason:
            self._refuse(row, reason)
        elif row.source_id is not None:
            self._consider_named(row, row.source_id)
        else:
            self._consider_any(row)

    def _reason_against_labels(self, row: NodeLabelRow) -> str | None:
        """Counts by label would be wrong if nodes of another table had the label, too."""
        for label in (*(row.extra_labels or ()), *(row.label_values or ())):
            if label != row.node_label and label in self._main_labels:
                return (
                    f"extra_labels or label_values name {label!r}, the label of {self._main_labels[label]};"
                    " choose another one"
                )
        return None

    @cached_property
    def _main_labels(self) -> dict[str, str]:
        """The labels that nodes are counted by, each with what gives it, deactivated rows among them."""
        return {
            **dict.fromkeys(self._rows.inactive_labels, "a deactivated row of node_label_mappings"),
            **{
                r.entity_label: f"identity_rules row {r.rule_id}" for r in self._rows.identity_rules
            },
            **{r.node_label: f"node_label_mappings row {r.mapping_id}" for r in self._rows.labels},
        }

    def _consider_named(self, row: NodeLabelRow, source_id: int) -> None:
        source = self._rows.source(source_id)
        if source is None:
            self._refuse(row, f"source_id {source_id} is no active row of source_databases")
            return
        catalog = self._catalogs.get(source_id)
        if catalog is not None and not catalog.has(row.table_name):
            self._refuse(row, _no_such_table(source, row.table_name, catalog))
        elif has_unknown_time_zone(source, self._catalogs):
            self._refuse(row, _source_is_refused(source))
        else:
            self._take(source, row)

    def _consider_any(self, row: NodeLabelRow) -> None:
        having = [
            source
            for source in self._rows.sources
            if source.source_id in self._catalogs
            and self._catalogs[source.source_id].has(row.table_name)
        ]
        refused = next((s for s in having if has_unknown_time_zone(s, self._catalogs)), None)
        if refused is not None:
            # Without that source's rows the label would be half of what the row says.
            self._refuse(row, _source_is_refused(refused))
        elif having:
            for source in having:
                self._take(source, row)
        elif self._rows.inactive_sources:
            self.inactive.append(row.mapping_id)
        else:
            self._refuse(row, self._nowhere(row.table_name))

    def _take(self, source: SourceRow, row: NodeLabelRow) -> None:
        table = _table_in(self._catalogs, source, row.table_name)
        kept = next(filter(is_kept_name, (c.name for c in table.columns)), None) if table else None
        if kept:
            self._refuse(
                row,
                f"{source.source_name}/{row.table_name} has a column {kept}, a name that is"
                " kept for the loader; map a view that renames it",
            )
            return
        taken = self.chosen.setdefault((source.source_id, row.table_name), (source, row))[1]
        # A row for any source stands back behind one that names the source; that is no fault.
        if taken is not row and (taken.source_id is None) == (row.source_id is None):
            self._refuse(
                row,
                f"{source.source_name}/{row.table_name} is mapped by row {taken.mapping_id} to"
                f" {taken.node_label!r} already, and a table has one label; deactivate one of the two",
            )

    def mappings(self, history: ColumnHistory) -> Iterator[TableMapping]:
        """The chosen tables; a row that cannot be used with its table is refused."""
        feeding = Counter(row.node_label for _, row in self.chosen.values())
        ordered = sorted(self.chosen.values(), key=lambda p: (p[0].source_id, p[1].mapping_id))
        for source, row in ordered:
            try:
                yield describe(
                    source=source,
                    table_name=row.table_name,
                    label_row=row,
                    rows=self._rows,
                    history=history,
                    catalog_table=_table_in(self._catalogs, source, row.table_name),
                    label_is_shared=feeding[row.node_label] > 1,
                    refuse=self.refusals.append,
                )
            except MappingError as error:
                self._refuse(row, f"{source.source_name}/{row.table_name}: {error}")

    def _nowhere(self, table_name: str) -> str:
        names = {name for catalog in self._catalogs.values() for name in catalog.table_names}
        unasked = [s.source_name for s in self._rows.sources if s.source_id not in self._catalogs]
        return (
            f"no active source has a table {table_name!r} that its role may see"
            + (f" (not asked: {', '.join(unasked)})" if unasked else "")
            + _hint(table_name, names)
        )

    def _refuse(self, row: NodeLabelRow, reason: str) -> None:
        self.refusals.append(
            Refusal(control_table="node_label_mappings", row_id=row.mapping_id, reason=reason)
        )


def _unknown_time_zones(rows: ControlRows, catalogs: Catalogs) -> Iterator[Refusal]:
    for source in rows.sources:
        if has_unknown_time_zone(source, catalogs):
            yield Refusal(
                control_table="source_databases",
                row_id=source.source_id,
                reason=why_unknown_time_zone(source),
            )


def has_unknown_time_zone(source: SourceRow, catalogs: Catalogs) -> bool:
    """Whether the source's server has no zone of the name in its row."""
    catalog = catalogs.get(source.source_id)
    return (
        bool(source.time_zone)
        and catalog is not None
        and (catalog.unknown_time_zone == source.time_zone)
    )


def why_unknown_time_zone(source: SourceRow) -> str:
    """The reason against a `time_zone`."""
    return (
        f"time_zone {source.time_zone!r} is not in pg_timezone_names of its server. Write a name such"
        " as 'Europe/Berlin', or 'Etc/GMT-2' for two hours east of Greenwich"
    )


def _source_is_refused(source: SourceRow) -> str:
    return (
        f"source {source.source_name} is not read: source_databases row {source.source_id} has the"
        f" time_zone {source.time_zone!r}, which its server does not know"
    )


def _no_such_table(source: SourceRow, table_name: str, catalog: SourceCatalog) -> str:
    return (
        f"source {source.source_name} has no table {table_name!r} in schema {source.db_schema!r}"
        f" that its role may see{_hint(table_name, catalog.table_names)}"
    )


def _hint(table_name: str, known: Iterable[str]) -> str:
    known = tuple(known)
    bare = table_name.rpartition(".")[2]
    if bare != table_name and bare in known:
        return f"; write {bare!r} alone, its schema is source_databases.db_schema"
    return did_you_mean(table_name, known)


def _table_in(catalogs: Catalogs, source: SourceRow, name: str) -> CatalogTable | None:
    catalog = catalogs.get(source.source_id)
    return catalog.table(name) if catalog else None


def _key(
    table: CatalogTable, properties: tuple[PropertyMapping, ...], declared: tuple[str, ...]
) -> tuple[str, ...]:
    """What the control row says, else the primary key, else a unique index over NOT NULL columns, if all of
    it is read unmasked."""
    if declared:
        return declared
    usable = {prop.column for prop in properties if prop.treatment != "mask"}
    candidates = (table.primary_key, *table.unique_keys)
    return next((key for key in candidates if key and usable.issuperset(key)), ())


def junction_only_tables(
    rows: ControlRows,
    tables: tuple[TableMapping, ...],
    catalogs: Catalogs,
    history: ColumnHistory,
    *,
    refuse: Callable[[Refusal], None] = lambda refusal: None,
) -> tuple[TableMapping, ...]:
    """The unlabelled tables that relationships go through, each once.

    A table that two sources have and no row says which is not among them.
    """
    found: dict[tuple[str, str], TableMapping] = {}
    mapped = TableIndex(tables)
    for row in rows.relationships:
        if not row.junction_table or row.junction_label:
            continue
        source = _source_of(row, row.junction_table, rows, mapped, catalogs)
        if source is None or (source.source_name, row.junction_table) in found:
            continue
        catalog = catalogs.get(source.source_id)
        table = describe(
            source=source,
            table_name=row.junction_table,
            label_row=None,
            rows=rows,
            history=history,
            catalog_table=catalog.table(row.junction_table) if catalog else None,
            refuse=refuse,
        )
        found[table.asset_key] = table
    return tuple(found.values())


def _source_of(
    row: RelationshipRow,
    name: str,
    rows: ControlRows,
    mapped: TableIndex,
    catalogs: Catalogs,
) -> SourceRow | None:
    """The source to read an unlabelled junction from; None where a label maps it or it is unclear."""
    having = [
        source
        for source in rows.sources
        if source.source_id in catalogs and catalogs[source.source_id].has(name)
    ]
    own = [
        source
        for source in rows.sources
        if source.source_name == row.source_db
        and (source in having or source.source_id not in catalogs)
    ]
    labelled = {table.source.source_name for table in mapped.named(name)}
    if not own and labelled:
        return None
    candidates = own or having
    if len(candidates) != 1 or candidates[0].source_name in labelled:
        return None
    return None if has_unknown_time_zone(candidates[0], catalogs) else candidates[0]
