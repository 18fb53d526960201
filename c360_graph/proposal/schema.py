"""What a proposal is made from: a source's tables in full, with how they refer to each other."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from c360_graph.mapping.catalog import CatalogColumn, CatalogTable, SourceCatalog
from c360_graph.mapping.control_rows import Frozen, SourceRow


class QualifiedColumn(NamedTuple):
    """A column of a source."""

    source: str
    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.source}/{self.table}.{self.column}"


class ForeignKey(Frozen):
    """A foreign key; `columns` and `to_columns` are paired by their index."""

    name: str
    table_name: str
    columns: tuple[str, ...]
    to_schema: str
    to_table: str
    to_columns: tuple[str, ...]


class SourceSchema(Frozen):
    """A source's schema as its catalog describes it."""

    source: SourceRow
    catalog: SourceCatalog
    foreign_keys: tuple[ForeignKey, ...] = ()
    inheriting: tuple[str, ...] = ()
    """Tables that inherit from another (no partitions), whose rows that one's SELECT gives too."""
    unreadable: tuple[str, ...] = ()
    """Tables that the role may not read in full."""
    database: str = ""
    """What two sources have in common that are schemas of one database; empty where that is not known."""

    def is_of_same_database(self, other: SourceSchema) -> bool:
        """Whether both are schemas of one database of one server, whatever names lead there."""
        return bool(self.database) and self.database == other.database

    def table(self, name: str) -> CatalogTable:
        """A table that is known to be there."""
        found = self.catalog.table(name)
        assert found is not None
        return found

    def column(self, table_name: str, name: str) -> CatalogColumn:
        """A column that is known to be there."""
        return self._columns[table_name][name]

    @cached_property
    def _columns(self) -> dict[str, dict[str, CatalogColumn]]:
        return {
            table.table_name: {column.name: column for column in table.columns}
            for table in self.catalog.tables
        }


def is_key(table: CatalogTable, columns: tuple[str, ...]) -> bool:
    """Whether no two rows have the same values in exactly these columns."""
    return any(set(key) == set(columns) for key in (table.primary_key, *table.unique_keys) if key)
