"""Rows of a batch as one string literal that Neo4j cuts apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from c360_graph.cypher.copy_text import decode_rows
from c360_graph.cypher.quoting import (
    copy_literal,
    has_plain_backslashes_only,
    identifier,
    string_literal,
)
from c360_graph.errors import ScriptError
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.property_types import property_type


@dataclass(frozen=True, kw_only=True)
class RowLiteral:
    """A batch's data: the quoted literal, and what stands in it between rows, columns and for NULL."""

    literal: bytes
    row_mark: str = "\n"
    column_mark: str = "\t"
    null_mark: str = "\\N"

    @property
    def unwound(self) -> bytes:
        """Cypher that gives each row of the literal as the list `row`."""
        return (
            b"UNWIND split("
            + self.literal
            + f", {_mark(self.row_mark)}) AS line WITH split(line, {_mark(self.column_mark)}) AS row".encode()
        )


def row_literal(block: bytes) -> RowLiteral:
    """Quote a block of COPY text.

    Road one: a block whose only backslashes are those of `\\N` is quoted as bytes. Road two: any
    other is decoded, and written with three marks that occur in none of its values.
    """
    if has_plain_backslashes_only(block):
        return RowLiteral(literal=copy_literal(block))
    rows = decode_rows(block)
    row_mark, column_mark, null_mark = _free_characters(rows)
    text = row_mark.join(
        column_mark.join(null_mark if value is None else value for value in row) for row in rows
    )
    return RowLiteral(
        literal=string_literal(text).encode(),
        row_mark=row_mark,
        column_mark=column_mark,
        null_mark=null_mark,
    )


def property_map(
    properties: tuple[PropertyMapping, ...], *, table: TableMapping, null_mark: str
) -> str:
    """`prop`: conversion of row[i], ... for a map literal; columns in the extract's order."""
    return ", ".join(
        f"{identifier(prop.column)}: {value}"
        for prop, value in zip(
            properties, values(properties, table=table, null_mark=null_mark), strict=True
        )
    )


def values(
    properties: tuple[PropertyMapping, ...], *, table: TableMapping, null_mark: str
) -> Iterator[str]:
    """The Cypher expression of each property's value from `row`."""
    positions = {prop.column: index for index, prop in enumerate(table.properties)}
    for prop in properties:
        yield _value(prop, f"row[{positions[prop.column]}]", table=table, null_mark=null_mark)


def _value(prop: PropertyMapping, text: str, *, table: TableMapping, null_mark: str) -> str:
    kind = property_type(prop.type, treatment=prop.treatment, time_zone=table.source.time_zone)
    # A value that Neo4j cannot hold is absent although its column is NOT NULL.
    may_be_absent = prop.nullable or kind.lost is not None
    if may_be_absent and not kind.null_safe:
        text = f"nullIf({text}, {_mark(null_mark)})"
    return kind.convert(text)


def _mark(character: str) -> str:
    shown = {"\n": "\\n", "\t": "\\t", "\\N": "\\\\N"}
    return f"'{shown[character]}'" if character in shown else string_literal(character)


def _free_characters(rows: list[list[str | None]]) -> tuple[str, str, str]:
    used = set().union(*(value for row in rows for value in row if value is not None))
    # Control characters first, then the private use area and the planes above.
    candidates = chain(range(0x1E, 0x00, -1), range(0xE000, 0xF900), range(0x10000, 0x110000))
    free = (chr(code) for code in candidates if chr(code) not in used and chr(code) not in "\t\n\r")
    try:
        return next(free), next(free), next(free)
    except StopIteration:
        raise ScriptError("a batch of rows uses every character there is") from None
