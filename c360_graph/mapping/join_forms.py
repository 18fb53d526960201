"""Which text stands for a column's value in a join, so that equal texts are what `=` of PostgreSQL finds equal.

Most types need none: their property is equal where the value is. Others have values that are equal
and look different (citext, numeric, interval, jsonb), or properties that lose what `=` sees (an
infinite date, a NULL within an array). For these PostgreSQL writes a second text, the join form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from c360_graph.mapping.catalog import INTEGERS, TEXTS, ColumnType
from c360_graph.mapping.join_functions import JoinFunctions
from c360_graph.sql_quoting import sql_literal

JoinForm = Literal[
    "number",
    "double",
    "trimmed",
    "folded",
    "text",
    "instant",
    "span",
    "json",
    "address",
    "amount",
]
"""The second text that a join compares, by the rule that writes it."""

FLOATS = frozenset(["float4", "float8"])
NUMBERS = INTEGERS | FLOATS | {"numeric"}
NETWORKS = frozenset(["inet", "cidr"])
MOMENTS = frozenset(["date", "timestamp", "timestamptz", "time", "timetz", "interval"])

_FIRST_ANYWHERE, _LAST_ANYWHERE = "4714-11-25 00:00 BC", "294276-12-31 00:00"
SMALLEST_DOUBLE, LARGEST_DOUBLE = "2.4703282292062328e-324", "1.7976931348623158e308"
LONGEST_BYTES = 1_000
"""Of a join form; a longer one is stood for by its digest."""
# A string is matched whole, so that nothing within one is taken for a number.
_JSON_ZEROS = r'("(?:\\.|[^"\\])*")|(\.[0-9]*[1-9])0+(?![0-9])|\.0+(?![0-9])'


@dataclass(frozen=True, kw_only=True)
class JoinColumn:
    """A column as a join sees it: its type, and the zone of its source's timestamps."""

    type: ColumnType
    time_zone: str | None = None
    functions: JoinFunctions | None = None
    """What stands around the column in the join condition."""

    @property
    def base(self) -> str:
        """The type without its modifiers."""
        return self.type.base

    @property
    def zone(self) -> str:
        """The zone's name, as it is compared."""
        return (self.time_zone or "").lower()


def form_applies(form: JoinForm | JoinFunctions, column_type: ColumnType) -> bool:
    """Whether values of a type have this form.

    >>> from c360_graph.mapping.catalog import ColumnType
    >>> form_applies("number", ColumnType(name="integer", base="int4"))
    True
    """
    if isinstance(form, JoinFunctions):
        return form.why_not(column_type) is None
    if form == "text":
        return column_type.element is not None or column_type.base in MOMENTS | TEXTS
    return column_type.element is None and column_type.base in _BASES[form]


_BASES: dict[JoinForm, frozenset[str]] = {
    "number": INTEGERS | {"numeric"},
    "double": NUMBERS,
    "trimmed": frozenset(["bpchar", "varchar"]),
    "folded": frozenset(["citext"]),
    "instant": frozenset(["timestamp", "timestamptz"]),
    "span": frozenset(["interval"]),
    "json": frozenset(["jsonb"]),
    "address": NETWORKS,
    "amount": frozenset(["money"]),
}


def form_sql(form: JoinForm | JoinFunctions, value: str, column: JoinColumn) -> str:
    """SQL for the form of a value, given as an SQL expression; NULL where the value is NULL.

    Where functions have `calls_left`, it is what these are to be applied to.
    """
    if isinstance(form, JoinFunctions):
        text = form.sql(value)
        return f"({text})" if form.calls_left else _short(text)
    match form:
        case "number" | "amount":
            text = f"trim_scale({value}::numeric)::text"
        case "double":
            text = _double(value, column.base)
        case "trimmed":
            text = f"rtrim({value}::text, ' ')"
        case "folded":
            # As citext does itself, by the database's collation whatever the column's is.
            text = f'lower({value}::text COLLATE pg_catalog."default")'
        case "instant":
            text = _instant(value, column)
        case "span":
            text = _span(value)
        case "json":
            text = f"regexp_replace({value}::text, {sql_literal(_JSON_ZEROS)}, '\\1\\2', 'g')"
        case "address":
            text = f"({value}::inet)::text"
        case "text":
            text = f"{value}::text"
    return _short(text) if form in _UNBOUNDED else f"({text})"


_UNBOUNDED = frozenset(["number", "trimmed", "folded", "json", "text"])


def _short(text: str) -> str:
    # An index of Neo4j takes no text of more than 8 kB: a long one is stood for by its digest.
    return (
        f"(CASE WHEN octet_length({text}) > {LONGEST_BYTES}"
        f" THEN encode(sha256(convert_to({text}, 'UTF8')), 'hex') ELSE {text} END)"
    )


def _double(value: str, base: str) -> str:
    # Adding 0 makes 0 of -0, which is equal to it.
    if base != "numeric":
        return f"({value}::float8 + 0)::text"
    return (
        f"CASE WHEN {value} = 0 THEN '0'"
        f" WHEN abs({value}) BETWEEN {SMALLEST_DOUBLE} AND {LARGEST_DOUBLE}"
        f" THEN ({value}::float8)::text"
        f" WHEN {value}::text IN ('NaN', 'Infinity', '-Infinity') THEN {value}::text END"
    )


def _instant(value: str, column: JoinColumn) -> str:
    if column.base == "timestamptz":
        return f"{value}::text"
    # Within a day of PostgreSQL's limits the conversion fails.
    return (
        f"CASE WHEN {value} >= '{_FIRST_ANYWHERE}' AND {value} < '{_LAST_ANYWHERE}'"
        f" OR NOT isfinite({value})"
        f" THEN ({value} AT TIME ZONE {sql_literal(column.time_zone or 'UTC')})::text END"
    )


def _span(value: str) -> str:
    """Microseconds, where a month has 30 days and a day 24 hours, as PostgreSQL compares intervals."""

    def part(name: str) -> str:
        return f"extract({name} FROM {value})::numeric"

    days = f"({part('year')} * 12 + {part('month')}) * 30 + {part('day')}"
    return (
        f"CASE WHEN isfinite({value}) THEN trim_scale(({days}) * 86400000000"
        f" + {part('hour')} * 3600000000 + {part('minute')} * 60000000"
        f" + {part('microseconds')})::text ELSE {value}::text END"
    )
