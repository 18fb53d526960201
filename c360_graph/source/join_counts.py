"""The SQL that has a source count a mapping's join itself: pure text, names quoted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from c360_graph.mapping.join_comparison import compare
from c360_graph.mapping.join_forms import functions_of, own_value, source_column, sql_of
from c360_graph.mapping.join_functions import JoinColumn, JoinFunctions
from c360_graph.mapping.model import PropertyMapping, RelationshipMapping, TableMapping
from c360_graph.mapping.property_types import property_type
from c360_graph.source.copy_query import whole_rows
from c360_graph.sql_quoting import quoted, sql_literal

_EQUALS = "OPERATOR(pg_catalog.=)"


@dataclass(frozen=True, kw_only=True)
class JoinCounts:
    """Two statements of one number: the join by PostgreSQL's own equality, and by what the graph compares."""

    by_postgres: str
    by_graph: str


@dataclass(frozen=True)
class _Pair:
    """Two columns that are joined, each of the table behind an alias."""

    left_alias: str
    left: tuple[TableMapping, PropertyMapping]
    right_alias: str
    right: tuple[TableMapping, PropertyMapping]


class _NotCountable(Exception):
    """PostgreSQL has no such join: no equality for two columns, or no function of that kind."""


def join_counts(
    mapping: RelationshipMapping, tables: tuple[TableMapping, ...]
) -> JoinCounts | None:
    """What to ask, None where the tables are not all of one source or PostgreSQL has no such join."""
    starts = [table for table in tables if mapping.start.has(table)]
    ends = [table for table in tables if mapping.end.has(table)]
    through = mapping.junction
    junctions = [table for table in tables if through and table.asset_key == through.table]
    if len({table.source.source_id for table in (*starts, *ends, *junctions)}) != 1:
        return None
    choices: list[tuple[TableMapping, TableMapping, TableMapping | None]] = [
        (start, end, None) for start, end in product(starts, ends)
    ]
    if through is not None:
        choices = [(s, e, j) for s, e, j in product(starts, ends, junctions)]
    try:
        return JoinCounts(
            by_postgres=_sum(_count(mapping, *choice, own=True) for choice in choices),
            by_graph=_sum(_count(mapping, *choice, own=False) for choice in choices),
        )
    except _NotCountable:
        return None


def _sum(counts: Iterator[str]) -> str:
    return f"SELECT {' + '.join(f'({count})' for count in counts)}"


def _count(
    mapping: RelationshipMapping,
    start: TableMapping,
    end: TableMapping,
    junction: TableMapping | None,
    *,
    own: bool,
) -> str:
    pairs = list(_pairs(mapping, start, end, junction))
    if len(pairs) < _wanted(mapping):
        return "0"
    equal = [_own_equality(pair) if own else _graph_equality(pair) for pair in pairs]
    if None in equal:
        return "0"
    tables = {"a": start, "b": end} | ({"j": junction} if junction else {})
    read = ", ".join(
        f"(SELECT t.* {whole_rows(table)}) AS {name}" for name, table in tables.items()
    )
    return f"SELECT count(*) FROM {read} WHERE {' AND '.join(filter(None, equal))}"


def _wanted(mapping: RelationshipMapping) -> int:
    if mapping.junction is None:
        return len(mapping.pairs)
    return len(mapping.junction.from_pairs) + len(mapping.junction.to_pairs)


def _pairs(
    mapping: RelationshipMapping,
    start: TableMapping,
    end: TableMapping,
    junction: TableMapping | None,
) -> Iterator[_Pair]:
    """The pairs of columns that these tables have; one of a shared label may lack some."""
    sides = [("a", start, "b", end, mapping.pairs)]
    if mapping.junction is not None and junction is not None:
        sides = [
            ("a", start, "j", junction, mapping.junction.from_pairs),
            ("b", end, "j", junction, mapping.junction.to_pairs),
        ]
    for left_alias, left_table, right_alias, right_table, pairs in sides:
        for left_name, right_name in pairs:
            left, right = left_table.property_of(left_name), right_table.property_of(right_name)
            if left is not None and right is not None:
                yield _Pair(left_alias, (left_table, left), right_alias, (right_table, right))


def _own_equality(pair: _Pair) -> str | None:
    """A condition with PostgreSQL's own `=`; None where that finds nothing."""
    left, right = _original(*pair.left), _original(*pair.right)
    if left.functions or right.functions:
        texts = [
            _own_value(_value(alias, table, prop), column.functions)
            for alias, (table, prop), column in (
                (pair.left_alias, pair.left, left),
                (pair.right_alias, pair.right, right),
            )
        ]
        return f"{texts[0]} {_EQUALS} {texts[1]}"
    comparison = compare(left, right)
    if comparison.by_text:
        raise _NotCountable
    if not comparison.ways:
        return None
    instants = comparison.ways[0] == "instant"
    texts = [
        _moment(_value(alias, table, prop), column if instants else None)
        for alias, (table, prop), column in (
            (pair.left_alias, pair.left, left),
            (pair.right_alias, pair.right, right),
        )
    ]
    schema = left.type.extension_schema
    operator = f"OPERATOR({quoted(schema)}.=)" if schema and left.base == right.base else _EQUALS
    return f"{texts[0]} {operator} {texts[1]}"


def _column(table: TableMapping, prop: PropertyMapping) -> PropertyMapping:
    """The property of the column itself, where it may be one that holds a join form."""
    found = table.property_of(source_column(prop.column))
    assert found is not None
    return found


def _value(alias: str, table: TableMapping, prop: PropertyMapping) -> str:
    return own_value(_column(table, prop), alias=alias)


def _original(table: TableMapping, prop: PropertyMapping) -> JoinColumn:
    return JoinColumn(
        type=_column(table, prop).type,
        time_zone=table.source.time_zone,
        functions=functions_of(prop),
    )


def _own_value(value: str, functions: JoinFunctions | None) -> str:
    """A column as it is, or as PostgreSQL itself has the functions around it."""
    if functions is None:
        return value
    if functions.calls_left:
        raise _NotCountable
    return functions.own_sql(value)


def _moment(value: str, column: JoinColumn | None) -> str:
    """A timestamp of a zone as the moment that it means."""
    if column is None or column.base != "timestamp":
        return value
    return f"({value} AT TIME ZONE {sql_literal(column.time_zone or 'UTC')})"


def _graph_equality(pair: _Pair) -> str:
    """A condition by the texts that are compared in the graph."""
    texts = []
    for alias, (table, prop) in ((pair.left_alias, pair.left), (pair.right_alias, pair.right)):
        kind = property_type(prop.type, time_zone=table.source.time_zone)
        texts.append(f"({kind.render(sql_of(table, prop, alias=alias))})::text")
    return f"{texts[0]} {_EQUALS} {texts[1]}"
