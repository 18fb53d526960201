"""The tables behind each end of a relationship and behind its junction."""

from __future__ import annotations

from typing import Literal

from c360_graph.errors import MappingError
from c360_graph.mapping.control_rows import RelationshipRow
from c360_graph.mapping.join_condition import ColumnReference
from c360_graph.mapping.model import ExcludedColumn, TableMapping
from c360_graph.mapping.table_index import TableIndex

Role = Literal["from", "to", "junction"]


class Ends:
    """The tables behind each role of one relationship row.

    Raises:
        MappingError: the junction is not one table that is read.
    """

    def __init__(self, row: RelationshipRow, tables: TableIndex) -> None:
        self.row = row
        self._labelled: dict[Role, tuple[TableMapping, ...]] = {
            "from": tables.labelled(row.from_label),
            "to": tables.labelled(row.to_label),
        }
        # A label that several sources feed means, for a row about one of them, that one's tables: ids
        # of different sources have nothing to do with each other.
        self.by_role = {role: _of(row, labelled) for role, labelled in self._labelled.items()}
        if row.junction_table:
            self.by_role["junction"] = (_junction(row, row.junction_table, tables),)

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles that the join condition has to speak of."""
        return tuple(self.by_role)

    def places(self, role: Role) -> tuple[str, ...]:
        """The tables of a role where they are not all of its label's, else ()."""
        mine = self.by_role[role]
        if len(mine) == len(self._labelled[role]):
            return ()
        return tuple(sorted(table.place for table in mine))

    def column(self, role: Role, reference: ColumnReference) -> str | None:
        """The column's own spelling where a table of the role has it, excluded or not.

        An exclusion never changes what a condition means, nor does withholding; they only forbid it.
        """
        tables = self.by_role[role]
        for name in reference.candidates:
            if any(t.property_of(name) or _excluded(t, name) or name in t.withheld for t in tables):
                return name
        return None

    def excluded(self, role: Role, column: str) -> tuple[str, ...]:
        """Where a column of a role is excluded, and by which row."""
        return tuple(
            f"{table.place} (field_exclusion_rules row {found.rule_id})"
            for table in self.by_role[role]
            if (found := _excluded(table, column)) is not None
        )

    def withheld(self, role: Role, column: str) -> tuple[str, ...]:
        """Where a column of a role is withheld."""
        return tuple(table.place for table in self.by_role[role] if column in table.withheld)

    def names(self, role: Role) -> frozenset[str]:
        """What SQL would let a condition call a role by without an alias: its label and tables."""
        tables = self.by_role[role]
        labels = {table.node_label for table in tables if table.node_label}
        return frozenset(n.casefold() for n in labels | {table.table_name for table in tables})

    def columns(self, roles: tuple[Role, ...]) -> frozenset[str]:
        """Every column that is read of these roles' tables."""
        return frozenset(
            prop.column
            for role in roles
            for table in self.by_role[role]
            for prop in table.columns_read
        )


def _excluded(table: TableMapping, column: str) -> ExcludedColumn | None:
    return table.excluded_of(column)


def _of(row: RelationshipRow, tables: tuple[TableMapping, ...]) -> tuple[TableMapping, ...]:
    """The tables of the source that the row names where it has any, else all."""
    return tuple(t for t in tables if t.source.source_name == row.source_db) or tables


def _junction(row: RelationshipRow, name: str, tables: TableIndex) -> TableMapping:
    named = tables.named(name)
    if row.junction_label:
        labelled = tuple(table for table in named if table.node_label == row.junction_label)
        if not labelled:
            raise MappingError(
                f"junction_label {row.junction_label!r} is not the label of junction_table"
                f" {row.junction_table!r}; map it so in node_label_mappings, or clear junction_label"
            )
        named = labelled
    narrowed = _of(row, named)
    if not narrowed:
        raise MappingError(
            f"junction_table {row.junction_table!r} is no table that can be read: no source has it,"
            " or several have and source_db does not say which"
        )
    if len(narrowed) > 1:
        raise MappingError(
            f"junction_table {row.junction_table!r} can be"
            f" {' or '.join(table.place for table in narrowed)}; name the source in source_db"
        )
    return narrowed[0]
