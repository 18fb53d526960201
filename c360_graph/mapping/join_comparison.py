"""How two columns are compared, so that a join finds what PostgreSQL's own `=` finds, or why they cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from c360_graph.mapping.catalog import INTEGERS, TEXTS, ColumnType
from c360_graph.mapping.join_forms import (
    FLOATS,
    MOMENTS,
    NETWORKS,
    NUMBERS,
    JoinColumn,
    JoinForm,
)

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
