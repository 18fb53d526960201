"""Tables that could not be read and of which no extract is kept: what is left out with them, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from c360_graph.mapping.control_rows import ControlRows, Refusal, RelationshipRow
from c360_graph.mapping.model import TableMapping


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
    labels = {table.node_label for table in read}
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


def _needs(row: RelationshipRow, table: TableMapping, labels: Collection[str | None]) -> bool:
    """Whether a relationship lacks this table: no other gives it the label, or it is the junction."""
    named = {row.from_label, row.to_label, row.junction_label}
    lacks_label = table.node_label is not None and table.node_label not in labels
    return (lacks_label and table.node_label in named) or row.junction_table == table.table_name
