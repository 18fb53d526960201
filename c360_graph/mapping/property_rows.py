"""What rows of property_mappings say of the columns of a table: another name, another type by a cast.

A value that the other type cannot hold is cast to NULL, never to something else, and no value makes the
statement fail: the servers that are read have no function that only tries to cast.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from c360_graph.errors import MappingError
from c360_graph.mapping.catalog import INTEGERS, TEXTS, ColumnType
from c360_graph.mapping.control_rows import ControlRows, PropertyRow, Refusal, SourceRow
from c360_graph.mapping.join_functions import FLOATS, LARGEST_DOUBLE, SMALLEST_DOUBLE
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.mapping.names import did_you_mean, reason_against_name
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


Properties = tuple[PropertyMapping, ...]


@dataclass(frozen=True, kw_only=True)
class ReadColumns:
    """The columns of a table, by their names in the source.

    `unread` says of each column that is not read why. `key` are the columns of the key.
    """

    source: SourceRow
    table_name: str
    properties: Properties
    unread: Mapping[str, str]
    key: tuple[str, ...]

    @property
    def qualified_name(self) -> str:
        """`source/table`."""
        return f"{self.source.source_name}/{self.table_name}"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, read or not."""
        return (*(prop.column for prop in self.properties), *self.unread)


def mapped_properties(
    columns: ReadColumns, rows: ControlRows
) -> tuple[Properties, tuple[Refusal, ...]]:
    """The properties under the names and with the types that rows say, and the rows that are refused.

    A row that names the source goes before one for every source. A row for every source need not fit the
    table of each.
    """
    chosen: dict[str, tuple[PropertyRow, PropertyMapping]] = {}
    refusals: list[Refusal] = []
    by_column = {prop.column: prop for prop in columns.properties}
    for row in rows.properties_of(columns.source, columns.table_name):
        if row.source_id is None and row.column_name not in columns.names:
            continue
        try:
            taken = chosen.get(row.column_name)
            if taken is None:
                changed = _changed(row, by_column.get(row.column_name), columns)
                chosen[row.column_name] = (row, changed)
            elif (taken[0].source_id is None) == (row.source_id is None):
                raise MappingError(
                    f"row {taken[0].mapping_id} is about the same column; deactivate one of the two"
                )
        except MappingError as error:
            refusals.append(_refusal(row, columns.qualified_name, str(error)))
    for row, reason in _without_clashes(chosen, columns):
        refusals.append(_refusal(row, columns.qualified_name, reason))
    found = (chosen[p.column][1] if p.column in chosen else p for p in columns.properties)
    return tuple(found), tuple(refusals)


def refused_property_rows(
    rows: ControlRows, tables: tuple[TableMapping, ...], asked: Collection[int]
) -> Iterator[Refusal]:
    """Rows that are about no table that is read, and rows for every source whose column no table has.

    Args:
        rows: all control rows.
        tables: all that control rows map.
        asked: ids of the sources that could be queried; a row that may be about another is not refused.
    """
    for row in rows.properties:
        if row.source_id is not None and rows.source(row.source_id) is None:
            yield _refusal(
                row, "", f"source_id {row.source_id} is no active row of source_databases"
            )
            continue
        meant = {s.source_id for s in rows.sources if row.source_id in (None, s.source_id)}
        if not meant.issubset(asked) or (row.source_id is None and rows.inactive_sources):
            continue
        of_source = [t for t in tables if row.source_id in (None, t.source.source_id)]
        named = [table for table in of_source if table.table_name == row.table_name]
        if not named:
            known = {table.table_name for table in of_source}
            yield _refusal(
                row,
                "",
                f"no table that is read is called {row.table_name!r}"
                f"{did_you_mean(row.table_name, known)}",
            )
        elif row.source_id is None:
            known = {name for table in named for name in (*table.known_columns, *table.withheld)}
            if row.column_name not in known:
                yield _refusal(row, "", _no_column(row.table_name, row.column_name, known))


def _changed(
    row: PropertyRow, prop: PropertyMapping | None, columns: ReadColumns
) -> PropertyMapping:
    """The property as a row says."""
    if row.column_name in columns.unread:
        raise MappingError(f"column {row.column_name!r} {columns.unread[row.column_name]}")
    if prop is None:
        raise MappingError(_no_column(columns.qualified_name, row.column_name, columns.names))
    if row.property_name is None and row.cast_type is None:
        raise MappingError("it has neither a property_name nor a cast_type; write one of them")
    target = _cast(row, prop, columns)
    return prop.model_copy(
        update={
            "column": _name(row, prop),
            "renamed_from": prop.column if _name(row, prop) != prop.column else None,
            "property_row": row.mapping_id,
        }
        | (
            {
                "type": target,
                "cast_from": prop.type,
                "nullable": prop.nullable or may_lose(prop.type, target),
            }
            if target is not None
            else {}
        )
    )


def _name(row: PropertyRow, prop: PropertyMapping) -> str:
    if row.property_name is None:
        return prop.column
    reason = reason_against_name(row.property_name, what="property_name")
    if reason:
        raise MappingError(reason)
    return row.property_name


def _cast(row: PropertyRow, prop: PropertyMapping, columns: ReadColumns) -> ColumnType | None:
    """The type that the column is cast to, None where it keeps its own."""
    if row.cast_type is None:
        return None
    wanted = row.cast_type.strip().lower()
    if wanted not in CASTS:
        raise MappingError(
            f"cast_type {row.cast_type!r} is none of {', '.join(CASTS)}{did_you_mean(wanted, CASTS)}"
        )
    if prop.treatment is not None:
        raise MappingError(
            f"column {prop.column!r} has the treatment {prop.treatment}, which makes a text of each value;"
            " leave cast_type empty, or correct the row of field_exclusion_rules"
        )
    target = cast_type(wanted, prop.type, time_zone=columns.source.time_zone)
    if isinstance(target, str):
        raise MappingError(f"column {prop.column!r}: {target}; map a view that casts it")
    if target is not None and wanted != "string" and prop.column in columns.key:
        raise MappingError(
            f"column {prop.column!r} is of the key, and two keys may become one by a cast to {wanted}; only"
            " string is possible, or a view that casts it and key_columns"
        )
    return target


def _without_clashes(
    chosen: dict[str, tuple[PropertyRow, PropertyMapping]], columns: ReadColumns
) -> Iterator[tuple[PropertyRow, str]]:
    """Take rows away until no two columns have one property's name; each row, and why."""
    while True:
        names: dict[str, list[str]] = {}
        for column in columns.names:
            name = chosen[column][1].column if column in chosen else column
            names.setdefault(name, []).append(column)
        clashes = (
            (name, column, found)
            for name, found in names.items()
            if len(found) > 1
            for column in reversed(found)
            if column != name
        )
        clash = next(clashes, None)
        if clash is None:
            return
        name, column, found = clash
        others = ", ".join(repr(other) for other in found if other != column)
        yield (
            chosen.pop(column)[0],
            f"property_name {name!r} is the name of the property of column {others}, too; write another one",
        )


def _no_column(qualified_name: str, name: str, known: tuple[str, ...] | set[str]) -> str:
    return f"{qualified_name} has no column {name!r}{did_you_mean(name, known)}"


def _refusal(row: PropertyRow, qualified_name: str, reason: str) -> Refusal:
    said = (
        reason
        if not qualified_name or reason.startswith(qualified_name)
        else f"{qualified_name}: {reason}"
    )
    return Refusal(control_table="property_mappings", row_id=row.mapping_id, reason=said)
