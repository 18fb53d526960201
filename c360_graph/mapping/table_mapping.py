"""A table that is read: the properties that its columns become, and what is made of its rows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Literal

from c360_graph.mapping.catalog import INTEGERS, CatalogColumn, CatalogTable, ColumnType
from c360_graph.mapping.control_rows import Frozen, SourceRow, Treatment
from c360_graph.mapping.names import columns_meant
from c360_graph.mapping.property_types import property_type
from c360_graph.sql_quoting import quoted

Operator = Literal["=", "<>", "<", "<=", ">", ">=", "IN", "NOT IN", "IS NULL", "IS NOT NULL"]


class RowCondition(Frozen):
    """`column operator values`; each value is SQL of one literal.

    >>> str(RowCondition(column="state", operator="IN", values=("'on'", "'off'")))
    '"state" IN (\\'on\\', \\'off\\')'
    """

    column: str
    column_is_quoted: bool = True
    operator: Operator
    values: tuple[str, ...] = ()

    @property
    def candidates(self) -> tuple[str, ...]:
        """Column names this may mean, in the order they are tried, as in a join condition."""
        return columns_meant(self.column, is_quoted=self.column_is_quoted)

    def sql(self, alias: str) -> str:
        """The condition on the column of an alias."""
        return self._written(f"{alias}.{quoted(self.column)}")

    def __str__(self) -> str:
        return self._written(quoted(self.column))

    def _written(self, column: str) -> str:
        if not self.values:
            return f"{column} {self.operator}"
        listed = ", ".join(self.values)
        inside = f"({listed})" if self.operator in ("IN", "NOT IN") else listed
        return f"{column} {self.operator} {inside}"


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


class _MappedTable(Frozen):
    """What is known of a table that is read, whether or not its rows become nodes.

    `key` lists the properties whose values identify a row, () where the table has none. `unique` are
    the source's columns of every unique index, `referring` those of every foreign key, `indexed` the
    properties of every index that relationships seek by. `identified_by` are properties that identity
    resolution recognises records by, which have an index of their own, as people look for them.
    """

    source: SourceRow
    table_name: str
    mapping_id: int | None
    node_label: str | None
    """Both kinds of table declare it anew. It is here so that it keeps its position in fingerprints."""
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


class NodeTable(_MappedTable):
    """A table whose rows become nodes of `node_label`. Relationships may go through it too."""

    node_label: str


class JunctionTable(_MappedTable):
    """A table whose rows become no nodes: it is only read for the relationships that go through it."""

    node_label: None = None


TableMapping = NodeTable | JunctionTable
"""A table that is read. In JSON, one without a `node_label` is a junction table."""


def node_tables(tables: Iterable[TableMapping]) -> tuple[NodeTable, ...]:
    """Those of the tables whose rows become nodes, in their order."""
    return tuple(table for table in tables if isinstance(table, NodeTable))
