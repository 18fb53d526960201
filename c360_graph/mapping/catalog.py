"""What a source's own catalog says of its tables."""

from __future__ import annotations

from functools import cached_property

from c360_graph.mapping.control_rows import Frozen

INTEGERS = frozenset(["int2", "int4", "int8"])
TEXTS = frozenset(["text", "varchar", "bpchar", "name", "char", "citext"])
"""Types by `ColumnType.base`."""


class ColumnType(Frozen):
    """A column's type with its domains followed down to the type that stores the value.

    `base` is pg_type.typname (`timestamptz`, `int4`), and so it is for the type of an extension (`citext`), whichever
    schema that is installed in; a type of the source's own has its schema before it. `kind` is pg_type.typtype
    (b base, e enum, r range, m multirange, c composite). An array has its element's type in
    `element` and in `dimensions` what was declared, which PostgreSQL itself does not enforce.
    `nondeterministic` names the column's collation where that finds different texts equal, `extension_schema`
    where the operators of an extension's type are.
    """

    name: str
    base: str
    kind: str = "b"
    precision: int | None = None
    scale: int | None = None
    element: ColumnType | None = None
    dimensions: int = 0
    nondeterministic: str | None = None
    extension_schema: str | None = None


class CatalogColumn(Frozen):
    """One column in the table's own order."""

    name: str
    type: ColumnType
    nullable: bool = True
    generated: bool = False
    attribute: tuple[int, int] | None = None
    """pg_attribute's attrelid and attnum, which a renamed column keeps."""


class CatalogTable(Frozen):
    """A table, partitioned table, view, materialized view or foreign table of a source's schema.

    `unique_keys` are the column lists of unique, whole-table, immediate indexes over NOT NULL
    columns, in order of index name; the primary key is not among them. `unique_columns` are the
    columns of every such index, the primary key's and those over nullable columns too;
    `referring_columns` are those of each foreign key. `estimated_rows` is what the last ANALYZE or VACUUM
    found, -1 without one; then `live_rows` is what the server has counted since its statistics were reset.
    """

    schema_name: str
    table_name: str
    kind: str = "r"
    columns: tuple[CatalogColumn, ...] = ()
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    unique_columns: tuple[tuple[str, ...], ...] = ()
    referring_columns: tuple[tuple[str, ...], ...] = ()
    estimated_rows: int = -1
    live_rows: int = 0


class SourceCatalog(Frozen):
    """A source's schema: the mapped tables in full, the names of all."""

    source_id: int
    tables: tuple[CatalogTable, ...] = ()
    table_names: tuple[str, ...] = ()
    mappable_names: tuple[str, ...] = ()
    """Without partitions, whose rows their parent has."""
    unknown_time_zone: str | None = None
    """The `time_zone` of its row where the server has no zone of that name."""

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
