"""What of the graph a reader cannot rely on, and why: names of refused rows and of excluded columns, and tables
that could not be read and of which no extract is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from c360_graph.mapping.control_rows import ControlRows, Refusal, RelationshipRow
from c360_graph.mapping.model import GraphMapping, NodeTable, TableMapping, node_tables


@dataclass(frozen=True, kw_only=True)
class LeftOutTable:
    """A mapped table without an extract, and why the last try to read it failed."""

    table: TableMapping
    why: str

    def __str__(self) -> str:
        return f"{self.table.qualified_name} could not be read, and no extract of it is kept: {self.why}"


def refusals_of(
    left_out: Iterable[LeftOutTable],
    rows: ControlRows,
    *,
    read: Iterable[TableMapping],
    made: Collection[int],
) -> Iterator[Refusal]:
    """The label rows of left-out tables, and the relationship rows that nothing is made of without them.

    Args:
        left_out: the tables.
        rows: the control rows.
        read: the tables that an extract is there of.
        made: ids of the relationships that are made, and of those that rest.
    """
    tables = tuple(left_out)
    labels = {table.node_label for table in node_tables(read)}
    for missing in tables:
        if missing.table.mapping_id is not None:
            yield Refusal(
                control_table="node_label_mappings",
                row_id=missing.table.mapping_id,
                reason=str(missing),
            )
    for row in rows.relationships:
        needed = next((m for m in tables if _needs(row, m.table, labels)), None)
        if needed is not None and row.relationship_id not in made:
            yield Refusal(
                control_table="relationship_mappings",
                row_id=row.relationship_id,
                reason=f"it needs a table that is left out: {needed}",
            )


def _needs(row: RelationshipRow, table: TableMapping, labels: Collection[str]) -> bool:
    """Whether a relationship lacks this table: no other gives it the label, or it is the junction."""
    named = {row.from_label, row.to_label, row.junction_label}
    lacks_label = isinstance(table, NodeTable) and table.node_label not in labels
    return (lacks_label and table.node_label in named) or row.junction_table == table.table_name


def refused_names(rows: ControlRows, refusals: Iterable[Refusal]) -> dict[str, str]:
    """Labels and relationship types that refused rows name, each with the reason.

    What such a row would make is missing from the graph, or is there as an older load left it.
    """
    reasons = {
        (refusal.control_table, refusal.row_id): str(refusal)
        for refusal in refusals
        if not refusal.is_partial
    }
    labels = (("node_label_mappings", row.mapping_id, row.node_label) for row in rows.labels)
    entities = (("identity_rules", row.rule_id, row.entity_label) for row in rows.identity_rules)
    types = (
        ("relationship_mappings", row.relationship_id, row.relationship_type)
        for row in rows.relationships
    )
    found: dict[str, str] = {}
    for control_table, row_id, name in (*labels, *entities, *types):
        reason = reasons.get((control_table, row_id))
        if reason is not None:
            found.setdefault(name, reason)
    return found


def graph_names(mapping: GraphMapping, rows: ControlRows) -> frozenset[str]:
    """Labels and relationship types that a mapping makes, and those that its refused rows name."""
    labels = (table.node_label for table in mapping.node_tables)
    types = (relationship.relationship_type for relationship in mapping.relationships)
    return frozenset((*labels, *types, *refused_names(rows, mapping.refusals)))


def excluded_names(tables: Iterable[TableMapping]) -> dict[str, str]:
    """Properties that no label has since a rule excludes their columns, each with the rule."""
    listed = tuple(tables)
    read = {prop.column for table in listed for prop in table.properties}
    return {
        column.column: (
            f"{table.qualified_name}.{column.column} is excluded by field_exclusion_rules row"
            f" {column.rule_id}."
        )
        for table in listed
        for column in table.excluded
        if column.column not in read
    }


def missing_for(
    used: Iterable[str], *, names: Mapping[str, str], properties: Mapping[str, str]
) -> Iterator[str]:
    """Why a statement cannot be answered that uses these `:Name` and `.property`.

    >>> list(missing_for([":PLAYED", ".email"], names={"PLAYED": "row 4 is refused"}, properties={}))
    ['row 4 is refused']
    """
    for word in used:
        reason = (names if word[0] == ":" else properties).get(word[1:])
        if reason is not None:
            yield reason
