"""Statements that find one node by a value and read what lies around it."""

from __future__ import annotations

from collections.abc import Sequence

from c360_graph.cypher.quoting import identifier, string_literal
from c360_graph.mapping.graph_manifest import RelationshipPattern

_PIN = "CYPHER 5 "
_MOMENTS = ("ZONED DATETIME", "LOCAL DATETIME", "DATE")


def indexed_properties() -> str:
    """`label` and `property` of every index over one property of one label."""
    return (
        "SHOW RANGE INDEXES YIELD entityType, labelsOrTypes, properties"
        " WHERE entityType = 'NODE' AND size(labelsOrTypes) = 1 AND size(properties) = 1"
        " RETURN labelsOrTypes[0] AS label, properties[0] AS property"
    )


def find_by_property(label: str, name: str) -> str:
    """At most one row: a node whose property is one of `$values`, and whether no other has one.

    Gives `property`, `id`, `properties` and `is_only`.

    >>> print(find_by_property("Account", "email"))
    CYPHER 5 MATCH (n:`Account`) WHERE n.`email` IN $values WITH n LIMIT 2 WITH collect(n) AS
    found WHERE size(found) > 0 RETURN 'email' AS property, elementId(found[0]) AS id,
    properties(found[0]) AS properties, size(found) = 1 AS is_only
    """
    return (
        f"{_PIN}MATCH (n:{identifier(label)}) WHERE n.{identifier(name)} IN $values"
        # Two tell that there are several.
        " WITH n LIMIT 2 WITH collect(n) AS found WHERE size(found) > 0"
        f" RETURN {string_literal(name)} AS property, elementId(found[0]) AS id,"
        " properties(found[0]) AS properties, size(found) = 1 AS is_only"
    )


def find_by_any_property(label: str) -> str:
    """A row as that of `find_by_property` for each of `$names`; reads every node of the label."""
    return (
        f"{_PIN}MATCH (n:{identifier(label)})"
        " UNWIND [name IN $names WHERE n[name] IN $values] AS property"
        # A list of all nodes that have a common value would fill the server's memory.
        " WITH property, count(*) AS nodes, min(elementId(n)) AS id"
        f" MATCH (n:{identifier(label)}) WHERE elementId(n) = id"
        " RETURN property, id, properties(n) AS properties, nodes = 1 AS is_only ORDER BY property"
    )


def find_repeated_value(label: str, name: str) -> str:
    """One row where two nodes of the label have the same value, else none.

    >>> print(find_repeated_value("Account", "email"))
    CYPHER 5 MATCH (n:`Account`) WHERE n.`email` IS NOT NULL WITH n.`email` AS value, count(*)
    AS nodes WHERE nodes > 1 RETURN 1 AS repeated LIMIT 1
    """
    prop = f"n.{identifier(name)}"
    return (
        f"{_PIN}MATCH (n:{identifier(label)}) WHERE {prop} IS NOT NULL"
        f" WITH {prop} AS value, count(*) AS nodes WHERE nodes > 1 RETURN 1 AS repeated LIMIT 1"
    )


def neighbours(
    label: str, edges: RelationshipPattern, onward: Sequence[RelationshipPattern], *, outward: bool
) -> str:
    """The other ends of one kind of relationship of the node `$id`, newest first, at most `$most`.

    Gives `id`, `properties`, `total` and `related`: for each of `onward` a list of maps `id` and
    `properties`, at most `$most_related`, for a neighbour that belongs to no other node of the label.
    What several share, such as a city, would lead to other customers.

    Args:
        label: of the node.
        edges: relationship type, label it starts from, label it ends at; one is `label`.
        onward: what to follow from the neighbour.
        outward: whether the relationship starts at the node.
    """
    kind, start, end = edges
    own = f"(n:{identifier(label)})"
    other = identifier(end if outward else start)
    return (
        f"{_PIN}MATCH {_pattern(own, kind, f'(m:{other})', outward)} WHERE elementId(n) = $id"
        " WITH DISTINCT n, m"
        " WITH n, collect(m) AS all_of_them UNWIND all_of_them AS m"
        f" WITH n, m, size(all_of_them) AS total, m[head([name IN $names WHERE {_is_moment('m[name]')}])] AS moment"
        " ORDER BY moment IS NULL, moment DESC LIMIT $most"
        f" WITH m, total, NOT EXISTS {{ MATCH (m)--(o:{identifier(label)}) WHERE o <> n }} AS is_own"
        " RETURN elementId(m) AS id, properties(m) AS properties, total,"
        f" CASE WHEN is_own THEN [{', '.join(_related(other, edge) for edge in onward)}] ELSE [] END"
        " AS related"
    )


def _related(label: str, edges: RelationshipPattern) -> str:
    kind, start, end = edges
    outward = identifier(start) == label
    far = identifier(end if outward else start)
    return (
        f"COLLECT {{ MATCH {_pattern('(m)', kind, f'(far:{far})', outward)} WITH DISTINCT far"
        " RETURN {id: elementId(far), properties: properties(far)} LIMIT $most_related }"
    )


def _pattern(near: str, kind: str, far: str, outward: bool) -> str:
    relationship = f"[:{identifier(kind)}]"
    return f"{near}-{relationship}->{far}" if outward else f"{near}<-{relationship}-{far}"


def _is_moment(expression: str) -> str:
    return "(" + " OR ".join(f"valueType({expression}) STARTS WITH '{m}'" for m in _MOMENTS) + ")"
