"""The casts of property_mappings: which types become which, and the SQL of each.

A value that the other type cannot hold is cast to NULL, never to something else, and no value makes the
statement fail: the servers that are read have no function that only tries to cast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from c360_graph.mapping.catalog import INTEGERS, TEXTS, ColumnType
from c360_graph.mapping.join_forms import FLOATS, LARGEST_DOUBLE, SMALLEST_DOUBLE
from c360_graph.mapping.property_types import property_type

Cast = Literal["integer", "float", "string", "boolean", "date", "datetime", "localdatetime"]
CASTS: tuple[Cast, ...] = get_args(Cast)

_TARGETS: dict[Cast, ColumnType] = {
    "integer": ColumnType(name="bigint", base="int8"),
    "float": ColumnType(name="double precision", base="float8"),
    "string": ColumnType(name="text", base="text"),
    "boolean": ColumnType(name="boolean", base="bool"),
    "date": ColumnType(name="date", base="date"),
    "datetime": ColumnType(name="timestamp with time zone", base="timestamptz"),
    "localdatetime": ColumnType(name="timestamp without time zone", base="timestamp"),
}
_BY_BASE = {target.base: cast for cast, target in _TARGETS.items()}

_TOTAL = {("integer", "bool"), *(("float", base) for base in INTEGERS)}
_LEAST_INTEGER, _MOST_INTEGER = -(2**63), 2**63 - 1
_LONGEST_NUMBER = 400
_TRUE, _FALSE = "'t', 'true', 'y', 'yes', 'on', '1'", "'f', 'false', 'n', 'no', 'off', '0'"

_DATE = "(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,6})?)?"
_ZONE = "(Z|[-+](0[0-9]|1[0-4])(:?[0-5][0-9])?)"


def cast_type(
    cast: Cast, column_type: ColumnType, *, time_zone: str | None = None
) -> ColumnType | str | None:
    """The type that a column is cast to, None where its property has that type anyway, or why not.

    >>> text = ColumnType(name="text", base="text")
    >>> cast_type("integer", text).name, cast_type("string", text)
    ('bigint', None)
    >>> cast_type("date", ColumnType(name="integer", base="int4"))
    'integer cannot be cast to date: only text can'
    """
    target = _TARGETS[cast]
    if column_type.element is not None:
        return f"{column_type.name} is an array, and no array is cast"
    if cast == "localdatetime" and time_zone:
        return (
            "the source has a time_zone, so that its local times become moments: cast to datetime"
        )
    wanted = property_type(target).name
    if property_type(column_type, time_zone=time_zone).name == wanted:
        return None
    if cast == "string" or _sql_of(cast, column_type) is not None:
        return target
    return f"{column_type.name} cannot be cast to {cast}: only {_ALLOWED[cast]} can"


_ALLOWED: dict[Cast, str] = {
    "integer": "text, numeric, double precision and boolean",
    "float": "text, numeric and integers",
    "string": "what is no array",
    "boolean": "text and integers",
    "date": "text",
    "datetime": "text",
    "localdatetime": "text and date",
}


def cast_sql(value: str, source: ColumnType, target: ColumnType) -> str:
    """SQL for a value of the source's type as one of a type that `cast_type` gave, else NULL.

    >>> number = ColumnType(name="integer", base="int4")
    >>> print(cast_sql("t.n", number, ColumnType(name="text", base="text")))
    (t.n::text)
    """
    written = _sql_of(_BY_BASE[target.base], source)
    assert written is not None
    return f"({written(value)})"


def cast_named(target: ColumnType) -> Cast:
    """The cast that gives a type.

    >>> cast_named(ColumnType(name="bigint", base="int8"))
    'integer'
    """
    return _BY_BASE[target.base]


def may_lose(source: ColumnType, target: ColumnType) -> bool:
    """Whether a value may be none of the other type."""
    cast = _BY_BASE[target.base]
    is_total = cast == "string" or (cast, source.base) in _TOTAL
    return not is_total


def _sql_of(cast: Cast, source: ColumnType) -> Callable[[str], str] | None:
    """How values of a type are cast, None where they are not."""
    if cast == "string":
        return lambda value: f"{value}::text"
    if source.base in TEXTS and source.kind in ("b", "d"):
        return lambda value: _OF_TEXT[cast](f'({value}::text COLLATE pg_catalog."C")')
    return next(
        (
            sql
            for bases, sql in _OF_OTHERS.get(cast, ())
            if source.base in bases and source.kind == "b"
        ),
        None,
    )


def _integer_of_text(text: str) -> str:
    number = f"{text}::numeric"
    return (
        f"CASE WHEN {text} ~ '^ *[-+]?[0-9]{{1,19}} *$'"
        f" THEN CASE WHEN {number} BETWEEN {_LEAST_INTEGER} AND {_MOST_INTEGER} THEN {number}::int8 END END"
    )


def _integer_of_numeric(value: str) -> str:
    return _whole(value, f"{value} BETWEEN {_LEAST_INTEGER} AND {_MOST_INTEGER}")


def _integer_of_float(value: str) -> str:
    # The greatest integer is no double; the next one is.
    return _whole(value, f"{value} >= {_LEAST_INTEGER} AND {value} < {_MOST_INTEGER + 1}")


def _whole(value: str, is_within: str) -> str:
    return (
        f"CASE WHEN {is_within} THEN CASE WHEN {value} = trunc({value}) THEN {value}::int8 END END"
    )


def _float_of_text(text: str) -> str:
    return (
        f"CASE WHEN octet_length({text}) <= {_LONGEST_NUMBER}"
        f" AND {text} ~ '^ *[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]{{1,3}})? *$'"
        f" THEN CASE WHEN {_fits_double(f'{text}::numeric')} THEN {text}::float8 END END"
    )


def _float_of_numeric(value: str) -> str:
    return (
        f"CASE WHEN {value}::text IN ('NaN', 'Infinity', '-Infinity') THEN {value}::float8"
        f" WHEN {_fits_double(value)} THEN {value}::float8 END"
    )


def _fits_double(number: str) -> str:
    return f"{number} = 0 OR abs({number}) BETWEEN {SMALLEST_DOUBLE} AND {LARGEST_DOUBLE}"


def _boolean_of_text(text: str) -> str:
    word = f"lower(btrim({text}))"
    return f"CASE WHEN {word} IN ({_TRUE}) THEN true WHEN {word} IN ({_FALSE}) THEN false END"


def _moment(pattern: str, kind: str) -> Callable[[str], str]:
    """A date that is in the calendar, and what follows it."""

    def sql(text: str) -> str:
        bare = f"btrim({text})"
        first = f"make_date(substr({bare}, 1, 4)::int, substr({bare}, 6, 2)::int, 1)"
        last_day = f"extract(day FROM {first} + interval '1 month' - interval '1 day')"
        return (
            f"CASE WHEN {text} ~ '^ *{pattern} *$' THEN"
            f" CASE WHEN substr({bare}, 9, 2)::int <= {last_day} THEN {bare}::{kind} END END"
        )

    return sql


def _local_time_of_date(value: str) -> str:
    # Later dates are there, later timestamps are not.
    return (
        f"CASE WHEN NOT isfinite({value}) OR {value} BETWEEN '4713-01-02 BC' AND '294275-12-31'"
        f" THEN {value}::timestamp END"
    )


_OF_TEXT: dict[Cast, Callable[[str], str]] = {
    "integer": _integer_of_text,
    "float": _float_of_text,
    "boolean": _boolean_of_text,
    "date": _moment(_DATE, "date"),
    "datetime": _moment(f"{_DATE}[T ]{_TIME}{_ZONE}", "timestamptz"),
    "localdatetime": _moment(f"{_DATE}[T ]{_TIME}", "timestamp"),
}
_OF_OTHERS: dict[Cast, tuple[tuple[frozenset[str], Callable[[str], str]], ...]] = {
    "integer": (
        (frozenset(["numeric"]), _integer_of_numeric),
        (FLOATS, _integer_of_float),
        (frozenset(["bool"]), lambda value: f"{value}::int"),
    ),
    "float": (
        (INTEGERS, lambda value: f"{value}::float8"),
        (frozenset(["numeric"]), _float_of_numeric),
    ),
    "boolean": ((INTEGERS, lambda value: f"CASE {value} WHEN 1 THEN true WHEN 0 THEN false END"),),
    "localdatetime": ((frozenset(["date"]), _local_time_of_date),),
}
