"""The SQL that reads rows of a mapped table by their keys, as extraction reads all of them: pure text.

COPY takes no parameters, so the texts of the keys are settings of the transaction, `c360.k0` and so on:
arrays, one for each column of the key. No key stands in a statement, where a log would show it.
"""

from __future__ import annotations

from collections.abc import Sequence

from c360_graph.mapping.join_forms import column_of
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.source.copy_query import key_properties, rendered_value, row_conditions
from c360_graph.sql_quoting import quoted, quoted_table


def set_keys(columns: int) -> str:
    """Takes an array of texts for each column of the key."""
    settings = ", ".join(
        f"pg_catalog.set_config('c360.k{number}', %s::text[]::text, true)"
        for number in range(columns)
    )
    return f"SELECT {settings}"


def copy_rows_of_keys(table: TableMapping, types: Sequence[str]) -> str:
    """COPY of the rows that have one of the keys, columns as `copy_rows` has them.

    `types` are the SQL names of the types of the key's columns.
    """
    columns = ", ".join(rendered_value(table, prop) for prop in table.properties)
    conditions = " AND ".join([*_equal(table), *row_conditions(table)])
    return (
        f"COPY (SELECT {columns} FROM {_keys(table, types)} AS d, {_table(table)} AS t"
        f" WHERE {conditions}) TO STDOUT"
    )


def copy_keys_without_row(table: TableMapping, types: Sequence[str]) -> str:
    """COPY of the keys that no row has, each as a node of the graph has it.

    A row may equal a key and be written otherwise, as 'a' and 'A' of a citext: its node is another.
    """
    columns = ", ".join(rendered_value(table, prop, alias="d") for prop in key_properties(table))
    alike = [
        f"({rendered_value(table, prop)})::text = ({rendered_value(table, prop, alias='d')})::text"
        for prop in key_properties(table)
    ]
    conditions = " AND ".join([*_equal(table), *alike, *row_conditions(table)])
    return (
        f"COPY (SELECT {columns} FROM {_keys(table, types)} AS d"
        f" WHERE NOT EXISTS (SELECT FROM {_table(table)} AS t WHERE {conditions})) TO STDOUT"
    )


def copy_rows_of_values(table: TableMapping, columns: Sequence[str]) -> str:
    """COPY of the rows that have one of the values in these columns, integers, texts or uuids."""
    casts = [_CASTS[_property(table, column).type.base] for column in columns]
    names = ", ".join(f"v{number}" for number, _ in enumerate(columns))
    arrays = ", ".join(
        f"pg_catalog.current_setting('c360.k{number}')::text[]" for number, _ in enumerate(columns)
    )
    equal = [
        f"{column_of(_property(table, column))} = d.v{number}::{cast}"
        for number, (column, cast) in enumerate(zip(columns, casts, strict=True))
    ]
    read = ", ".join(rendered_value(table, prop) for prop in table.properties)
    conditions = " AND ".join([*equal, *row_conditions(table)])
    return (
        f"COPY (SELECT {read} FROM unnest({arrays}) AS d({names}), {_table(table)} AS t"
        f" WHERE {conditions}) TO STDOUT"
    )


_CASTS = dict.fromkeys(("int2", "int4", "int8"), "pg_catalog.int8") | {
    "text": "pg_catalog.text",
    "varchar": "pg_catalog.text",
    "uuid": "pg_catalog.uuid",
}
"""An index of a smaller integer's column serves a bigint, too."""


def _property(table: TableMapping, name: str) -> PropertyMapping:
    found = table.property_of(name)
    assert found is not None
    return found


def _table(table: TableMapping) -> str:
    return quoted_table(table.source.db_schema, table.table_name)


def _equal(table: TableMapping) -> list[str]:
    return [f"t.{quoted(column)} = d.{quoted(column)}" for column in table.key_columns]


def _keys(table: TableMapping, types: Sequence[str]) -> str:
    columns = ", ".join(
        f"u.v{number}::{kind} AS {quoted(column)}"
        for number, (column, kind) in enumerate(zip(table.key_columns, types, strict=True))
    )
    names = ", ".join(f"v{number}" for number, _ in enumerate(types))
    arrays = ", ".join(
        f"pg_catalog.current_setting('c360.k{number}')::text[]" for number, _ in enumerate(types)
    )
    return f"(SELECT {columns} FROM unnest({arrays}) AS u({names}))"
