"""What a relationship compares: for each pair of columns the properties that are equal where the columns are."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from c360_graph.errors import MappingError
from c360_graph.mapping.join_columns import join_column
from c360_graph.mapping.join_comparison import Compared, Comparison, compare
from c360_graph.mapping.join_forms import JoinColumn
from c360_graph.mapping.join_functions import JoinFunctions
from c360_graph.mapping.joins import Ends, JoinedColumn, ResolvedJoin, Role
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.mapping.property_types import property_type

ComparedJoin = dict[tuple[Role, Role], tuple[tuple[str, str], ...]]
"""Pairs of the properties that are compared, between each two roles of a resolved join."""


def joined_by(ends: Ends, meaning: ResolvedJoin) -> ComparedJoin:
    """The meaning with each column replaced by what is compared: its join form where it needs one,
    or what the functions around it give.

    Raises:
        MappingError: names two columns that cannot be compared, with their types and why.
    """
    return {
        (left, right): tuple(_compared(ends, left, right, pair) for pair in pairs)
        for (left, right), pairs in meaning.items()
    }


def _compared(
    ends: Ends, left_role: Role, right_role: Role, pair: tuple[JoinedColumn, JoinedColumn]
) -> tuple[str, str]:
    roles = (left_role, right_role)
    tables = [table for role in roles for table in ends.by_role[role]]
    functions = [_functions(joined, tables) for joined in pair]
    lefts, rights = (
        _sides(ends.by_role[role], joined.column, rule)
        for role, joined, rule in zip(roles, pair, functions, strict=True)
    )
    way = _way(lefts, rights)
    columns = [_one_name(sides) for sides in (lefts, rights)]
    if way == "property":
        return columns[0], columns[1]
    # Beside what functions give, a column without any is compared as the text that it is.
    rules = [rule or way for rule in functions]
    return join_column(rules[0], columns[0]), join_column(rules[1], columns[1])


def _functions(joined: JoinedColumn, tables: list[TableMapping]) -> JoinFunctions | None:
    """The functions around a column, by a rule that is the same in each of the sources."""
    if not joined.functions:
        return None
    functions = JoinFunctions(calls=joined.functions)
    is_one = len({table.source.source_id for table in tables}) == 1
    return functions if is_one else functions.across_sources()


@dataclass(frozen=True)
class _ComparedColumn:
    """A column of one table."""

    table: TableMapping
    prop: PropertyMapping
    functions: JoinFunctions | None = None

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
        return JoinColumn(
            type=self.prop.type,
            time_zone=self.table.source.time_zone,
            functions=self.functions,
        )

    def __str__(self) -> str:
        treated = f" treated by {self.prop.treatment}" if self.prop.treatment else ""
        return (
            f"{self.table.qualified_name}.{self.prop.origin} ({self.prop.type.name}{treated}, property"
            f" {self.kind})"
        )


Sides = tuple[_ComparedColumn, ...]


def _sides(tables: tuple[TableMapping, ...], column: str, functions: JoinFunctions | None) -> Sides:
    return tuple(
        _ComparedColumn(table, prop, functions)
        for table in tables
        if (prop := table.property_from(column)) is not None
    )


def _one_name(sides: Sides) -> str:
    """The name of the property that a column becomes, the same in all tables of a side."""
    names = list(dict.fromkeys(side.prop.column for side in sides))
    if len(names) > 1:
        listed = " and ".join(
            f"{side.prop.column!r} of {side.table.qualified_name}" for side in sides
        )
        raise MappingError(
            f"column {sides[0].prop.origin!r} becomes properties of several names, {listed}; give it one"
            " name in property_mappings"
        )
    return names[0]


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


def _refuse_without_partner(
    side: _ComparedColumn, others: Sides, comparisons: list[Comparison]
) -> None:
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


def _comparison(one: _ComparedColumn, other: _ComparedColumn) -> Comparison:
    treatments = {one.prop.treatment, other.prop.treatment}
    if "mask" in treatments:
        return Comparison(
            reason="a masked column cannot be joined by, use the treatment hash", disjoint=True
        )
    if len(treatments) > 1:
        return Comparison(reason="give both sides the treatment hash", disjoint=True)
    return compare(one.join_column, other.join_column)
