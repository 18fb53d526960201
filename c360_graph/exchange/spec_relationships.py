"""Rows of relationship_mappings from the relationship targets of an import specification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from c360_graph.errors import ExchangeError
from c360_graph.exchange.import_spec import NodeReference, RelationshipTarget
from c360_graph.exchange.spec_tables import Remark, SpecNode, SpecTable, referred_columns
from c360_graph.mapping.control_rows import RelationshipRow
from c360_graph.proposal.model import Proposed
from c360_graph.proposal.naming import alias_for, column_in_condition

ColumnPairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class SpecJoin:
    """What a relationship target says: which tables, and which columns are equal.

    Without a junction `start_pairs` are (column of the start, column of the end), and `end_pairs` are empty. With
    one, pairs are (column of an end, column of the junction).
    """

    target: RelationshipTarget
    start: SpecNode
    end: SpecNode
    row: SpecTable
    row_side: Literal["start", "end", "junction"]
    start_pairs: ColumnPairs
    end_pairs: ColumnPairs = ()

    @property
    def junction(self) -> SpecTable | None:
        """The table between both ends."""
        return self.row if self.row_side == "junction" else None

    @property
    def facts(self) -> tuple[object, ...]:
        """All but the tables of a label: the same for each combination of tables."""
        through = self.junction.asset_key if self.junction else None
        return (self.start_pairs, self.end_pairs, through, self.copied_columns)

    @property
    def names(self) -> tuple[str, str, str]:
        """Type and labels."""
        return (self.target.type, self.start.label, self.end.label)

    @property
    def copied_columns(self) -> tuple[str, ...]:
        """The columns that become properties of the relationship."""
        fields = (prop.source_field for prop in self.target.properties)
        return tuple(column.name for name in fields if (column := self.row.column(name)))

    @property
    def joined_columns(self) -> tuple[str, ...]:
        """The columns of the row by which it refers to nodes."""
        if self.junction is not None:
            return tuple(column for _, column in (*self.start_pairs, *self.end_pairs))
        return tuple(pair[0 if self.row_side == "start" else 1] for pair in self.start_pairs)


def spec_join(
    target: RelationshipTarget, nodes: Mapping[str, SpecNode], row: SpecTable
) -> SpecJoin:
    """What a relationship target says.

    Args:
        target: an active relationship target.
        nodes: the node targets that are imported, by name.
        row: the table of its source.

    Raises:
        ExchangeError: an end is not imported, or what it says is no join.
    """
    start, end = (_node(reference, nodes) for reference in (target.start, target.end))
    starts = referred_columns(target.start, start, row)
    ends = referred_columns(target.end, end, row)
    begins_here, ends_here = (_is_row(start, row, starts), _is_row(end, row, ends))
    if begins_here and ends_here:
        raise ExchangeError("both of its ends are the node of the row itself")
    side: Literal["start", "end", "junction"] = "junction"
    if begins_here:
        side, starts, ends = "start", tuple((own, theirs) for theirs, own in ends), ()
    elif ends_here:
        side, ends = "end", ()
    return SpecJoin(
        target=target,
        start=start,
        end=end,
        row=row,
        row_side=side,
        start_pairs=starts,
        end_pairs=ends,
    )


def _node(reference: NodeReference, nodes: Mapping[str, SpecNode]) -> SpecNode:
    found = nodes.get(reference.name)
    if found is None:
        raise ExchangeError(f"node target {reference.name} is not imported")
    return found


def _is_row(node: SpecNode, row: SpecTable, pairs: ColumnPairs) -> bool:
    """Whether an end is the node of the row itself."""
    is_own_table = node.table.asset_key == row.asset_key
    return is_own_table and all(own == theirs for own, theirs in pairs)


@dataclass
class _Alike:
    """Joins of one meaning, for several tables of a label."""

    first: SpecJoin
    rows: set[str] = field(default_factory=set)
    sought: set[str] = field(default_factory=set)

    def add(self, join: SpecJoin) -> None:
        """One more table."""
        self.rows.add(join.row.source.source_name)
        ends = (join.start.table, join.end.table)
        self.sought |= {t.source.source_name for t in ends if t.asset_key != join.row.asset_key}

    @property
    def source_db(self) -> str | None:
        """The source that holds the reference; None where naming it would leave out tables of others."""
        (first, *others) = self.rows
        narrows = first in self.sought and len(self.sought) > 1
        return None if others or narrows else first


def relationship_proposals(
    joins: list[SpecJoin],
    *,
    junction_labels: Mapping[tuple[str, str], str],
    taken: frozenset[tuple[str, str, str]],
    last_order: int,
    remark: Remark,
) -> tuple[Proposed[RelationshipRow], ...]:
    """The rows, one for each type between two labels.

    Args:
        joins: in the order of the document.
        junction_labels: the labels of tables that have one.
        taken: type and labels of the rows that are there.
        last_order: the largest execution_order that is there.
        remark: is told what has no row, and why.
    """
    found: dict[tuple[str, str, str], _Alike] = {}
    for join in joins:
        alike = found.setdefault(join.names, _Alike(first=join))
        if alike.first.facts == join.facts:
            alike.add(join)
        else:
            remark(
                f"Relationship target {join.target.name} is not imported: {alike.first.target.name} has"
                " its type and labels, and another join. Add its row by hand."
            )
    proposed: list[Proposed[RelationshipRow]] = []
    for names, alike in found.items():
        if names in taken:
            remark(
                f"Relationship target {alike.first.target.name}: relationship_mappings has a row of its"
                " type and labels, which stays as it is."
            )
            continue
        number = len(proposed) + 1
        proposed.append(
            _proposed(alike, number, last_order + 10 * number, junction_labels=junction_labels)
        )
    return tuple(proposed)


def _proposed(
    alike: _Alike, number: int, order: int, *, junction_labels: Mapping[tuple[str, str], str]
) -> Proposed[RelationshipRow]:
    join = alike.first
    start, end = (one.table.catalog.table_name for one in (join.start, join.end))
    from_alias = alias_for(start, ())
    to_alias = alias_for(end, (from_alias,))
    condition = _equal(from_alias, to_alias, join.start_pairs)
    junction_alias = None
    if join.junction is not None:
        name = join.junction.catalog.table_name
        junction_alias = alias_for(name, (from_alias, to_alias))
        ends = tuple((own, theirs) for theirs, own in join.end_pairs)
        condition = (
            f"{_equal(from_alias, junction_alias, join.start_pairs)}"
            f" AND {_equal(junction_alias, to_alias, ends)}"
        )
    row = RelationshipRow(
        relationship_id=-number,
        source_db=alike.source_db,
        relationship_type=join.target.type,
        from_label=join.start.label,
        to_label=join.end.label,
        join_condition=condition,
        from_alias=from_alias,
        to_alias=to_alias,
        junction_alias=junction_alias,
        junction_table=join.junction.catalog.table_name if join.junction else None,
        junction_label=junction_labels.get(join.junction.asset_key) if join.junction else None,
        execution_order=order,
        relationship_properties=None if join.junction else join.copied_columns or None,
    )
    return Proposed(
        row=row,
        source_name=join.row.source.source_name,
        why=f"relationship target {join.target.name} of the model",
    )


def _equal(left: str, right: str, pairs: ColumnPairs) -> str:
    return " AND ".join(
        f"{left}.{column_in_condition(one)} = {right}.{column_in_condition(two)}"
        for one, two in pairs
    )
