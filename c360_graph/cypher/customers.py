"""Statements that find one node by a value and read what lies around it."""

from __future__ import annotations

from collections.abc import Sequence

from c360_graph.cypher.quoting import identifier, statement, string_literal
from c360_graph.mapping.graph_manifest import RelationshipPattern
from c360_graph.mapping.names import POSSIBLY_SAME_AS, SCORE_COLUMN

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
    return statement(
        f"MATCH (n:{identifier(label)}) WHERE n.{identifier(name)} IN $values"
        # Two tell that there are several.
        " WITH n LIMIT 2 WITH collect(n) AS found WHERE size(found) > 0"
        f" RETURN {string_literal(name)} AS property, elementId(found[0]) AS id,"
        " properties(found[0]) AS properties, size(found) = 1 AS is_only"
    )


def find_by_any_property(label: str) -> str:
    """A row as that of `find_by_property` for each property of `$values` that has one of its values.

    Reads every node of the label.
    """
    return statement(
        f"MATCH (n:{identifier(label)})"
        " UNWIND [name IN keys($values) WHERE n[name] IN $values[name]] AS property"
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
    return statement(
        f"MATCH (n:{identifier(label)}) WHERE {prop} IS NOT NULL"
        f" WITH {prop} AS value, count(*) AS nodes WHERE nodes > 1 RETURN 1 AS repeated LIMIT 1"
    )


def entity_of(edges: RelationshipPattern) -> str:
    """`id` and `properties` of the entity that the record `$id` is of.

    >>> print(entity_of(("IS", "Customer", "Account")))
    CYPHER 5 MATCH (r:`Account`) WHERE elementId(r) = $id MATCH (e:`Customer`)-[:`IS`]->(r)
    RETURN elementId(e) AS id, properties(e) AS properties LIMIT 1
    """
    kind, entity, record = edges
    return statement(
        f"MATCH (r:{identifier(record)}) WHERE elementId(r) = $id"
        f" MATCH (e:{identifier(entity)})-[:{identifier(kind)}]->(r)"
        " RETURN elementId(e) AS id, properties(e) AS properties LIMIT 1"
    )


def similar_entities(label: str) -> str:
    """`id`, `properties` and `score` of the entities that may be the same as `$id`, at most `$most`.

    >>> print(similar_entities("Customer"))
    CYPHER 5 MATCH (n:`Customer`) WHERE elementId(n) = $id
    MATCH (n)-[r:`POSSIBLY_SAME_AS`]-(o:`Customer`)
    RETURN elementId(o) AS id, properties(o) AS properties, r.`score` AS score
    ORDER BY score DESC, id LIMIT $most
    """
    named = identifier(label)
    return statement(
        f"MATCH (n:{named}) WHERE elementId(n) = $id"
        f" MATCH (n)-[r:{identifier(POSSIBLY_SAME_AS)}]-(o:{named})"
        f" RETURN elementId(o) AS id, properties(o) AS properties, r.{identifier(SCORE_COLUMN)} AS score"
        " ORDER BY score DESC, id LIMIT $most"
    )


def entities_by_property(edges: RelationshipPattern, name: str) -> str:
    """`id` and `properties` of the entities of the records that have one of `$values`, two at most.

    >>> print(entities_by_property(("IS", "Customer", "Account"), "email"))
    CYPHER 5 MATCH (r:`Account`) WHERE r.`email` IN $values MATCH (e:`Customer`)-[:`IS`]->(r)
    WITH DISTINCT e LIMIT 2 RETURN elementId(e) AS id, properties(e) AS properties
    """
    kind, entity, record = edges
    return statement(
        f"MATCH (r:{identifier(record)}) WHERE r.{identifier(name)} IN $values"
        f" MATCH (e:{identifier(entity)})-[:{identifier(kind)}]->(r)"
        " WITH DISTINCT e LIMIT 2 RETURN elementId(e) AS id, properties(e) AS properties"
    )


def degree(label: str, edges: RelationshipPattern, *, outward: bool) -> str:
    """`total`: how many relationships of a type the nodes `$ids` have, which the server just knows.

    >>> print(degree("Account", ("PLAYED", "Account", "PlayEvent"), outward=True))
    CYPHER 5 MATCH (n:`Account`) WHERE elementId(n) IN $ids
    RETURN sum(COUNT { (n)-[:`PLAYED`]->() }) AS total
    """
    pattern = _pattern("(n)", edges[0], "()", outward)
    return statement(
        f"MATCH (n:{identifier(label)}) WHERE elementId(n) IN $ids"
        f" RETURN sum(COUNT {{ {pattern} }}) AS total"
    )


def neighbours(
    label: str,
    edges: RelationshipPattern,
    onward: Sequence[RelationshipPattern],
    *,
    outward: bool,
    shared_by: Sequence[RelationshipPattern],
) -> str:
    """The other ends of one kind of relationship of the nodes `$ids`, newest first, at most `$most`.

    Gives `id`, `properties`, `parents` (ids of nodes that it was reached from), `total`, `scanned` (how
    many relationships were read, `$most_scanned` at most), `is_own` and `related`. The latter is, for
    each of `onward`, a map of `ends` (maps `id` and `properties`, at most `$most_related`) and `total`.
    It is empty for a neighbour that is not its own: one that has a relationship of `shared_by` with a node
    that is not in `$known`. What several share, such as a city, would lead to other customers.

    Args:
        label: of the nodes.
        edges: relationship type, label it starts from, label it ends at; one is `label`.
        onward: what to follow from the neighbour.
        outward: whether the relationship starts at the nodes.
        shared_by: kinds of relationships of the neighbours.
    """
    kind, start, end = edges
    far = end if outward else start
    others = [
        f"EXISTS {{ MATCH {_pattern('(m)', edge[0], f'(o:{identifier(label)})', starts)}"
        " WHERE NOT elementId(o) IN $known }"
        for edge in shared_by
        for starts, label in ((True, edge[2]), (False, edge[1]))
        if edge[1 if starts else 2] == far
    ]
    return statement(
        f"MATCH (n:{identifier(label)}) WHERE elementId(n) IN $ids"
        f" MATCH {_pattern('(n)', kind, f'(m:{identifier(far)})', outward)}"
        " WHERE NOT elementId(m) IN $known WITH n, m LIMIT $most_scanned"
        " WITH m, count(*) AS pairs, collect(DISTINCT elementId(n))[..$most_related] AS parents"
        " WITH collect({node: m, parents: parents}) AS found, sum(pairs) AS scanned UNWIND found AS one"
        " WITH one.node AS m, one.parents AS parents, size(found) AS total, scanned"
        f" WITH *, m[head([name IN $names WHERE {_is_moment('m[name]')}])] AS moment"
        " ORDER BY moment IS NULL, moment DESC LIMIT $most"
        " WITH m, parents, total, scanned,"
        f" NOT ({' OR '.join(others) or 'false'}) AS is_own"
        " RETURN elementId(m) AS id, properties(m) AS properties, parents, total, scanned, is_own,"
        f" CASE WHEN is_own THEN [{', '.join(_related(far, edge) for edge in onward)}] ELSE [] END"
        " AS related"
    )


def _related(label: str, edges: RelationshipPattern) -> str:
    kind, start, end = edges
    outward = start == label
    far = identifier(end if outward else start)
    return (
        f"{{ends: COLLECT {{ MATCH {_pattern('(m)', kind, f'(far:{far})', outward)} WITH DISTINCT far"
        " RETURN {id: elementId(far), properties: properties(far)} LIMIT $most_related },"
        f" total: COUNT {{ {_pattern('(m)', kind, '()', outward)} }}}}"
    )


def _pattern(near: str, kind: str, far: str, outward: bool) -> str:
    relationship = f"[:{identifier(kind)}]"
    return f"{near}-{relationship}->{far}" if outward else f"{near}<-{relationship}-{far}"


def _is_moment(expression: str) -> str:
    return "(" + " OR ".join(f"valueType({expression}) STARTS WITH '{m}'" for m in _MOMENTS) + ")"
