"""What a relationship compares, so that a join finds what PostgreSQL's own `=` finds, or why it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Literal

from c360_graph.errors import MappingError
from c360_graph.mapping.catalog import INTEGERS, TEXTS, ColumnType
from c360_graph.mapping.join_forms import join_column
from c360_graph.mapping.join_functions import (
    FLOATS,
    MOMENTS,
    NETWORKS,
    NUMBERS,
    JoinColumn,
    JoinForm,
    JoinFunctions,
)
from c360_graph.mapping.joins import Ends, JoinedColumn, ResolvedJoin, Role
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.mapping.property_types import property_type

Compared = JoinForm | Literal["property"]
"""What a join compares: a form of both columns, or their properties as they are."""

_LIKE_TEXT = frozenset(["uuid", "inet", "cidr", "macaddr", "macaddr8"])
"""PostgreSQL compares none of them with a text. They are joined by what they are shown as."""
_WITHOUT_EQUALITY = frozenset(["json", "xml", "point", "jsonpath"])

_RANGES = ("int4range", "int8range", "daterange", "tsrange", "tstzrange")
_EXACT = frozenset(
    [
        *("bool", "uuid", "bytea", "inet", "cidr", "macaddr", "macaddr8", "bit", "varbit"),
        *("oid", "xid", "xid8", "pg_lsn", "tsvector", "ltree", "hstore"),
        *_RANGES,
        *(name.replace("range", "multirange") for name in _RANGES),
    ]
)
"""Types of which two values are equal just where their texts are."""
_EXACT_ELEMENTS = frozenset(
    [
        *("int2", "int4", "int8", "bool", "text", "varchar", "name", "uuid", "bytea", "oid"),
        *("date", "timestamp", "timestamptz", "time", "timetz"),
    ]
)
"""Types of which two arrays are equal just where their texts are."""
_WITHOUT_OTHERS = frozenset(["bool", "bytea", "jsonb", "money", "pg_lsn", "tsvector", *_RANGES])
"""Further types that PostgreSQL compares with themselves alone."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How two columns are compared.

    `ways` are right ways, the best first; where there are none `reason` says why. `by_text` says that
    PostgreSQL itself has no equality for the two and what they are shown as is compared. `disjoint`
    says that it has none, and that no value of one column looks like one of the other.
    """

    ways: tuple[Compared, ...] = ()
    reason: str = ""
    by_text: bool = False
    disjoint: bool = False


def compare(left: JoinColumn, right: JoinColumn) -> Comparison:
    """How to compare two columns so that it equals PostgreSQL's own join.

    >>> from c360_graph.mapping.catalog import INTEGERS, TEXTS, ColumnType
    >>> number = JoinColumn(type=ColumnType(name="integer", base="int4"))
    >>> text = JoinColumn(type=ColumnType(name="text", base="text"))
    >>> compare(number, number).ways
    ('property', 'number')
    >>> compare(text, text).ways
    ('property',)
    """
    if left.functions or right.functions:
        return _compare_normalised(left, right)
    for column in (left, right):
        if column.type.nondeterministic and not (left.base == right.base == "citext"):
            return Comparison(reason=_not_deterministic(column.type.nondeterministic))
    if left.type.element is not None or right.type.element is not None:
        return _compare_arrays(left.type, right.type)
    found = _WAYS.get(_family(left.type), _other_ways)(left, right)
    if found is not None:
        return found
    return _why_not(left, right)


def _compare_normalised(left: JoinColumn, right: JoinColumn) -> Comparison:
    """Texts, each of them what functions give or a text as it is."""
    for column in (left, right):
        if column.functions is None:
            if column.type.element is not None or column.base not in TEXTS:
                return Comparison(reason=_CAST_ONE, disjoint=True)
            if column.type.nondeterministic:
                return Comparison(reason=_not_deterministic(column.type.nondeterministic))
        elif (reason := column.functions.why_not(column.type)) is not None:
            return Comparison(reason=reason)
    return Comparison(ways=("text",))


def _not_deterministic(collation: str) -> str:
    return (
        f"the collation {collation} is not deterministic, so that different texts are equal to"
        " PostgreSQL; map a view that gives equal values one text in a deterministic collation,"
        ' such as lower(...) COLLATE "C"'
    )


def _compare_arrays(left: ColumnType, right: ColumnType) -> Comparison:
    if left.element is None or right.element is None:
        return Comparison(reason=_CAST_ONE, disjoint=True)
    one, other = left.element, right.element
    exact = one.base in _EXACT_ELEMENTS or one.kind == "e"
    if one.base != other.base:
        return Comparison(reason=_CAST_ONE)
    return Comparison(ways=("text",)) if exact else Comparison(reason=_texts_differ(left.name))


def _number_ways(left: JoinColumn, right: JoinColumn) -> Comparison | None:
    bases = {left.base, right.base}
    if not bases <= NUMBERS:
        return None
    if bases & FLOATS:
        return Comparison(ways=("double",))
    if bases <= INTEGERS:
        return Comparison(ways=("property", "number"))
    return Comparison(ways=("number",))


def _text_ways(left: JoinColumn, right: JoinColumn) -> Comparison | None:
    bases = {left.base, right.base}
    if bases == {"citext"}:
        return Comparison(ways=("folded",))
    if bases == {"bpchar"}:
        return Comparison(ways=("property", "trimmed"))
    # PostgreSQL reads the varchar as char here, without its trailing blanks. It does not with text.
    if bases == {"bpchar", "varchar"}:
        return Comparison(ways=("trimmed",))
    if bases <= TEXTS:
        return Comparison(ways=("property",))
    families = {_family(left.type), _family(right.type)}
    if families <= {"text", "enum", "like text"}:
        return Comparison(ways=("property",), by_text=True)
    return None


def _enum_ways(left: JoinColumn, right: JoinColumn) -> Comparison | None:
    families = {_family(left.type), _family(right.type)}
    if families <= {"text", "enum"}:
        return Comparison(ways=("property",), by_text=left.base != right.base)
    return None


def _like_text_ways(left: JoinColumn, right: JoinColumn) -> Comparison | None:
    if left.base == right.base:
        return Comparison(ways=("property", "address") if left.base in NETWORKS else ("property",))
    if {left.base, right.base} == NETWORKS:
        return Comparison(ways=("address",))
    return Comparison(ways=("property",), by_text=True) if _family(right.type) == "text" else None


def _moment_ways(left: JoinColumn, right: JoinColumn) -> Comparison | None:
    bases = {left.base, right.base}
    if bases == {"interval"}:
        return Comparison(ways=("span",))
    if bases == {"timestamptz"}:
        return Comparison(ways=("instant",))
    if bases == {"timestamp"} and left.zone == right.zone:
        return Comparison(ways=("text",))
    if bases <= {"timestamp", "timestamptz"}:
        local = [c for c in (left, right) if c.base == "timestamp" and not c.time_zone]
        if not local:
            return Comparison(ways=("instant",))
        return Comparison(
            reason="which moment a timestamp without time zone means depends on the session that"
            " compares it; set source_databases.time_zone of its source"
        )
    return Comparison(ways=("text",)) if len(bases) == 1 else None


def _other_ways(left: JoinColumn, right: JoinColumn) -> Comparison | None:
    bases = {left.base, right.base}
    if bases == {"jsonb"}:
        return Comparison(ways=("json",))
    if bases == {"money"}:
        return Comparison(ways=("amount",))
    same = len(bases) == 1 and left.base in _EXACT
    return Comparison(ways=("property",)) if same or bases == {"bit", "varbit"} else None


_WAYS: dict[str, Callable[[JoinColumn, JoinColumn], Comparison | None]] = {
    "number": _number_ways,
    "text": _text_ways,
    "enum": _enum_ways,
    "like text": _like_text_ways,
    "moment": _moment_ways,
}

_CAST_ONE = "map a view that casts one side to the other's type"


def _texts_differ(name: str) -> str:
    return (
        f"values of {name} that PostgreSQL finds equal may have different texts; map a view that casts"
        " both sides to text in a form that is the same for equal values"
    )


def _why_not(left: JoinColumn, right: JoinColumn) -> Comparison:
    for column in (left, right):
        if column.base in _WITHOUT_EQUALITY:
            return Comparison(
                reason=f"PostgreSQL has no equality for {column.type.name}; map a view that casts both"
                " sides to a type that has one"
            )
    if left.base == right.base:
        return Comparison(reason=_texts_differ(left.type.name))
    known = {_family(left.type), _family(right.type)}
    apart = len(known) == 2 or known == {"like text"}
    return Comparison(reason=_CAST_ONE, disjoint=apart and "other" not in known)


def _family(column_type: ColumnType) -> str:
    if column_type.kind == "e":
        return "enum"
    for family, bases in (
        ("number", NUMBERS),
        ("text", TEXTS),
        ("like text", _LIKE_TEXT),
        ("moment", MOMENTS),
    ):
        if column_type.base in bases:
            return family
    return column_type.base if column_type.base in _WITHOUT_OTHERS else "other"


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
class _SideColumn:
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


Sides = tuple[_SideColumn, ...]


def _sides(tables: tuple[TableMapping, ...], column: str, functions: JoinFunctions | None) -> Sides:
    return tuple(
        _SideColumn(table, prop, functions)
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
    side: _SideColumn, others: Sides, comparisons: list[Comparison]
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


def _comparison(one: _SideColumn, other: _SideColumn) -> Comparison:
    treatments = {one.prop.treatment, other.prop.treatment}
    if "mask" in treatments:
        return Comparison(
            reason="a masked column cannot be joined by, use the treatment hash", disjoint=True
        )
    if len(treatments) > 1:
        return Comparison(reason="give both sides the treatment hash", disjoint=True)
    return compare(one.join_column, other.join_column)
