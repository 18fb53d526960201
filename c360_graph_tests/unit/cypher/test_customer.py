"""Statements around one node, whole."""

from __future__ import annotations

from c360_graph.cypher.customers import find_by_any_property, find_by_property, neighbours


def test_names_are_quoted_in_every_place() -> None:
    assert find_by_property("A`b", "it's") == (
        "CYPHER 5 MATCH (n:`A``b`) WHERE n.`it's` IN $values"
        " WITH n LIMIT 2 WITH collect(n) AS found WHERE size(found) > 0"
        " RETURN 'it\\'s' AS property, elementId(found[0]) AS id,"
        " properties(found[0]) AS properties, size(found) = 1 AS is_only"
    )
    assert find_by_any_property("A`b") == (
        "CYPHER 5 MATCH (n:`A``b`)"
        " UNWIND [name IN keys($values) WHERE n[name] IN $values[name]] AS property"
        " WITH property, count(*) AS nodes, min(elementId(n)) AS id"
        " MATCH (n:`A``b`) WHERE elementId(n) = id"
        " RETURN property, id, properties(n) AS properties, nodes = 1 AS is_only ORDER BY property"
    )


def test_neighbours_are_newest_first_and_only_ones_own_lead_further() -> None:
    statement = neighbours(
        "Buyer",
        ("PLACED_BY", "Order", "Buyer"),
        [("CONTAINS", "Order", "Item"), ("FOR", "Bill", "Order")],
        outward=False,
        shared_by=[("PLACED_BY", "Order", "Buyer"), ("SEEN_BY", "Buyer", "Order")],
    )
    moment = " OR ".join(
        f"valueType(m[name]) STARTS WITH '{kind}'"
        for kind in ("ZONED DATETIME", "LOCAL DATETIME", "DATE")
    )
    assert statement == (
        "CYPHER 5 MATCH (n:`Buyer`) WHERE elementId(n) IN $ids"
        " MATCH (n)<-[:`PLACED_BY`]-(m:`Order`) WHERE NOT elementId(m) IN $known"
        " WITH n, m LIMIT $most_scanned"
        " WITH m, count(*) AS pairs, collect(DISTINCT elementId(n))[..$most_related] AS parents"
        " WITH collect({node: m, parents: parents}) AS found, sum(pairs) AS scanned"
        " UNWIND found AS one"
        " WITH one.node AS m, one.parents AS parents, size(found) AS total, scanned"
        f" WITH *, m[head([name IN $names WHERE ({moment})])] AS moment"
        " ORDER BY moment IS NULL, moment DESC LIMIT $most"
        " WITH m, parents, total, scanned, NOT ("
        "EXISTS { MATCH (m)-[:`PLACED_BY`]->(o:`Buyer`) WHERE NOT elementId(o) IN $known } OR "
        "EXISTS { MATCH (m)<-[:`SEEN_BY`]-(o:`Buyer`) WHERE NOT elementId(o) IN $known }) AS is_own"
        " RETURN elementId(m) AS id, properties(m) AS properties, parents, total, scanned, is_own,"
        " CASE WHEN is_own THEN ["
        "{ends: COLLECT { MATCH (m)-[:`CONTAINS`]->(far:`Item`) WITH DISTINCT far"
        " RETURN {id: elementId(far), properties: properties(far)} LIMIT $most_related },"
        " total: COUNT { (m)-[:`CONTAINS`]->() }}, "
        "{ends: COLLECT { MATCH (m)<-[:`FOR`]-(far:`Bill`) WITH DISTINCT far"
        " RETURN {id: elementId(far), properties: properties(far)} LIMIT $most_related },"
        " total: COUNT { (m)<-[:`FOR`]-() }}"
        "] ELSE [] END AS related"
    )
