"""What a proposal is made from, a source's tables and how they refer to each other, and the rows it consists of."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

from c360_graph.mapping.catalog import CatalogColumn, CatalogTable, SourceCatalog
from c360_graph.mapping.control_rows import (
    NEW_SOURCE_ID,
    ControlRows,
    ExclusionRow,
    Frozen,
    NodeLabelRow,
    PropertyRow,
    RelationshipRow,
    SourceRow,
)


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


Row = TypeVar("Row", NodeLabelRow, RelationshipRow, ExclusionRow, PropertyRow)


class Proposed(Frozen, Generic[Row]):
    """A row that is not there yet. Its id is negative: the control database gives the real one."""

    row: Row
    source_name: str
    """The source that the row is about; an exclusion may be about another than the one mapped."""
    why: str


class ProposedSource(Frozen):
    """A source that has no row yet. `password_variable` names the variable that its password is read from."""

    row: SourceRow
    password_variable: str | None = None

    @property
    def db_password(self) -> str | None:
        """What the row holds instead of the password."""
        return f"env:{self.password_variable}" if self.password_variable else None


class Proposal(Frozen):
    """What is proposed for a source, and what a person should know of the rest."""

    source_name: str
    source: ProposedSource | None = None
    """The source's own row, where it has none yet."""
    exclusions_are: str = "Columns that look personal"
    """The heading of the exclusions."""
    labels: tuple[Proposed[NodeLabelRow], ...] = ()
    relationships: tuple[Proposed[RelationshipRow], ...] = ()
    exclusions: tuple[Proposed[ExclusionRow], ...] = ()
    properties: tuple[Proposed[PropertyRow], ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many rows."""
        own = 1 if self.source else 0
        rows = (*self.labels, *self.relationships, *self.exclusions, *self.properties)
        return own + len(rows)

    def laid_over(self, rows: ControlRows) -> ControlRows:
        """The control rows as they would be."""
        return rows.model_copy(
            update={
                "labels": rows.labels + tuple(p.row for p in self.labels),
                "relationships": rows.relationships + tuple(p.row for p in self.relationships),
                "exclusions": rows.exclusions + tuple(p.row for p in self.exclusions),
                "properties": rows.properties + tuple(p.row for p in self.properties),
            }
        )

    def without(self, withdrawn: frozenset[tuple[str, int]]) -> Proposal:
        """Without the rows named by control table and id."""
        return self.model_copy(
            update={
                "labels": tuple(
                    p
                    for p in self.labels
                    if ("node_label_mappings", p.row.mapping_id) not in withdrawn
                ),
                "relationships": tuple(
                    p
                    for p in self.relationships
                    if ("relationship_mappings", p.row.relationship_id) not in withdrawn
                ),
                "exclusions": tuple(
                    p
                    for p in self.exclusions
                    if ("field_exclusion_rules", p.row.rule_id) not in withdrawn
                ),
                "properties": tuple(
                    p
                    for p in self.properties
                    if ("property_mappings", p.row.mapping_id) not in withdrawn
                ),
            }
        )

    def as_data(self) -> dict[str, Any]:
        """The same for programs: columns of the control tables, and `why`; ids are not known yet."""
        return {
            "source": self.source_name,
            **({"source_databases": [_source_data(self.source)]} if self.source else {}),
            "node_label_mappings": [_data(p) for p in self.labels],
            "relationship_mappings": [_data(p) for p in self.relationships],
            "field_exclusion_rules": [_data(p) for p in self.exclusions],
            **(
                {"property_mappings": [_data(p) for p in self.properties]}
                if self.properties
                else {}
            ),
            "remarks": list(self.remarks),
        }


def _source_data(source: ProposedSource) -> dict[str, Any]:
    values: dict[str, Any] = source.row.model_dump(exclude={"source_id"})
    return {**values, "db_password": source.db_password}


_OF_FEW = frozenset(
    [
        "owner",
        "tags",
        "row_filter",
        "key_columns",
        "extra_labels",
        "label_column",
        "label_values",
        "relationship_properties",
    ]
)


def _data(proposed: Proposed[Any]) -> dict[str, Any]:
    # Ids are given by the database. Columns of few are there where they have a value.
    row = proposed.row.model_dump(exclude={"mapping_id", "relationship_id", "rule_id"})
    values: dict[str, Any] = {k: v for k, v in row.items() if v is not None or k not in _OF_FEW}
    if values.get("source_id") == NEW_SOURCE_ID:
        values["source_id"] = None
    return {"source_name": proposed.source_name, **values, "why": proposed.why}
