"""The SQL that reads a mapped table: pure text, names quoted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from c360_graph.hashing import HASH_BYTES
from c360_graph.mapping.join_columns import sql_of
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.property_types import PropertyType, property_type
from c360_graph.sql_quoting import quoted_table

_SHORT_KEYS = frozenset(
    [
        "int2",
        "int4",
        "int8",
        "float4",
        "float8",
        "bool",
        "uuid",
        "date",
        "time",
        "timetz",
        "timestamp",
        "timestamptz",
        "interval",
        "inet",
        "cidr",
        "macaddr",
        "macaddr8",
        "oid",
        "name",
    ]
)


@dataclass(frozen=True, kw_only=True)
class RowLoss:
    """What a table holds that the graph cannot.

    `rows` are left out since a part of their key is absent; `values` counts absent values by column.
    """

    MAX_KEY_BYTES: ClassVar[int] = 8_000

    rows: int
    values: dict[str, int]
    longest_key_bytes: int

    @classmethod
    def from_row(cls, table: TableMapping, row: Sequence[int | None] | None) -> RowLoss:
        """Read the answer of `count_losses`."""
        counts = [int(value or 0) for value in row or ()]
        columns = [prop.column for prop in table.properties if _type(table, prop).lost]
        values = dict(zip(columns, counts[2:], strict=True))
        return cls(
            rows=counts[0],
            longest_key_bytes=counts[1],
            values={column: count for column, count in values.items() if count},
        )


def copy_rows(table: TableMapping) -> str:
    """COPY of every row whose key is whole, columns in the order of the table's properties.

    A column of the treatment `hash` comes as its text, to be hashed before it is written anywhere.
    """
    columns = ", ".join(_rendered(table, prop) for prop in table.properties)
    return f"COPY (SELECT {columns} {whole_rows(table)}) TO STDOUT"


def read_one_row(table: TableMapping) -> str:
    """What a row takes to be read, every column that `copy_rows` reads among it; no value comes back."""
    columns = ", ".join(sql_of(table, prop) for prop in table.properties)
    return f"SELECT octet_length(ROW({columns})::text) {_from(table)} LIMIT 1"


def count_losses(table: TableMapping) -> str:
    """One row: rows left out, bytes of the longest key, then absent values by column that can lose."""
    lost = [
        f"sum({kind.lost(sql_of(table, prop))})"
        for prop in table.properties
        if (kind := _type(table, prop)).lost
    ]
    length = _key_length(table)
    if not lost and length is None:
        return "SELECT 0, 0"
    absent = " OR ".join(f"{text} IS NULL" for text in _losable_key(table))
    skipped = f"count(*) FILTER (WHERE {absent})" if absent else "0"
    longest = f"max({length})" if length else "0"
    return f"SELECT {', '.join([skipped, longest, *lost])} {_from(table)}"


def find_long_key(table: TableMapping) -> str:
    """The key of one row whose key is too long."""
    key = ", ".join(
        "'(hashed)'" if prop.treatment == "hash" else f"left({_text(table, prop)}, 80)"
        for prop in _key(table)
    )
    length = _key_length(table)
    return f"SELECT {key} {_from(table)} WHERE {length} > {RowLoss.MAX_KEY_BYTES} LIMIT 1"


def _from(table: TableMapping) -> str:
    return f"FROM {quoted_table(table.source.db_schema, table.table_name)} AS t"


def _type(table: TableMapping, prop: PropertyMapping) -> PropertyType:
    return property_type(prop.type, treatment=prop.treatment, time_zone=table.source.time_zone)


def _rendered(table: TableMapping, prop: PropertyMapping) -> str:
    return _type(table, prop).render(sql_of(table, prop))


def _text(table: TableMapping, prop: PropertyMapping) -> str:
    return f"({_rendered(table, prop)})::text"


def _key(table: TableMapping) -> list[PropertyMapping]:
    """The key's columns in the key's own order, which may be another than the table's."""
    by_column = {prop.column: prop for prop in table.properties}
    return [by_column[column] for column in table.key]


def _losable_key(table: TableMapping) -> list[str]:
    return [_text(table, prop) for prop in _key(table) if _type(table, prop).lost]


def whole_rows(table: TableMapping) -> str:
    """FROM and WHERE of the rows that are read, as `t`: those whose key the graph can hold."""
    return f"{_from(table)}{_whole_key(table)}"


def _whole_key(table: TableMapping) -> str:
    texts = _losable_key(table)
    return " WHERE " + " AND ".join(f"{text} IS NOT NULL" for text in texts) if texts else ""


def _key_length(table: TableMapping) -> str | None:
    """SQL for the bytes of a row's key; None where its types are all short."""
    if all(prop.type.base in _SHORT_KEYS or prop.treatment == "hash" for prop in _key(table)):
        return None
    return " + ".join(
        str(HASH_BYTES) if prop.treatment == "hash" else f"octet_length({_text(table, prop)})"
        for prop in _key(table)
    )
