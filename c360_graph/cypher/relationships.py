"""Statements that create relationships: one for each mapping, run by the server over what it holds."""

from __future__ import annotations

from c360_graph.cypher.nodes import PIN
from c360_graph.cypher.quoting import identifier, string_literal
from c360_graph.cypher.rows import property_map, row_literal, values
from c360_graph.cypher.weights import JOIN_BATCH_ROWS, join_batch_rows
from c360_graph.mapping.model import (
    TABLE_PROPERTY,
    End,
    Junction,
    RelationshipMapping,
    TableMapping,
)

MOST_NODES_HASHED = 300_000
"""Nodes of a sought label that the server may keep in memory: joining once over all of them was 1.15 to
1.3 times as fast as a seek for each row, but takes some 200 bytes of its heap for each node."""


def driving_label(mapping: RelationshipMapping) -> str | None:
    """The label whose nodes drive the statement; None where a junction's rows are no nodes."""
    if mapping.junction is not None:
        return mapping.junction.node_label
    return mapping.driving.label if mapping.driving is not None else None


def create_relationships(mapping: RelationshipMapping, *, sought: int) -> bytes:
    """All relationships of a mapping whose rows are nodes. Must run outside of a transaction.

    `sought` is how many nodes the label has that is looked up: a small one is joined as a whole.
    """
    if mapping.junction is None and not _takes_some_tables(mapping) and sought <= MOST_NODES_HASHED:
        return _joined_at_once(mapping)
    copied = len(mapping.junction.properties) if mapping.junction else 0
    return _for_each_row(mapping, batch_rows=join_batch_rows(copied))


def create_missing_relationships(mapping: RelationshipMapping) -> bytes:
    """Those of a mapping without junction that are not there yet, `$batch_rows` rows a transaction.

    Must run outside of a transaction.
    """
    ends = _ends(mapping)
    kind = identifier(mapping.relationship_type)
    return _for_each_row(
        mapping,
        batch_rows="$batch_rows",
        condition=f"WITH * WHERE NOT EXISTS {{ ({ends[0]})-[:{kind}]->({ends[1]}) }} ",
    )


def _joined_at_once(mapping: RelationshipMapping) -> bytes:
    # The hint makes it a hash join, for which the server hashes the smaller side. Without it the
    # outer transaction would take a lock on every key it seeks and hold them all to its end.
    (sought,) = mapping.sought
    variable = _variable(sought)
    hint = f" USING SCAN {variable}:{identifier(sought.label)}"
    return (
        PIN
        + (
            f"MATCH {_row(driving_label(mapping) or '', ())}\n"
            f"MATCH {_seek(sought, hint=hint)}\n"
            f"WITH row, {variable}\n"
            f"CALL (row, {variable}) {{ {_create(mapping, '', ends=_ends(mapping))} }}"
            f" IN TRANSACTIONS OF {JOIN_BATCH_ROWS} ROWS"
        ).encode()
    )


def _takes_some_tables(mapping: RelationshipMapping) -> bool:
    """Whether only some tables of a shared label take part: how many nodes that leaves is unknown."""
    return bool(mapping.from_tables or mapping.to_tables)


def _for_each_row(
    mapping: RelationshipMapping, *, batch_rows: int | str, condition: str = ""
) -> bytes:
    rows = _row(driving_label(mapping) or "", mapping.driving.tables if mapping.driving else ())
    found = "".join(f"MATCH {_seek(end)} " for end in mapping.sought)
    properties = _copied_properties(mapping.junction) if mapping.junction else ""
    body = f"{found}{condition}{_create(mapping, properties, ends=_ends(mapping))}"
    return (
        PIN
        + (f"MATCH {rows}\nCALL (row) {{ {body} }} IN TRANSACTIONS OF {batch_rows} ROWS").encode()
    )


def _ends(mapping: RelationshipMapping) -> tuple[str, str]:
    """The variables of both ends: the driving row is one of them where there is no junction."""
    first, last = (
        "row" if end == mapping.driving else _variable(end) for end in (mapping.start, mapping.end)
    )
    return first, last


def _variable(sought: End) -> str:
    return "a" if sought.side == "from" else "b"


def link_rows(mapping: RelationshipMapping, table: TableMapping, block: bytes) -> bytes:
    """One batch of a junction table that is no label: find both ends of each row and join them."""
    junction = mapping.junction
    assert junction is not None
    rows = row_literal(block)
    by_column = {
        prop.column: value
        for prop, value in zip(
            table.properties,
            values(table.properties, table=table, null_mark=rows.null_mark),
            strict=True,
        )
    }
    chosen = tuple(prop for prop in table.properties if prop.column in junction.properties)
    properties = property_map(chosen, table=table, null_mark=rows.null_mark)
    text = (
        f"\nMATCH {_pattern('a', mapping.start, by_column)}"
        f"\nMATCH {_pattern('b', mapping.end, by_column)}"
        f"\n{_create(mapping, f' {{{properties}}}' if properties else '')}"
    )
    return PIN + rows.unwound + text.encode()


def of_tables(variable: str, places: tuple[str, ...]) -> str:
    """The condition that a node of a shared label comes from one of these tables."""
    listed = ", ".join(string_literal(place) for place in places)
    return f"{variable}.{identifier(TABLE_PROPERTY)} IN [{listed}]"


def _copied_properties(junction: Junction) -> str:
    if not junction.properties:
        return ""
    copied = ", ".join(f"{identifier(c)}: row.{identifier(c)}" for c in junction.properties)
    return f" {{{copied}}}"


def _row(label: str, places: tuple[str, ...]) -> str:
    """The pattern of the nodes that drive a statement."""
    where = f" WHERE {of_tables('row', places)}" if places else ""
    return f"(row:{identifier(label)}){where}"


def _seek(end: End, *, hint: str = "") -> str:
    """The pattern of an end that is looked up by the values of `row`."""
    by_column = {column: f"row.{identifier(column)}" for _, column in end.pairs}
    return _pattern(_variable(end), end, by_column, hint=hint)


def _pattern(variable: str, end: End, by_column: dict[str, str], *, hint: str = "") -> str:
    """A node pattern of (property, column it equals); a property named twice is checked by WHERE."""
    first = dict(reversed(end.pairs))
    inside = ", ".join(f"{identifier(p)}: {by_column[c]}" for p, c in _in_order(end.pairs, first))
    conditions = [
        f"{variable}.{identifier(p)} = {by_column[c]}" for p, c in end.pairs if first[p] != c
    ]
    if end.tables:
        conditions.append(of_tables(variable, end.tables))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"({variable}:{identifier(end.label)} {{{inside}}}){hint}{where}"


def _in_order(pairs: tuple[tuple[str, str], ...], chosen: dict[str, str]) -> list[tuple[str, str]]:
    """The chosen pairs in the order in which `pairs` names them."""
    return [(name, column) for name, column in pairs if chosen[name] == column]


def _create(
    mapping: RelationshipMapping, properties: str, *, ends: tuple[str, str] = ("a", "b")
) -> str:
    return f"CREATE ({ends[0]})-[:{identifier(mapping.relationship_type)}{properties}]->({ends[1]})"
