"""Statements that bring a graph to the state of the extracts while it is being read.

All of them may run twice: what is right already is left alone. `$batch_rows` is how many rows one
transaction has.
"""

from __future__ import annotations

from c360_graph.cypher import counts_and_deletes
from c360_graph.cypher.quoting import identifier, statement, string_literal
from c360_graph.cypher.relationships import of_tables
from c360_graph.cypher.rows import (
    RowLiteral,
    batch_statement,
    labels_differ,
    own_properties,
    property_map,
    row_literal,
    set_anew,
    set_on_new,
)
from c360_graph.mapping.graph_manifest import RelationshipPattern
from c360_graph.mapping.model import NodeTable, RelationshipMapping
from c360_graph.mapping.property_types import property_type

MOST_COLUMNS_COMPARED_APART = 20
"""Neo4j plans a comparison of each of 76 columns for seconds, of 400 for minutes; of a list of names at once."""


def merge_nodes(table: NodeTable, block: bytes) -> bytes:
    """One batch of rows: makes missing nodes, changes those that differ.

    Returns one record: `ids` of the nodes of all rows and `updated`, how many differed.
    """
    rows = row_literal(block)
    new, pattern = row_and_key(table, rows)
    label = identifier(table.node_label)
    given = f"n += new{set_on_new(table.extra, 'n', 'new')}"
    merged = f"MERGE (n:{label} {{{pattern}}}) ON CREATE SET {given}"
    nan = " OR ".join(f"isNaN(new.{identifier(column)})" for column in table.float_key)
    if nan:
        # MERGE refuses NaN, which equals nothing; the node of such a row is always made anew.
        merged = (
            f"CALL (new) {{ WITH * WHERE NOT ({nan}) {merged} RETURN n"
            f" UNION ALL WITH * WHERE {nan} CREATE (n:{label}) SET {given} RETURN n }}"
        )
    text = (
        f"\nWITH {{{new}}} AS new"
        f"\n{merged}"
        f"\nWITH n, new, {differs_from_new(table)} AS differs"
        "\nFOREACH (_ IN CASE WHEN differs THEN [1] ELSE [] END | SET n += new"
        f"{set_anew(table.extra, 'n', 'new')})"
        "\nRETURN collect(id(n)) AS ids, sum(CASE WHEN differs THEN 1 ELSE 0 END) AS updated"
    )
    return batch_statement(rows, text)


def row_and_key(table: NodeTable, rows: RowLiteral) -> tuple[str, str]:
    """The properties of a row's node, and those that its node is found by, taken from the map `new`."""
    read = property_map(table.properties, table=table, null_mark=rows.null_mark)
    key = [name.partition(":")[0] for name in own_properties(table)]
    key += [identifier(column) for column in table.key]
    return ", ".join((*own_properties(table), read)), ", ".join(f"{n}: new.{n}" for n in key)


def find_nodes(table: NodeTable, block: bytes) -> bytes:
    """One batch of rows: the id of each row's node, found by its key."""
    rows = row_literal(block)
    key = tuple(prop for prop in table.properties if prop.column in table.key)
    read = property_map(key, table=table, null_mark=rows.null_mark)
    inside = ", ".join((*own_properties(table), read))
    text = f"\nMATCH (n:{identifier(table.node_label)} {{{inside}}}) RETURN id(n) AS id"
    return batch_statement(rows, text)


def node_ids(label: str) -> str:
    """The id of every node of a label.

    >>> print(node_ids("Account"))
    CYPHER 5 MATCH (n:`Account`) RETURN id(n) AS id
    """
    return statement(f"MATCH (n:{identifier(label)}) RETURN id(n) AS id")


def delete_relationships_of_ids(label: str) -> tuple[str, str]:
    """All relationships of the nodes `$ids`, so that no node's removal drags an unbounded number along.

    Those that start there, then those that end there (see `cleanup.delete_relationships_of_label`).

    >>> for text in delete_relationships_of_ids("Account"):
    ...     print(text)
    CYPHER 5 UNWIND $ids AS id MATCH (n:`Account`) WHERE id(n) = id MATCH (n)-[x]->() CALL (x) {
    DELETE x } IN TRANSACTIONS OF $batch_rows ROWS
    CYPHER 5 UNWIND $ids AS id MATCH (n:`Account`) WHERE id(n) = id MATCH (n)<-[x]-() CALL (x) {
    DELETE x } IN TRANSACTIONS OF $batch_rows ROWS
    """
    found = f"UNWIND $ids AS id MATCH (n:{identifier(label)}) WHERE id(n) = id"
    return (
        statement(counts_and_deletes.deleting(f"{found} MATCH (n)-[x]->()")),
        statement(counts_and_deletes.deleting(f"{found} MATCH (n)<-[x]-()")),
    )


def delete_ids(label: str) -> str:
    """The nodes `$ids`.

    >>> print(delete_ids("Account"))
    CYPHER 5 UNWIND $ids AS id MATCH (x:`Account`) WHERE id(x) = id CALL (x) { DETACH DELETE x }
    IN TRANSACTIONS OF $batch_rows ROWS
    """
    return statement(
        counts_and_deletes.deleting(
            f"UNWIND $ids AS id MATCH (x:{identifier(label)}) WHERE id(x) = id", "DETACH DELETE"
        )
    )


def purge_property(label: str, name: str) -> str:
    """A property that was ours and is no more, off every node of a label.

    >>> print(purge_property("Account", "email"))
    CYPHER 5 MATCH (n:`Account`) WHERE n.`email` IS NOT NULL CALL (n) { REMOVE n.`email` } IN
    TRANSACTIONS OF $batch_rows ROWS
    """
    return statement(
        f"MATCH (n:{identifier(label)}) WHERE n.{identifier(name)} IS NOT NULL"
        f" CALL (n) {{ REMOVE n.{identifier(name)} }}"
        " IN TRANSACTIONS OF $batch_rows ROWS"
    )


def purge_label(table: NodeTable, label: str) -> str:
    """A further label that was ours and is no more, off every node of a table."""
    own = f" AND {of_tables('n', (table.qualified_name,))}" if table.label_is_shared else ""
    return statement(
        f"MATCH (n:{identifier(table.node_label)}) WHERE n:{identifier(label)}{own}"
        f" CALL (n) {{ REMOVE n:{identifier(label)} }}"
        " IN TRANSACTIONS OF $batch_rows ROWS"
    )


def delete_stale_relationships(mapping: RelationshipMapping, *, share: str = "true") -> str:
    """Relationships of a mapping without junction whose ends do not join any more.

    `share` is the condition of one of several sessions; the nodes that are looked up are `a` or `b`.
    """
    conditions = [f"a.{identifier(left)} = b.{identifier(right)}" for left, right in mapping.pairs]
    if mapping.from_tables:
        conditions.append(of_tables("a", mapping.from_tables))
    if mapping.to_tables:
        conditions.append(of_tables("b", mapping.to_tables))
    joined = " AND ".join(conditions)
    return statement(
        counts_and_deletes.deleting(
            f"MATCH (a:{identifier(mapping.from_label)})-[x:{identifier(mapping.relationship_type)}]->"
            f"(b:{identifier(mapping.to_label)}) WHERE {share} AND NOT coalesce({joined}, false)"
        )
    )


def update_relationships(mapping: RelationshipMapping, *, share: str = "true") -> str:
    """Give the relationships of a mapping without junction the properties that their driving nodes have.

    As texts, 0.0 and -0.0 differ; a NaN equals nothing and is set again. `share` is the condition of one of
    several sessions; the nodes that are looked up are `a` or `b`.
    """
    pairs = [(f"r.{identifier(name)}", f"row.{identifier(name)}") for name in mapping.properties]
    same = " AND ".join(
        f"coalesce({old} = {new} AND valueType({old}) = valueType({new})"
        f" AND coalesce(toStringOrNull({old}) = toStringOrNull({new}), true),"
        f" {old} IS NULL AND {new} IS NULL)"
        for old, new in pairs
    )
    start, end = ("a", "row") if mapping.seek == "from" else ("row", "b")
    kind = identifier(mapping.relationship_type)
    return statement(
        f"MATCH ({start}:{identifier(mapping.from_label)})-[r:{kind}]->"
        f"({end}:{identifier(mapping.to_label)}) WHERE {share} AND NOT ({same})"
        f" CALL (row, r) {{ SET {', '.join(f'{old} = {new}' for old, new in pairs)} }}"
        " IN TRANSACTIONS OF $batch_rows ROWS"
    )


def purge_relationship_property(edges: RelationshipPattern, name: str) -> str:
    """A property that was ours and is no more, off every relationship of a type between two labels.

    >>> print(purge_relationship_property(("WATCHED", "Account", "PlayEvent"), "at"))
    CYPHER 5 MATCH (:`Account`)-[r:`WATCHED`]->(:`PlayEvent`) WHERE r.`at` IS NOT NULL CALL (r)
    { REMOVE r.`at` } IN TRANSACTIONS OF $batch_rows ROWS
    """
    kind, start, end = map(identifier, edges)
    return statement(
        f"MATCH (:{start})-[r:{kind}]->(:{end}) WHERE r.{identifier(name)} IS NOT NULL"
        f" CALL (r) {{ REMOVE r.{identifier(name)} }} IN TRANSACTIONS OF $batch_rows ROWS"
    )


def delete_surplus_relationships(mapping: RelationshipMapping) -> str:
    """All but the oldest of several relationships between the same two nodes.

    Without a junction a driving node is joined once with each node that it finds, so one is the most
    that the rows make. Only driving nodes that have several are looked at: one step for each other.
    """
    kind = identifier(mapping.relationship_type)
    driving, sought, arrow = (
        (mapping.to_label, mapping.from_label, ("<-", "-"))
        if mapping.seek == "from"
        else (mapping.from_label, mapping.to_label, ("-", "->"))
    )
    return statement(
        f"MATCH (row:{identifier(driving)})"
        f" WHERE COUNT {{ (row){arrow[0]}[:{kind}]{arrow[1]}() }} > 1"
        f" CALL (row) {{ MATCH (row){arrow[0]}[r:{kind}]{arrow[1]}(other:{identifier(sought)})"
        " WITH other, r ORDER BY id(r) WITH other, collect(r)[1..] AS surplus"
        " UNWIND surplus AS x DELETE x }"
        " IN TRANSACTIONS OF $batch_rows ROWS"
    )


def differs_from_new(table: NodeTable) -> str:
    plain, numbers, floats = [], [], []
    for prop in table.properties:
        kind = property_type(
            prop.type, treatment=prop.treatment, time_zone=table.source.time_zone
        ).name
        if "INTEGER" in kind or "FLOAT" in kind:
            numbers.append(prop.column)
        if kind == "FLOAT":
            floats.append(prop.column)
        elif prop.column not in table.key:
            plain.append(prop.column)
    conditions = [
        *_any(numbers, "valueType({old}) <> valueType({new})", of=table),
        *_any(plain, "{old} <> {new} OR ({old} IS NULL) <> ({new} IS NULL)", of=table),
        *_any(
            floats,
            "toStringOrNull({old}) <> toString({new}) OR ({old} IS NULL) <> ({new} IS NULL)",
            of=table,
        ),
    ]
    if table.extra.all:
        conditions.append(labels_differ(table.extra, "n", "new"))
    return "coalesce(" + " OR ".join(conditions) + ", false)" if conditions else "false"


def _any(columns: list[str], condition: str, *, of: NodeTable) -> list[str]:
    """Whether one of the columns fulfils a condition on its `old` and `new` value.

    1 equals 1.0, in the key that MERGE finds a node by too, so numbers are told apart by their type. NaN
    equals nothing, not even itself, and 0.0 equals -0.0; as texts they do what values should.
    """
    if len(of.properties) <= MOST_COLUMNS_COMPARED_APART:
        return [
            condition.format(old=f"n.{identifier(column)}", new=f"new.{identifier(column)}")
            for column in columns
        ]
    if not columns:
        return []
    names = ", ".join(map(string_literal, columns))
    told = condition.format(old="n[name]", new="new[name]")
    return [f"any(name IN [{names}] WHERE coalesce({told}, false))"]
