"""One table: a PostgreSQL type, the SQL that renders its values as text, the Cypher that converts them.

A value that Neo4j's type cannot hold (an infinite date, the time 24:00, a NULL inside a list) is
rendered as absent; `lost` is the SQL that counts such values, so that none vanishes silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.control_rows import Treatment
from c360_graph.sql_quoting import sql_literal

# Inside a list's text: each element ends with \x1f, \x1d escapes the three marks within an element,
# and a leading \x1c says that JSON follows (a row whose array has more dimensions than one).
ELEMENT_END, ESCAPE, JSON_MARK = 31, 29, 28

EXACT_FLOAT_DIGITS = 15
"""Decimal digits that every IEEE double holds exactly (C's DBL_DIG)."""

_MOST_WHOLE_DIGITS, _MOST_DECIMALS = 308, 307

_ERA_START, _ERA_END = "0001-01-01", "10000-01-01"
# Zones differ by less than a day.
_ERA_START_ANYWHERE, _ERA_END_ANYWHERE = "0001-01-02 00:00", "9999-12-31 00:00"
_FIRST_ANYWHERE, _LAST_ANYWHERE = "4714-11-25 00:00 BC", "294276-12-31 00:00"


@dataclass(frozen=True, kw_only=True)
class PropertyType:
    """How one column becomes one property.

    `render` and `lost` take an SQL expression, `convert` a Cypher expression of a string. `lost` is
    None where no value can be lost, else an integer. `null_safe` says that `convert` gives null for
    the text that stands for NULL.
    """

    name: str
    render: Callable[[str], str]
    convert: Callable[[str], str]
    lost: Callable[[str], str] | None = None
    null_safe: bool = False


def property_type(
    column_type: ColumnType, *, treatment: Treatment | None = None, time_zone: str | None = None
) -> PropertyType:
    """The property type of a column.

    Args:
        column_type: the column's type, domains followed.
        treatment: `hash` or `mask` make the property a STRING, whatever the column is.
        time_zone: zone of the source's `timestamp without time zone`, None where it names none.

    >>> from c360_graph.mapping.catalog import ColumnType
    >>> property_type(ColumnType(name="integer", base="int4")).name
    'INTEGER'
    >>> property_type(ColumnType(name="text", base="text"), treatment="hash").name
    'STRING'
    """
    if treatment in _TREATED:
        text = _abbreviated if column_type.base == "inet" else _as_text
        return replace(_STRING, render=lambda value: _TREATED[treatment](text(value)))
    if column_type.element is not None:
        return _list_type(column_type, time_zone)
    if column_type.base == "timestamp" and time_zone:
        return _timestamp_in(time_zone)
    if column_type.base == "numeric":
        return _FLOAT if _fits_float(column_type) else _STRING
    return _BY_BASE.get(column_type.base, _STRING)


def _fits_float(numeric: ColumnType) -> bool:
    """Whether every value of a numeric(precision, scale) survives as a double, digit by digit."""
    digits, scale = numeric.precision, numeric.scale or 0
    if digits is None or digits > EXACT_FLOAT_DIGITS:
        return False
    return digits - scale <= _MOST_WHOLE_DIGITS and scale <= _MOST_DECIMALS


def _as_is(value: str) -> str:
    return value


def _as_text(value: str) -> str:
    return f"{value}::text"


def _call(function: str) -> Callable[[str], str]:
    return lambda value: f"{function}({value})"


def _infinite(value: str) -> str:
    return f"(NOT isfinite({value}))::int"


def _zoned(value: str) -> str:
    return _iso_8601(value, offset="+00", zone="Z")


def _local(value: str) -> str:
    return _iso_8601(value, offset="", zone="")


def _iso_8601(value: str, *, offset: str, zone: str) -> str:
    """With the sign Neo4j wants for years beyond four digits and before Christ."""
    start, end = f"'{_ERA_START} 00:00{offset}'", f"'{_ERA_END} 00:00{offset}'"
    return (
        f"CASE WHEN {value} >= {start} AND {value} < {end} THEN replace({value}::text, ' ', 'T')"
        f" WHEN NOT isfinite({value}) THEN NULL"
        f" WHEN {value} >= {end} THEN '+' || replace({value}::text, ' ', 'T')"
        f" ELSE {_year_before_era(value)} || to_char({value}, '-MM-DD\"T\"HH24:MI:SS.US')"
        f" || '{zone}' END"
    )


def _date(value: str) -> str:
    return (
        f"CASE WHEN {value} >= '{_ERA_START}' AND {value} < '{_ERA_END}' THEN {value}::text"
        f" WHEN NOT isfinite({value}) THEN NULL"
        f" WHEN {value} >= '{_ERA_END}' THEN '+' || {value}::text"
        f" ELSE {_year_before_era(value)} || to_char({value}, '-MM-DD') END"
    )


def _year_before_era(value: str) -> str:
    """1 BC is year 0 of ISO 8601; NULL stays NULL."""
    year = f"(extract(year from {value}) + 1)::int"
    return f"CASE WHEN {year} = 0 THEN '0000' ELSE '-' || lpad(abs({year})::text, 4, '0') END"


def _time_with_zone(value: str) -> str:
    # An offset with seconds is shifted to UTC: the same moment, and 5.26 cannot parse the other.
    return (
        f"CASE WHEN extract(timezone from {value})::int % 60 <> 0"
        f" THEN ({value} AT TIME ZONE 'UTC')::text"
        f" WHEN extract(hour from {value}) < 24 THEN {value}::text END"
    )


def _interval(value: str) -> str:
    return f"CASE WHEN isfinite({value}) THEN {value}::text END"


def _base64(value: str) -> str:
    return f"translate(encode({value}, 'base64'), E'\\n', '')"


def _abbreviated(value: str) -> str:
    # What inet is shown as; casting it to text adds /32 to every host.
    return f"abbrev({value})"


def _to_hash(text: str) -> str:
    """The text itself: whoever reads it hashes it, as no source may have the key."""
    return text


def _masked(text: str) -> str:
    return (
        f"CASE WHEN length({text}) > 4"
        f" THEN repeat('*', length({text}) - 4) || right({text}, 4)"
        f" ELSE repeat('*', length({text})) END"
    )


_TREATED = {"hash": _to_hash, "mask": _masked}

_INTEGER = PropertyType(name="INTEGER", render=_as_is, convert=_call("toInteger"), null_safe=True)
_FLOAT = PropertyType(name="FLOAT", render=_as_is, convert=_call("toFloat"), null_safe=True)
_BOOLEAN = PropertyType(name="BOOLEAN", render=_as_text, convert=_call("toBoolean"), null_safe=True)
_STRING = PropertyType(name="STRING", render=_as_is, convert=_as_is)
_ZONED = PropertyType(
    name="ZONED DATETIME", render=_zoned, convert=_call("datetime"), lost=_infinite
)

_BY_BASE: dict[str, PropertyType] = {
    "int2": _INTEGER,
    "int4": _INTEGER,
    "int8": _INTEGER,
    "float4": _FLOAT,
    "float8": _FLOAT,
    "bool": _BOOLEAN,
    "timestamptz": _ZONED,
    "timestamp": PropertyType(
        name="LOCAL DATETIME", render=_local, convert=_call("localdatetime"), lost=_infinite
    ),
    "date": PropertyType(name="DATE", render=_date, convert=_call("date"), lost=_infinite),
    "time": PropertyType(
        name="LOCAL TIME",
        render=lambda value: f"CASE WHEN {value} < '24:00' THEN {value}::text END",
        convert=_call("localtime"),
        lost=lambda value: f"({value} >= '24:00')::int",
    ),
    "timetz": PropertyType(
        name="ZONED TIME",
        render=_time_with_zone,
        convert=_call("time"),
        lost=lambda value: (
            f"(extract(hour from {value}) = 24 AND extract(timezone from {value})::int % 60 = 0)::int"
        ),
    ),
    "interval": PropertyType(
        name="DURATION", render=_interval, convert=_call("duration"), lost=_infinite
    ),
    "inet": replace(_STRING, render=_abbreviated),
    "bytea": replace(_STRING, render=_base64),
    # Casting to text drops the padding that char(n) is stored with.
    "bpchar": replace(_STRING, render=_as_text),
}


@cache
def conversions() -> Mapping[str, Callable[[str], str]]:
    """The Cypher that converts a text to each property type, by the type's name.

    >>> conversions()["DATE"]("row[0]")
    'date(row[0])'
    """
    scalar = {kind.name: kind for kind in (_STRING, *_BY_BASE.values())}
    lists = (_list_of(element) for element in scalar.values())
    return MappingProxyType({kind.name: kind.convert for kind in (*scalar.values(), *lists)})


def _timestamp_in(time_zone: str) -> PropertyType:
    """The moment in UTC; absent within a day of PostgreSQL's limits, where it fails itself."""
    zone = sql_literal(time_zone)

    def between(value: str, first: str, last: str) -> str:
        return f"({value} >= '{first}' AND {value} < '{last}')"

    def render(value: str) -> str:
        moment = f"({value} AT TIME ZONE {zone})"
        return (
            f"CASE WHEN {between(value, _ERA_START_ANYWHERE, _ERA_END_ANYWHERE)}"
            f" THEN replace({moment}::text, ' ', 'T')"
            f" WHEN {between(value, _FIRST_ANYWHERE, _LAST_ANYWHERE)} THEN {_zoned(moment)} END"
        )

    def lost(value: str) -> str:
        return f"(NOT {between(value, _FIRST_ANYWHERE, _LAST_ANYWHERE)})::int"

    return replace(_ZONED, render=render, lost=lost)


def _list_type(column_type: ColumnType, time_zone: str | None) -> PropertyType:
    assert column_type.element is not None
    # A list in a list is no property: a domain over an array as element, or more dimensions.
    if column_type.dimensions > 1 or column_type.element.element is not None:
        return replace(_STRING, render=lambda value: f"to_json({value})::text")
    return _list_of(property_type(column_type.element, time_zone=time_zone))


def _list_of(element: PropertyType) -> PropertyType:
    return PropertyType(
        name=f"LIST<{element.name}>",
        render=lambda value: _rendered_list(value, element),
        convert=lambda text: _converted_list(text, element),
        lost=lambda value: (
            f"(CASE WHEN array_ndims({value}) > 1 THEN 0 ELSE {_lost_elements(value, element)} END)::int"
        ),
    )


def _lost_elements(value: str, element: PropertyType) -> str:
    if element.lost is None:
        return f"num_nulls(VARIADIC {value})"
    return f"(SELECT count(*) FROM {_elements(value)} WHERE {_element_text(element)} IS NULL)"


def _elements(value: str) -> str:
    # In FROM itself unnest would spread a composite's fields over columns.
    return f"(SELECT unnest({value}) AS e) AS u"


def _element_text(element: PropertyType) -> str:
    text = f"({element.render('u.e')})::text"
    if element.name != "STRING":
        return text
    for code, escape in ((ESCAPE, "0"), (ELEMENT_END, "1"), (JSON_MARK, "2")):
        text = f"replace({text}, chr({code}), chr({ESCAPE}) || '{escape}')"
    return text


def _rendered_list(value: str, element: PropertyType) -> str:
    return (
        f"CASE WHEN {value} IS NULL THEN NULL"
        f" WHEN array_ndims({value}) > 1 THEN chr({JSON_MARK}) || to_json({value})::text"
        f" ELSE coalesce((SELECT string_agg({_element_text(element)} || chr({ELEMENT_END}), '')"
        f" FROM {_elements(value)}), '') END"
    )


def _converted_list(text: str, element: PropertyType) -> str:
    converted = element.convert(_unescaped("x") if element.name == "STRING" else "x")
    parts = f"split({text}, '\\u{ELEMENT_END:04x}')[..-1]"
    elements = parts if converted == "x" else f"[x IN {parts} | {converted}]"
    return (
        f"CASE WHEN {text} STARTS WITH '\\u{JSON_MARK:04x}' THEN substring({text}, 1)"
        f" ELSE {elements} END"
    )


def _unescaped(text: str) -> str:
    for code, escape in ((JSON_MARK, "2"), (ELEMENT_END, "1"), (ESCAPE, "0")):
        text = f"replace({text}, '\\u{ESCAPE:04x}{escape}', '\\u{code:04x}')"
    return text
