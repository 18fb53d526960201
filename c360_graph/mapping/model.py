"""The resolved mapping: which table becomes which label, which join becomes which relationship."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from c360_graph.mapping.catalog import INTEGERS, CatalogColumn, CatalogTable, ColumnType
from c360_graph.mapping.control_rows import Frozen, Refusal, SourceRow, Treatment
from c360_graph.mapping.names import JOIN_PREFIX, TABLE_PROPERTY, is_kept_name
from c360_graph.mapping.property_types import property_type
from c360_graph.mapping.quality_rule import QualityRule
from c360_graph.mapping.record_column import ComparedColumn, Identifier
from c360_graph.mapping.row_condition import RowCondition

__all__ = [
    "JOIN_PREFIX",
    "TABLE_PROPERTY",
    "ExcludedColumn",
    "GraphMapping",
    "Identifier",
    "Identity",
    "IdentityTable",
    "Junction",
    "PropertyMapping",
    "RecordTable",
    "Refusal",
    "RelationshipEnd",
    "RelationshipMapping",
    "TableMapping",
    "is_kept_name",
    "row_of_relationship",
]


class PropertyMapping(Frozen):
    """A column that is read and the property it becomes.

    `column` is the name of the property, and of the column where no row of property_mappings says
    otherwise: then the column is `renamed_from`. `type` is that of the property's values, after the cast of
    such a row: then the column has the type `cast_from`.

    One with a `form` is no column of the table: it holds the join form of the property `of`, a text.
    """

    column: str
    type: ColumnType
    nullable: bool = True
    treatment: Treatment | None = None
    of: str | None = None
    form: str | None = None
    renamed_from: str | None = None
    cast_from: ColumnType | None = None
    property_row: int | None = None
    """The row of property_mappings that says so."""

    @property
    def origin(self) -> str:
        """The source's column that it is made of."""
        return self.renamed_from or self.of or self.column

    @property
    def mapped(self) -> str:
        """What a row of property_mappings makes of it, as text; nothing without one."""
        if not (self.renamed_from or self.cast_from):
            return ""
        cast = f" {self.cast_from.name} -> {self.type.name}" if self.cast_from else ""
        return f"{self.origin} -> {self.column}{cast}"


class ExcludedColumn(Frozen):
    """A column that is never selected, and by which rule."""

    column: str
    rule_id: int
    reason: str | None = None


class IdentityTable(Frozen):
    """What makes a table whose rows identity resolution writes, and no source has.

    `record` is the table whose records its rows lead to; None for the table of the entities themselves.
    """

    label: str
    rule_id: int
    record: tuple[str, str] | None = None


class ExtraLabels(Frozen):
    """The labels of a table's nodes beside the main one, by which they are found and counted.

    Every node has those of `always`. One whose property `by_property` is one of `values` has that value as
    a label, too.
    """

    always: tuple[str, ...] = ()
    by_property: str | None = None
    values: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every label that a node may have."""
        return (*self.always, *self.values)

    def __str__(self) -> str:
        of_value = f"{' or '.join(self.values)} by {self.by_property}" if self.values else ""
        return " and ".join(filter(None, (*self.always, of_value)))


class TableMapping(Frozen):
    """A source table that is read: as nodes of `node_label`, or only as a junction when None.

    `key` lists the properties whose values identify a row, () where the table has none. `unique` are
    the source's columns of every unique index, `referring` those of every foreign key, `indexed` the
    properties of every index that relationships seek by. `identified_by` are properties that identity
    resolution recognises records by, which have an index of their own, as people look for them.
    """

    source: SourceRow
    table_name: str
    mapping_id: int | None
    node_label: str | None
    properties: tuple[PropertyMapping, ...] = ()
    excluded: tuple[ExcludedColumn, ...] = ()
    withheld: tuple[str, ...] = ()
    """Columns that are new to a table with exclusion rules, not read until somebody lets them in."""
    key: tuple[str, ...] = ()
    row_filter: tuple[RowCondition, ...] = ()
    """All of which a row has to fulfil to be read."""
    declared_key: tuple[str, ...] = ()
    """The key, where it is the control row that says so."""
    label_is_shared: bool = False
    extra: ExtraLabels = ExtraLabels()
    unique: tuple[tuple[str, ...], ...] = ()
    referring: tuple[tuple[str, ...], ...] = ()
    indexed: tuple[tuple[str, ...], ...] = ()
    identified_by: tuple[str, ...] = ()
    identity: IdentityTable | None = None
    """Set where identity resolution writes the rows."""

    @property
    def asset_key(self) -> tuple[str, str]:
        """(source_name, table_name)."""
        return (self.source.source_name, self.table_name)

    @property
    def qualified_name(self) -> str:
        """`source/table`, as messages, audit rows and scripts name it."""
        return "/".join(self.asset_key)

    @property
    def fingerprint_source(self) -> str:
        """All that decides what is made of the rows; not where their server is, who owns it, or why a
        rule is there."""
        kept = "".join(f" AND {condition}" for condition in self.row_filter)
        mapped = "".join(
            f"{(prop.column, prop.origin, prop.cast_from)!r}\n"
            for prop in self.properties
            if prop.mapped
        )
        labels = f"{self.extra!r}\n" if self.extra.all else ""
        return (kept + mapped + labels) + self.model_dump_json(
            include={
                "source": {"source_name", "db_name", "db_schema", "time_zone"},
                "table_name": True,
                "node_label": True,
                "properties": {
                    "__all__": {"column", "type", "nullable", "treatment", "of", "form"}
                },
                "excluded": {"__all__": {"column"}},
                "key": True,
                "label_is_shared": True,
            }
        )

    def kept_rows(self, alias: str = "t") -> tuple[str, ...]:
        """SQL of the conditions that a row of `alias` has to fulfil to be read."""
        return tuple(condition.sql(alias) for condition in self.row_filter)

    @property
    def known_columns(self) -> tuple[str, ...]:
        """Every column of the source's table that is read, or that a rule excludes."""
        return (*(p.origin for p in self.columns_read), *(e.column for e in self.excluded))

    def as_catalog_table(self) -> CatalogTable:
        """The table's columns that are read, as a catalog would show them."""
        return CatalogTable(
            schema_name=self.source.db_schema,
            table_name=self.table_name,
            columns=tuple(
                CatalogColumn(
                    name=prop.origin, type=prop.cast_from or prop.type, nullable=prop.nullable
                )
                for prop in self.columns_read
            ),
        )

    @property
    def columns_read(self) -> tuple[PropertyMapping, ...]:
        """The properties that are columns of the table, without join forms."""
        return tuple(prop for prop in self.properties if prop.form is None)

    @property
    def float_key(self) -> tuple[str, ...]:
        """The columns of the key that become a FLOAT, which may be NaN."""
        return tuple(
            column
            for column in self.key
            if (prop := self.property_of(column)) is not None
            and property_type(
                prop.type, treatment=prop.treatment, time_zone=self.source.time_zone
            ).name
            == "FLOAT"
        )

    def is_short(self, name: str) -> bool:
        """Whether an index takes every value of a property, which is a normalised form, hashed or a number.

        A row with a text that is too long for an index could not be loaded.
        """
        prop = self.property_of(name)
        if prop is None:
            return False
        kept = prop.form is not None or prop.treatment == "hash"
        return kept or (prop.type.base in INTEGERS and prop.type.element is None)

    def property_of(self, name: str) -> PropertyMapping | None:
        """The property of this name."""
        return self._by_name.get(name)

    def property_from(self, column: str) -> PropertyMapping | None:
        """The property that this column of the source becomes."""
        return self._by_origin.get(column)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The source's columns that are the key."""
        return tuple(self._by_name[name].origin for name in self.key)

    def excluded_of(self, column: str) -> ExcludedColumn | None:
        """The exclusion of this column, None where it is read."""
        return self._excluded_by_column.get(column)

    @cached_property
    def _by_name(self) -> dict[str, PropertyMapping]:
        return {prop.column: prop for prop in self.properties}

    @cached_property
    def _by_origin(self) -> dict[str, PropertyMapping]:
        return {prop.origin: prop for prop in self.columns_read}

    @cached_property
    def _excluded_by_column(self) -> dict[str, ExcludedColumn]:
        return {excluded.column: excluded for excluded in self.excluded}


class Junction(Frozen):
    """The table between two labels. Pairs are (endpoint's column, junction's column)."""

    table: tuple[str, str]
    node_label: str | None
    from_pairs: tuple[tuple[str, str], ...]
    to_pairs: tuple[tuple[str, str], ...]
    properties: tuple[str, ...] = ()


class RelationshipEnd(Frozen):
    """One end of a relationship. Pairs are (its own column, the column that it equals).

    `tables` are qualified names (`source/table`) where only these of a shared label's tables take part, () where
    all of the label's nodes do.
    """

    side: Literal["from", "to"]
    label: str
    tables: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]

    def has(self, table: TableMapping) -> bool:
        """Whether the rows of a table take part."""
        return table.node_label == self.label and (
            not self.tables or table.qualified_name in self.tables
        )


class RelationshipMapping(Frozen):
    """A join that becomes a relationship.

    Without a junction `pairs` holds (from column, to column) and `seek` says which end is looked up
    for each row of the other. `from_tables` and `to_tables` are qualified names (`source/table`) where only
    these of a shared label's tables take part, () where all of the label's nodes do.
    """

    relationship_id: int
    """Negative where no row of relationship_mappings makes it, but one of identity_rules."""
    relationship_type: str
    from_label: str
    to_label: str
    from_tables: tuple[str, ...] = ()
    to_tables: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    seek: Literal["from", "to"] = "from"
    junction: Junction | None = None
    properties: tuple[str, ...] = ()
    """Properties of the end that drives, which the relationship has too; a junction has its own."""
    execution_order: int = 0
    description: str | None = None

    @property
    def fingerprint_source(self) -> str:
        """All that decides which relationships are made; not in which order, or why."""
        copied = f"{self.properties!r}\n" if self.properties else ""
        return copied + self.model_dump_json(
            exclude={"relationship_id", "execution_order", "description", "properties"}
        )

    @property
    def copied(self) -> tuple[str, ...]:
        """The properties of the rows that drive, which the relationship has too."""
        return self.junction.properties if self.junction else self.properties

    @property
    def row(self) -> str:
        """The control row that makes it, for messages."""
        return row_of_relationship(self.relationship_id)

    @cached_property
    def start(self) -> RelationshipEnd:
        """Where the relationship begins."""
        pairs = self.junction.from_pairs if self.junction else self.pairs
        return RelationshipEnd(
            side="from", label=self.from_label, tables=self.from_tables, pairs=pairs
        )

    @cached_property
    def end(self) -> RelationshipEnd:
        """Where the relationship leads."""
        swapped = tuple((right, left) for left, right in self.pairs)
        pairs = self.junction.to_pairs if self.junction else swapped
        return RelationshipEnd(side="to", label=self.to_label, tables=self.to_tables, pairs=pairs)

    @property
    def driving(self) -> RelationshipEnd | None:
        """The end for each of whose rows the other is looked up; None where a junction's rows drive."""
        if self.junction is not None:
            return None
        return self.end if self.seek == "from" else self.start

    @property
    def sought(self) -> tuple[RelationshipEnd, ...]:
        """The ends that are looked up for each row that drives."""
        if self.junction is not None:
            return (self.start, self.end)
        return (self.start,) if self.seek == "from" else (self.end,)

    def is_driven_by(self, table: TableMapping) -> bool:
        """Whether ends are looked up for the rows of a table."""
        if self.junction is not None:
            return table.asset_key == self.junction.table
        return self.driving is not None and self.driving.has(table)


def row_of_relationship(relationship_id: int) -> str:
    """The control row behind an id.

    >>> row_of_relationship(3)
    'relationship_mappings row 3'
    """
    known = relationship_id >= 0
    return f"relationship_mappings row {relationship_id}" if known else "identity_rules"


class RecordTable(Frozen):
    """A table whose records are of entities, and the table between both."""

    table: tuple[str, str]
    links: TableMapping
    identifiers: tuple[Identifier, ...]
    compared: tuple[ComparedColumn, ...] = ()
    """At most one of each kind."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the rules name, each once."""
        named = (*(i.column for i in self.identifiers), *(c.column for c in self.compared))
        return tuple(dict.fromkeys(named))


class Identity(Frozen):
    """Entities of a label, such as one customer for each person, and the tables that have their records."""

    label: str
    entities: TableMapping
    records: tuple[RecordTable, ...]
    similar: TableMapping | None = None
    """The table of entities that may be the same; None where no rule compares records."""

    @property
    def name(self) -> str:
        """Of its asset, and of the source that its tables are shown under."""
        return self.entities.source.source_name

    @property
    def tables(self) -> tuple[TableMapping, ...]:
        """The tables that its asset writes."""
        similar = () if self.similar is None else (self.similar,)
        return (self.entities, *(record.links for record in self.records), *similar)


class GraphMapping(Frozen):
    """All that is sound, in the order it is loaded, and all that was refused."""

    tables: tuple[TableMapping, ...] = ()
    relationships: tuple[RelationshipMapping, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    inactive_relationship_ids: tuple[int, ...] = ()
    """Ids of relationships that are inactive because a label or source they need is deactivated."""
    inactive_label_ids: tuple[int, ...] = ()
    """Ids of label rows for any source whose table none has, while a source is deactivated."""
    quality: tuple[QualityRule, ...] = ()
    undecided_relationship_ids: tuple[int, ...] = ()
    """Ids of relationships that are decided once a source that could not be asked answers."""
    identities: tuple[Identity, ...] = ()
    """What identity resolution makes; its tables are among `tables`."""

    @property
    def extra_labels(self) -> frozenset[str]:
        """The labels that nodes have beside the one that they are counted by."""
        return frozenset(label for table in self.tables for label in table.extra.all)

    @property
    def source_tables(self) -> tuple[TableMapping, ...]:
        """The tables that are read from a source."""
        return tuple(table for table in self.tables if table.identity is None)

    def table(self, asset_key: tuple[str, str]) -> TableMapping | None:
        """The mapped table of that (source_name, table_name)."""
        return self._by_key.get(asset_key)

    @cached_property
    def _by_key(self) -> dict[tuple[str, str], TableMapping]:
        return {table.asset_key: table for table in self.tables}
