"""Statements that create relationships: one for each mapping, run by the server over what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from c360_graph.cypher.quoting import identifier, statement, string_literal
from c360_graph.cypher.rows import batch_statement, property_map, row_literal, value, values
from c360_graph.cypher.weights import join_batch_rows
from c360_graph.mapping.model import (
    TABLE_PROPERTY,
    NodeTable,
    PropertyMapping,
    RelationshipEnd,
    RelationshipMapping,
    TableMapping,
)
from c360_graph.mapping.property_types import property_type

MOST_NODES_HASHED = 300_000
"""Nodes of a sought label that the server may keep in memory: joining once over all of them was 1.15 to
1.3 times as fast as a seek for each row, but takes some 200 bytes of its heap for each node."""


def driving_label(mapping: RelationshipMapping) -> str | None:
    """The label whose nodes drive the statement; None where a junction's rows are no nodes."""
    if mapping.junction is not None:
        return mapping.junction.node_label
    return mapping.driving.label if mapping.driving is not None else None


def create_relationships(mapping: RelationshipMapping, *, sought: int) -> str:
    """All relationships of a mapping whose rows are nodes. Must run outside of a transaction.

    `sought` is how many nodes the label has that is looked up: a small one is joined as a whole.
    """
    if mapping.junction is None and not _takes_some_tables(mapping) and sought <= MOST_NODES_HASHED:
        return _joined_at_once(mapping)
    return _for_each_row(mapping, batch_rows=join_batch_rows(len(mapping.copied)))


def sole_lookup(mapping: RelationshipMapping, tables: Iterable[NodeTable]) -> str | None:
    """The variable of the node that a row finds one of at most; None where it may find several.

    `tables` are those of the label that is looked up.
    """
    if mapping.junction is not None or len(mapping.sought) != 1:
        return None
    (sought,) = mapping.sought
    compared = {name for name, _ in sought.pairs}
    keys = [set(table.key) for table in tables]
    unique = bool(keys) and all(key and key <= compared for key in keys)
    # Tables that share a label may have the same keys: the constraint of the label is on these.
    return _variable(sought) if unique and len(set(map(frozenset, keys))) == 1 else None


def in_shares(text: bytes, *, lookup: str, shares: int) -> tuple[bytes, ...]:
    """The statement as several, which make its relationships together and lock no node in common.

    Each takes the rows whose `lookup`, see `sole_lookup`, has an id that is its own. Only the statement
    itself where it is not written so that it can be shared.

    >>> text = b"MATCH (row:Event)\\nMATCH (a:User {id: row.user})\\nWITH row, a\\nCALL (row, a) { ... }"
    >>> for share in in_shares(text, lookup="a", shares=2):
    ...     print(share.decode().splitlines()[2])
    WITH row, a WHERE id(a) % 2 = 0
    WITH row, a WHERE id(a) % 2 = 1
    """
    found = _found(lookup).encode()
    if shares < 2 or text.count(found) != 1:
        return (text,)
    return tuple(
        text.replace(found, found[:-1] + f" WHERE {condition}\n".encode())
        for condition in share_conditions(lookup, shares)
    )


def share_conditions(lookup: str, shares: int) -> tuple[str, ...]:
    """What the rows of each share fulfil, see `in_shares`.

    >>> share_conditions("a", 2)
    ('id(a) % 2 = 0', 'id(a) % 2 = 1')
    """
    return tuple(f"id({lookup}) % {shares} = {share}" for share in range(shares))


def _found(variable: str) -> str:
    """The line behind a lookup, at which `in_shares` parts the rows."""
    return f"\nWITH row, {variable}\n"


def create_missing_relationships(mapping: RelationshipMapping, *, share: str = "true") -> str:
    """Those of a mapping without junction that are not there yet, `$batch_rows` rows a transaction.

    Must run outside of a transaction. `share` is the condition of one of several sessions.
    """
    ends = _ends(mapping)
    kind = identifier(mapping.relationship_type)
    return _for_each_row(
        mapping,
        batch_rows="$batch_rows",
        condition=f"WITH * WHERE {share} AND NOT EXISTS {{ ({ends[0]})-[:{kind}]->({ends[1]}) }} ",
    )


def _joined_at_once(mapping: RelationshipMapping) -> str:
    # The hint makes it a hash join, for which the server hashes the smaller side. Without it the
    # outer transaction would take a lock on every key it seeks and hold them all to its end.
    (sought,) = mapping.sought
    variable = _variable(sought)
    hint = f" USING SCAN {variable}:{identifier(sought.label)}"
    return statement(
        f"MATCH {_row(mapping)}\n"
        f"MATCH {_seek(sought, hint=hint)}"
        f"{_found(variable)}"
        f"CALL (row, {variable}) {{ {_create(mapping, copied_from(mapping, 'row'), ends=_ends(mapping))} }}"
        f" IN TRANSACTIONS OF {join_batch_rows(len(mapping.copied))} ROWS"
    )


def _takes_some_tables(mapping: RelationshipMapping) -> bool:
    """Whether only some tables of a shared label take part: how many nodes that leaves is unknown."""
    return bool(mapping.from_tables or mapping.to_tables)


def _for_each_row(
    mapping: RelationshipMapping, *, batch_rows: int | str, condition: str = ""
) -> str:
    found = "".join(f"MATCH {_seek(end)} " for end in mapping.sought)
    if not condition and len(mapping.sought) == 1:
        found = found.rstrip() + _found(_variable(mapping.sought[0]))
    properties = copied_from(mapping, "row")
    body = f"{found}{condition}{_create(mapping, properties, ends=_ends(mapping))}"
    return statement(
        f"MATCH {_row(mapping)}\nCALL (row) {{ {body} }} IN TRANSACTIONS OF {batch_rows} ROWS"
    )


def _ends(mapping: RelationshipMapping) -> tuple[str, str]:
    """The variables of both ends: the driving row is one of them where there is no junction."""
    first, last = (
        "row" if end == mapping.driving else _variable(end) for end in (mapping.start, mapping.end)
    )
    return first, last


def _variable(sought: RelationshipEnd) -> str:
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
        f"\nMATCH {end_pattern('a', mapping.start, by_column)}"
        f"\nMATCH {end_pattern('b', mapping.end, by_column)}"
        f"\n{_create(mapping, f' {{{properties}}}' if properties else '')}"
    )
    return batch_statement(rows, text)


def of_tables(variable: str, tables: tuple[str, ...]) -> str:
    """The condition that a node of a shared label comes from one of these tables.

    >>> of_tables("a", ("profiles_db/accounts",))
    "a.`_c360_table` IN ['profiles_db/accounts']"
    """
    listed = ", ".join(string_literal(table) for table in tables)
    return f"{variable}.{identifier(TABLE_PROPERTY)} IN [{listed}]"


def copied_from(mapping: RelationshipMapping, row: str) -> str:
    """The properties of a relationship, with the blank before them, as those of the node that drives."""
    if not mapping.copied:
        return ""
    copied = ", ".join(f"{identifier(c)}: {row}.{identifier(c)}" for c in mapping.copied)
    return f" {{{copied}}}"


def _row(mapping: RelationshipMapping) -> str:
    """The pattern of the nodes that drive a statement."""
    label = driving_label(mapping)
    assert label is not None
    tables = mapping.driving.tables if mapping.driving else ()
    where = f" WHERE {of_tables('row', tables)}" if tables else ""
    return f"(row:{identifier(label)}){where}"


def _seek(end: RelationshipEnd, *, hint: str = "") -> str:
    """The pattern of an end that is looked up by the values of `row`."""
    by_column = {column: f"row.{identifier(column)}" for _, column in end.pairs}
    return end_pattern(_variable(end), end, by_column, hint=hint)


def end_pattern(
    variable: str, end: RelationshipEnd, by_column: dict[str, str], *, hint: str = ""
) -> str:
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


@dataclass(frozen=True, kw_only=True)
class LinkTables:
    """Where a mapping's relationships come from: each label has one table, with a key.

    A row of links has the columns of one end's key, of the other's, then the relationship's properties.
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
        if self.junction is not None:
            return _of(self.junction, self.mapping.copied)
        driving = self.end if self.mapping.seek == "from" else self.start
        return _of(driving, self.mapping.copied)


def create_links(tables: LinkTables, block: bytes) -> bytes:
    """One batch of rows of links: a relationship for each."""
    rows = row_literal(block)
    found, own = _ends_and_properties(tables, rows.null_mark, columns=len(tables.columns))
    inside = ", ".join(f"{name}: {expression}" for name, expression, _ in own)
    kind = identifier(tables.mapping.relationship_type)
    created = f"\nCREATE (a)-[:{kind}{f' {{{inside}}}' if inside else ''}]->(b)"
    return batch_statement(rows, f"{found}{created}")


def delete_links(tables: LinkTables, block: bytes) -> bytes:
    """One batch of rows of links, each with one more column: how many such relationships go."""
    rows = row_literal(block)
    width = len(tables.columns)
    found, own = _ends_and_properties(tables, rows.null_mark, columns=width + 1)
    same = " AND ".join(_same(name, expression, kind) for name, expression, kind in own)
    text = (
        f"{found}\nMATCH (a)-[x:{identifier(tables.mapping.relationship_type)}]->(b)"
        f"{f' WHERE {same}' if same else ''}"
        f"\nWITH row, collect(x)[0..toInteger(row[{width}])] AS surplus"
        "\nUNWIND surplus AS x DELETE x"
    )
    return batch_statement(rows, text)


def _ends_and_properties(
    tables: LinkTables, null_mark: str, *, columns: int
) -> tuple[str, list[tuple[str, str, str]]]:
    """Cypher that finds both ends, and name, expression and type's name of each property."""
    read = list(_expressions(tables, null_mark, columns))
    keys = len(tables.start.key), len(tables.start.key) + len(tables.end.key)
    mapping = tables.mapping
    found = (
        f"\nMATCH {_link_pattern('a', mapping.from_label, read[: keys[0]])}"
        f"\nMATCH {_link_pattern('b', mapping.to_label, read[keys[0] : keys[1]])}"
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


def _link_pattern(variable: str, label: str, key: list[tuple[str, str, str]]) -> str:
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
