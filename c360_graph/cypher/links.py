"""Statements that make or remove single relationships, found by the keys of their ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from c360_graph.cypher.nodes import PIN
from c360_graph.cypher.quoting import identifier
from c360_graph.cypher.rows import row_literal, value
from c360_graph.mapping.model import PropertyMapping, RelationshipMapping, TableMapping
from c360_graph.property_types import property_type


@dataclass(frozen=True, kw_only=True)
class LinkTables:
    """Where a mapping's relationships come from: each label has one table, with a key.

    A row of links has the columns of one end's key, of the other's, then the junction's properties.
    """

    mapping: RelationshipMapping
    start: TableMapping
    end: TableMapping
    junction: TableMapping | None = None

    @property
    def columns(self) -> tuple[tuple[TableMapping, PropertyMapping], ...]:
        """Table and property of every column, in a row's order."""
        return (*_of(self.start, self.start.key), *_of(self.end, self.end.key), *self.properties)

    @property
    def properties(self) -> tuple[tuple[TableMapping, PropertyMapping], ...]:
        """Those that become the relationship's own."""
        if self.junction is None or self.mapping.junction is None:
            return ()
        return _of(self.junction, self.mapping.junction.properties)


def create_links(tables: LinkTables, block: bytes) -> bytes:
    """One batch of rows of links: a relationship for each."""
    rows = row_literal(block)
    found, own = _ends_and_properties(tables, rows.null_mark, columns=len(tables.columns))
    inside = ", ".join(f"{name}: {expression}" for name, expression, _ in own)
    kind = identifier(tables.mapping.relationship_type)
    created = f"\nCREATE (a)-[:{kind}{f' {{{inside}}}' if inside else ''}]->(b)"
    return PIN + rows.unwound + f"{found}{created}".encode()


def delete_links(tables: LinkTables, block: bytes) -> bytes:
    """One batch of rows of links, each with one more column: how many such relationships go."""
    rows = row_literal(block)
    places = len(tables.columns)
    found, own = _ends_and_properties(tables, rows.null_mark, columns=places + 1)
    same = " AND ".join(_same(name, expression, kind) for name, expression, kind in own)
    text = (
        f"{found}\nMATCH (a)-[x:{identifier(tables.mapping.relationship_type)}]->(b)"
        f"{f' WHERE {same}' if same else ''}"
        f"\nWITH row, collect(x)[0..toInteger(row[{places}])] AS gone"
        "\nUNWIND gone AS x DELETE x"
    )
    return PIN + rows.unwound + text.encode()


def _ends_and_properties(
    tables: LinkTables, null_mark: str, *, columns: int
) -> tuple[str, list[tuple[str, str, str]]]:
    """Cypher that finds both ends, and name, expression and type's name of each property."""
    read = list(_expressions(tables, null_mark, columns))
    keys = len(tables.start.key), len(tables.start.key) + len(tables.end.key)
    mapping = tables.mapping
    found = (
        f"\nMATCH {_pattern('a', mapping.from_label, read[: keys[0]])}"
        f"\nMATCH {_pattern('b', mapping.to_label, read[keys[0] : keys[1]])}"
    )
    return found, read[keys[1] :]


def _expressions(
    tables: LinkTables, null_mark: str, columns: int
) -> Iterator[tuple[str, str, str]]:
    for position, (table, prop) in enumerate(tables.columns):
        zone = table.source.time_zone
        expression = value(
            prop, f"row[{position}]", time_zone=zone, null_mark=null_mark, columns=columns
        )
        kind = property_type(prop.type, treatment=prop.treatment, time_zone=zone).name
        yield identifier(prop.column), expression, kind


def _pattern(variable: str, label: str, key: list[tuple[str, str, str]]) -> str:
    inside = ", ".join(f"{name}: {expression}" for name, expression, _ in key)
    return f"({variable}:{identifier(label)} {{{inside}}})"


def _same(name: str, expression: str, kind: str) -> str:
    # NaN equals nothing, not even itself; as texts two of them do.
    old, new = f"x.{name}", expression
    if kind == "FLOAT":
        old, new = f"toStringOrNull(x.{name})", f"toString({expression})"
    return f"coalesce({old} = {new}, x.{name} IS NULL AND {expression} IS NULL)"


def _of(
    table: TableMapping, columns: tuple[str, ...]
) -> tuple[tuple[TableMapping, PropertyMapping], ...]:
    chosen = []
    for column in columns:
        prop = table.property_of(column)
        assert prop is not None
        chosen.append((table, prop))
    return tuple(chosen)
