"""What a source's own catalog says of its tables."""

from __future__ import annotations

from functools import cached_property

from c360_graph.mapping.control_rows import Frozen


class ColumnType(Frozen):
    """A column's type with its domains followed down to the type that stores the value.

    `base` is pg_type.typname (`timestamptz`, `int4`), with its schema where that is not pg_catalog, `kind` is pg_type.typtype
    (b base, e enum, r range, m multirange, c composite). An array has its element's type in
    `element` and in `dimensions` what was declared, which PostgreSQL itself does not enforce.
    """

    name: str
    base: str
    kind: str = "b"
    precision: int | None = None
    scale: int | None = None
    element: ColumnType | None = None
    dimensions: int = 0


class CatalogColumn(Frozen):
    """One column in the table's own order."""

    name: str
    type: ColumnType
    nullable: bool = True
    generated: bool = False


class CatalogTable(Frozen):
    """A table, partitioned table, view, materialized view or foreign table of a source's schema.

    `unique_keys` are the column lists of unique, whole-table, immediate indexes over NOT NULL
    columns, in order of index name; the primary key is not among them.
    """

    schema_name: str
    table_name: str
    kind: str = "r"
    columns: tuple[CatalogColumn, ...] = ()
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    estimated_rows: int = -1


class SourceCatalog(Frozen):
    """A source's schema: the mapped tables in full, the names of all."""

    source_id: int
    tables: tuple[CatalogTable, ...] = ()
    table_names: tuple[str, ...] = ()
    mappable_names: tuple[str, ...] = ()
    """Without partitions, whose rows their parent has."""

    def table(self, name: str) -> CatalogTable | None:
        """The table of that exact name."""
        return self._by_name.get(name)

    def has(self, name: str) -> bool:
        """Whether the schema has a table of that exact name, described here or not."""
        return name in self._names

    @cached_property
    def _by_name(self) -> dict[str, CatalogTable]:
        return {table.table_name: table for table in self.tables}

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.table_names)
