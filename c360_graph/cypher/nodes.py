"""Statements that create nodes from batches of rows."""

from __future__ import annotations

from c360_graph.cypher.quoting import identifier, string_literal
from c360_graph.cypher.rows import property_map, row_literal
from c360_graph.mapping.model import TABLE_PROPERTY, PropertyMapping, TableMapping

PIN = b"CYPHER 5 "
"""Every statement names its language, so that a server's default cannot change what it means."""


def create_nodes(table: TableMapping, block: bytes) -> tuple[bytes, str | None]:
    """One batch of rows as one statement without its semicolon, and the pattern that finds a row's node.

    The pattern is None where the table has no key.

    Raises:
        ScriptError: the label or a column cannot be a name in Cypher.
    """
    rows = row_literal(block)
    node = _node(table, table.properties, null_mark=rows.null_mark)
    key = tuple(prop for prop in table.properties if prop.column in table.key)
    match = _node(table, key, null_mark=rows.null_mark, variable="n") if key else None
    return PIN + rows.unwound + f"\nCREATE {node}".encode(), match


def _node(
    table: TableMapping,
    properties: tuple[PropertyMapping, ...],
    *,
    null_mark: str,
    variable: str = "",
) -> str:
    assert table.node_label is not None
    own = own_properties(table)
    read = property_map(properties, table=table, null_mark=null_mark)
    inside = ", ".join((*own, read) if read else own)
    return f"({variable}:{identifier(table.node_label)}{f' {{{inside}}}' if inside else ''})"


def own_properties(table: TableMapping) -> tuple[str, ...]:
    """The properties of a map literal that no column gives: where a label is shared, the table."""
    if not table.label_is_shared:
        return ()
    return (f"{identifier(TABLE_PROPERTY)}: {string_literal(table.place)}",)
