"""By what each pair of columns is joined: a join that PostgreSQL would make otherwise is refused."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from c360_graph.errors import MappingError
from c360_graph.mapping.aliases import Meaning
from c360_graph.mapping.ends import Ends, Role
from c360_graph.mapping.join_columns import join_column
from c360_graph.mapping.join_comparison import Compared, Comparison, compare
from c360_graph.mapping.join_forms import JoinColumn
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.property_types import property_type


def joined_by(ends: Ends, meaning: Meaning) -> Meaning:
    """The meaning with each column replaced by what is compared: its join form where it needs one.

    Raises:
        MappingError: names two columns that cannot be compared, with their types and why.
    """
    return {
        (left, right): tuple(_compared(ends, left, right, pair) for pair in pairs)
        for (left, right), pairs in meaning.items()
    }


def _compared(
    ends: Ends, left_role: Role, right_role: Role, pair: tuple[str, str]
) -> tuple[str, str]:
    lefts = _sides(ends.by_role[left_role], pair[0])
    rights = _sides(ends.by_role[right_role], pair[1])
    way = _way(lefts, rights)
    if way == "property":
        return pair
    return join_column(way, pair[0]), join_column(way, pair[1])


@dataclass(frozen=True)
class _Side:
    """A column of one table."""

    table: TableMapping
    prop: PropertyMapping

    @property
    def kind(self) -> str:
        """The property's type."""
        return property_type(
            self.prop.type,
            treatment=self.prop.treatment,
            time_zone=self.table.source.time_zone,
        ).name

    @property
    def join_column(self) -> JoinColumn:
        return JoinColumn(type=self.prop.type, time_zone=self.table.source.time_zone)

    def __str__(self) -> str:
        treated = f" treated by {self.prop.treatment}" if self.prop.treatment else ""
        return (
            f"{self.table.place}.{self.prop.column} ({self.prop.type.name}{treated}, property"
            f" {self.kind})"
        )


Sides = tuple[_Side, ...]


def _sides(tables: tuple[TableMapping, ...], column: str) -> Sides:
    return tuple(
        _Side(table, prop) for table in tables if (prop := table.property_of(column)) is not None
    )


def _way(lefts: Sides, rights: Sides) -> Compared:
    """The best way that is right for all tables of both sides."""
    found = [[_comparison(left, right) for right in rights] for left in lefts]
    for left, row in zip(lefts, found, strict=True):
        _refuse_without_partner(left, rights, row)
    for number, right in enumerate(rights):
        _refuse_without_partner(right, lefts, [row[number] for row in found])
    every = [comparison for row in found for comparison in row]
    for (left, right), comparison in zip(product(lefts, rights), every, strict=True):
        if not comparison.ways and not comparison.disjoint:
            raise MappingError(f"{left} and {right} cannot be compared: {comparison.reason}")
    ways = [comparison.ways for comparison in every if comparison.ways]
    for way in ways[0]:
        if all(way in others for others in ways):
            return way
    raise MappingError(
        f"PostgreSQL compares {' or '.join(map(str, lefts))} with {' or '.join(map(str, rights))} by"
        " rules that differ from table to table; map views that cast all of them to one type"
    )


def _refuse_without_partner(side: _Side, others: Sides, comparisons: list[Comparison]) -> None:
    """Each table's column must be comparable with that of a table on the other side."""
    if any(comparison.ways for comparison in comparisons):
        return
    for other, comparison in zip(others, comparisons, strict=True):
        if not comparison.disjoint:
            raise MappingError(f"{side} and {other} cannot be compared: {comparison.reason}")
    listed = " or ".join(map(str, others))
    raise MappingError(
        f"{side} and {listed} never compare equal in the graph; {comparisons[0].reason}"
    )


def _comparison(one: _Side, other: _Side) -> Comparison:
    treatments = {one.prop.treatment, other.prop.treatment}
    if "mask" in treatments:
        return Comparison(
            reason="a masked column cannot be joined by, use the treatment hash", disjoint=True
        )
    if len(treatments) > 1:
        return Comparison(reason="give both sides the treatment hash", disjoint=True)
    return compare(one.join_column, other.join_column)
