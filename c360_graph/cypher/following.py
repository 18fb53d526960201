"""Statements that keep a graph equal to its sources row by row, all of them within one transaction.

All may run twice: they find what is right already and leave it alone. `$ids` are ids of nodes, `$pairs`
pairs of them, where a relationship starts and where it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from c360_graph.cypher.manifest import LABEL as MANIFEST
from c360_graph.cypher.manifest import WHOLE
from c360_graph.cypher.merges import differs_from_new, row_and_key
from c360_graph.cypher.quoting import identifier, statement, string_literal
from c360_graph.cypher.relationships import copied_from, end_pattern, of_tables
from c360_graph.cypher.rows import (
    batch_statement,
    own_properties,
    property_map,
    row_literal,
    set_anew,
    set_on_new,
    values,
)
from c360_graph.cypher.target_lock import LABEL as LOCK
from c360_graph.mapping.model import (
    Junction,
    NodeTable,
    RelationshipEnd,
    RelationshipMapping,
    TableMapping,
)
from c360_graph.mapping.property_types import property_type

_MANIFEST, _LOCK = identifier(MANIFEST), identifier(LOCK)
_NO_LOAD = f"NOT EXISTS {{ MATCH (l:{_LOCK}) WHERE l.holds }}"


def upsert_nodes(
    table: NodeTable, block: bytes, *, joined: Iterable[str], told: Sequence[str] = ()
) -> bytes:
    """One batch of rows, none of them twice: makes missing nodes, changes those that differ.

    Returns one record: `made`, ids of new nodes; `moved`, ids of those of which a column of `joined` is
    another than before; `updated`, how many differed; `told`, of the made and the moved the texts of the
    columns `told`.
    """
    rows = row_literal(block)
    new, pattern = row_and_key(table, rows)
    label = identifier(table.node_label)
    indexes = {prop.column: index for index, prop in enumerate(table.properties)}
    mark = string_literal(rows.null_mark)
    texts = ", ".join(f"nullIf(row[{indexes[column]}], {mark})" for column in told)
    shown = f"[{texts}]" if told else "null"
    text = (
        f"\nWITH {{{new}}} AS new, {shown} AS shown"
        f"\nOPTIONAL MATCH (n:{label} {{{pattern}}})"
        f"\nWITH n, new, shown, {differs_from_new(table)} AS differs, {_moved(table, joined)} AS moves"
        "\nCALL (n, new) { WITH * WHERE n IS NULL"
        f" CREATE (m:{label}) SET m += new{set_on_new(table.extra, 'm', 'new')} RETURN id(m) AS made"
        " UNION ALL WITH * WHERE n IS NOT NULL RETURN null AS made }"
        "\nFOREACH (_ IN CASE WHEN differs THEN [n] ELSE [] END | SET n += new"
        f"{set_anew(table.extra, 'n', 'new')})"
        "\nRETURN collect(made) AS made,"
        " collect(CASE WHEN made IS NULL AND moves THEN id(n) END) AS moved,"
        " collect(CASE WHEN made IS NOT NULL OR moves THEN shown END) AS told,"
        " sum(CASE WHEN made IS NULL AND differs THEN 1 ELSE 0 END) AS updated"
    )
    return batch_statement(rows, text)


def _moved(table: NodeTable, joined: Iterable[str]) -> str:
    conditions = []
    for column in sorted(joined):
        old, new = f"n.{identifier(column)}", f"new.{identifier(column)}"
        empty = f"({old} IS NULL) <> ({new} IS NULL)"
        if _is_float(table, column):
            # 0.0 equals -0.0, which a relationship has as its property too.
            old, new = f"toStringOrNull({old})", f"toStringOrNull({new})"
        conditions.append(f"{old} <> {new} OR {empty}")
    return f"coalesce({' OR '.join(conditions)}, false)" if conditions else "false"


def _is_float(table: NodeTable, column: str) -> bool:
    prop = table.property_of(column)
    if prop is None:
        return False
    kind = property_type(prop.type, treatment=prop.treatment, time_zone=table.source.time_zone).name
    return kind == "FLOAT"


def delete_keys(table: NodeTable, block: bytes) -> bytes:
    """One batch of keys: removes their nodes, with their relationships; `count` of them.

    The block has the columns of the key alone, in the key's order.
    """
    return _of_keys(table, block, "DETACH DELETE n RETURN count(*) AS count")


def with_key_alone(table: TableMapping) -> TableMapping:
    """A table as it is where only the columns of its key are read, in the key's order."""
    key = tuple(prop for column in table.key if (prop := table.property_of(column)) is not None)
    return table.model_copy(update={"properties": key})


def _of_keys(table: NodeTable, block: bytes, what: str) -> bytes:
    rows = row_literal(block)
    keyed = with_key_alone(table)
    read = property_map(keyed.properties, table=keyed, null_mark=rows.null_mark)
    inside = ", ".join((*own_properties(table), read))
    text = f"\nMATCH (n:{identifier(table.node_label)} {{{inside}}}) {what}"
    return batch_statement(rows, text)


def delete_nodes_of_table(table: NodeTable) -> str:
    """All nodes that a table feeds, with their relationships; `count` of them."""
    return statement(f"MATCH {_table_nodes(table)} DETACH DELETE n RETURN count(*) AS count")


def ids_of_table(table: NodeTable) -> str:
    """The id of every node that a table feeds."""
    return statement(f"MATCH {_table_nodes(table)} RETURN id(n) AS id")


def count_nodes_of_table(table: NodeTable) -> str:
    """Nodes that a table feeds, as `count`."""
    return statement(f"MATCH {_table_nodes(table)} RETURN count(n) AS count")


def _table_nodes(table: NodeTable) -> str:
    where = f" WHERE {of_tables('n', (table.qualified_name,))}" if table.label_is_shared else ""
    return f"(n:{identifier(table.node_label)}){where}"


def delete_stale_of_ids(mapping: RelationshipMapping, end: RelationshipEnd) -> str:
    """Relationships of a mapping without junction at the nodes `$ids` of one end that join no more."""
    other = _other(mapping, end)
    conditions = [f"n.{identifier(column)} = o.{identifier(name)}" for name, column in other.pairs]
    for variable, side in (("n", end), ("o", other)):
        if side.tables:
            conditions.append(of_tables(variable, side.tables))
    found = _relationship(mapping, end, "x", f"(o:{identifier(other.label)})")
    return statement(
        f"{_of_ids('n', end.label)} MATCH {found}"
        f" WHERE NOT coalesce({' AND '.join(conditions)}, false) DELETE x"
    )


def create_missing_of_ids(mapping: RelationshipMapping, end: RelationshipEnd) -> str:
    """Relationships of a mapping without junction at the nodes `$ids` of one end that are not there yet."""
    other = _other(mapping, end)
    by_column = {column: f"n.{identifier(column)}" for _, column in other.pairs}
    own = f" AND {of_tables('n', end.tables)}" if end.tables else ""
    found = end_pattern("o", other, by_column)
    made = _relationship(mapping, end, "", "(o)")
    properties = copied_from(mapping, "n" if end == mapping.driving else "o")
    created = _relationship(mapping, end, "", "(o)", properties)
    return statement(
        f"{_of_ids('n', end.label)}{own} MATCH {found}"
        f" WITH n, o WHERE NOT EXISTS {{ {made} }} CREATE {created}"
    )


def update_of_ids(mapping: RelationshipMapping, end: RelationshipEnd) -> str:
    """Gives the relationships of the nodes `$ids`, at the end that drives, the properties of these nodes."""
    own = f" AND {of_tables('n', end.tables)}" if end.tables else ""
    found = _relationship(mapping, end, "x", f"(:{identifier(_other(mapping, end).label)})")
    names = map(identifier, mapping.properties)
    return statement(
        f"{_of_ids('n', end.label)}{own} MATCH {found}"
        f" SET {', '.join(f'x.{name} = n.{name}' for name in names)}"
    )


def _other(mapping: RelationshipMapping, end: RelationshipEnd) -> RelationshipEnd:
    return mapping.end if end.side == "from" else mapping.start


def _relationship(
    mapping: RelationshipMapping, end: RelationshipEnd, name: str, other: str, properties: str = ""
) -> str:
    kind = f"[{name}:{identifier(mapping.relationship_type)}{properties}]"
    return f"(n)-{kind}->{other}" if end.side == "from" else f"(n)<-{kind}-{other}"


def _of_ids(variable: str, label: str) -> str:
    return f"UNWIND $ids AS id MATCH ({variable}:{identifier(label)}) WHERE id({variable}) = id"


# Where several mappings make relationships of one type between two labels, or a junction does, those of a
# pair of nodes are made anew as a whole: which row one of them came from is not kept.

_PAIR = " RETURN DISTINCT id(a) AS a, id(b) AS b"


def pairs_of_junction_keys(mapping: RelationshipMapping, table: NodeTable, block: bytes) -> bytes:
    """The pairs that nodes of a junction table join, found by their keys; as `delete_keys`."""
    return _of_keys(table, block, f"WITH n AS j {_through(mapping)}{_PAIR}")


def pairs_of_junction_ids(mapping: RelationshipMapping, label: str) -> str:
    """The pairs that the nodes `$ids` of a junction table join."""
    return statement(f"{_of_ids('j', label)} {_through(mapping)}{_PAIR}")


def _through(mapping: RelationshipMapping) -> str:
    """From a junction's row `j` to both ends."""
    found = []
    for variable, end in (("a", mapping.start), ("b", mapping.end)):
        by_column = {column: f"j.{identifier(column)}" for _, column in end.pairs}
        found.append(f"MATCH {end_pattern(variable, end, by_column)}")
    return " ".join(found)


def pairs_of_end_ids(mapping: RelationshipMapping, end: RelationshipEnd) -> str:
    """The pairs that a mapping makes with the nodes `$ids` of one end."""
    own, others = ("a", "b") if end.side == "from" else ("b", "a")
    other = _other(mapping, end)
    where = f" AND {of_tables(own, end.tables)}" if end.tables else ""
    if mapping.junction is None:
        by_column = {column: f"{own}.{identifier(column)}" for _, column in other.pairs}
        found = f"MATCH {end_pattern(others, other, by_column)}"
    else:
        joined = _all_equal("j", own, end)
        by_column = {column: f"j.{identifier(column)}" for _, column in other.pairs}
        found = (
            f"MATCH {_rows_of(mapping.junction)} WHERE {joined}"
            f" MATCH {end_pattern(others, other, by_column)}"
        )
    return statement(f"{_of_ids(own, end.label)}{where} {found}{_PAIR}")


def pairs_joined_now(mapping: RelationshipMapping, end: RelationshipEnd) -> str:
    """The pairs that have a relationship of a mapping's type, with the nodes `$ids` of one end."""
    own, others = ("a", "b") if end.side == "from" else ("b", "a")
    other = _other(mapping, end)
    kind = identifier(mapping.relationship_type)
    arrow = f"-[:{kind}]->" if end.side == "from" else f"<-[:{kind}]-"
    found = f"MATCH ({own}){arrow}({others}:{identifier(other.label)})"
    return statement(f"{_of_ids(own, end.label)} {found}{_PAIR}")


def pairs_of_links(mapping: RelationshipMapping, table: TableMapping, block: bytes) -> bytes:
    """The pairs that rows of a junction table without a label join; `table` has the block's columns."""
    rows = row_literal(block)
    read = zip(
        table.properties,
        values(table.properties, table=table, null_mark=rows.null_mark),
        strict=True,
    )
    by_column = {prop.column: expression for prop, expression in read}
    found = " ".join(
        f"MATCH {end_pattern(variable, end, by_column)}"
        for variable, end in (("a", mapping.start), ("b", mapping.end))
    )
    return batch_statement(rows, f"\n{found}{_PAIR}")


def delete_of_pattern(mapping: RelationshipMapping) -> str:
    """All relationships of a mapping's type between its labels, within the transaction."""
    start, kind, end = map(
        identifier, (mapping.from_label, mapping.relationship_type, mapping.to_label)
    )
    return statement(f"MATCH (:{start})-[x:{kind}]->(:{end}) DELETE x")


def delete_of_pairs(mapping: RelationshipMapping) -> str:
    """All relationships of a mapping's type between the nodes of `$pairs`."""
    kind = identifier(mapping.relationship_type)
    return statement(f"{_pairs(mapping)} MATCH (a)-[x:{kind}]->(b) DELETE x")


def create_of_pairs(mapping: RelationshipMapping) -> str:
    """The relationships that a mapping makes between the nodes of `$pairs`; its junction has a label."""
    kind = identifier(mapping.relationship_type)
    sides = (("a", mapping.start), ("b", mapping.end))
    conditions = [of_tables(variable, end.tables) for variable, end in sides if end.tables]
    if mapping.junction is None:
        conditions += [f"a.{identifier(one)} = b.{identifier(two)}" for one, two in mapping.pairs]
        driving = "b" if mapping.seek == "from" else "a"
        copied = copied_from(mapping, driving)
        text = f" WITH a, b WHERE {' AND '.join(conditions)} CREATE (a)-[:{kind}{copied}]->(b)"
    else:
        conditions += [_all_equal("j", variable, end) for variable, end in sides]
        text = (
            f" MATCH {_rows_of(mapping.junction)} WHERE {' AND '.join(conditions)}"
            f" CREATE (a)-[:{kind}{copied_from(mapping, 'j')}]->(b)"
        )
    return statement(f"{_pairs(mapping)}{text}")


def _rows_of(junction: Junction) -> str:
    """The pattern of the nodes `j` that are the rows of a junction with a label."""
    assert junction.node_label is not None
    return f"(j:{identifier(junction.node_label)})"


def _all_equal(junction: str, variable: str, end: RelationshipEnd) -> str:
    return " AND ".join(
        f"{junction}.{identifier(column)} = {variable}.{identifier(name)}"
        for name, column in end.pairs
    )


def _pairs(mapping: RelationshipMapping) -> str:
    start, end = identifier(mapping.from_label), identifier(mapping.to_label)
    return (
        f"UNWIND $pairs AS pair MATCH (a:{start}) WHERE id(a) = pair[0]"
        f" MATCH (b:{end}) WHERE id(b) = pair[1]"
    )


# The follower's mark stands on the manifest's node, so that every load removes it.


def claim_graph() -> str:
    """Make a graph the one that `$holder` follows, where its manifest is still `$content`; `count`.

    `$uncounted` is the manifest of a graph that changes by itself.
    """
    return statement(
        f"MATCH (m:{_MANIFEST}) WHERE m.state = {string_literal(WHOLE)} AND m.content = $content"
        f" AND {_NO_LOAD}"
        " SET m.follower = $holder, m.follow = $follow, m.content = $uncounted"
        " RETURN count(m) AS count"
    )


def take_over_graph() -> str:
    """Go on where another follower ended; `count`."""
    return statement(
        f"MATCH (m:{_MANIFEST}) WHERE m.state = {string_literal(WHOLE)}"
        f" AND m.follow IS NOT NULL AND {_NO_LOAD}"
        " SET m.follower = $holder RETURN count(m) AS count"
    )


def hold_graph() -> str:
    """Keep other followers and loads out to the end of the transaction; `count` is 0 where one has come.

    A load that takes its lock later ends this transaction before it changes anything.
    """
    return statement(
        f"MATCH (m:{_MANIFEST} {{follower: $holder}}) WHERE m.state = {string_literal(WHOLE)}"
        f" AND {_NO_LOAD} SET m.follow = $follow, m.moved_at = datetime()"
        " RETURN count(m) AS count"
    )


def read_mark() -> str:
    """`state`, `content`, `follower`, `follow`, `loaded_at` (a text), `moments` (when the last load ended and
    when a follower moved last), and `is_locked` by a load; no row without a manifest."""
    return statement(
        f"MATCH (m:{_MANIFEST}) RETURN m.state AS state, m.content AS content,"
        " m.follower AS follower, m.follow AS follow, toString(m.loaded_at) AS loaded_at,"
        " [m.loaded_at, m.moved_at] AS moments,"
        f" EXISTS {{ MATCH (l:{_LOCK}) WHERE l.holds }} AS is_locked"
    )
