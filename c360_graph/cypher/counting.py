"""Counts of many labels, types or patterns by one statement: planning one costs the server more than counting does."""

from __future__ import annotations

from collections.abc import Iterable

from c360_graph.cypher.quoting import identifier, statement
from c360_graph.mapping.graph_manifest import RelationshipPattern

MOST_COUNTED = 50
"""Labels, types or patterns of one statement; the server plans longer ones no faster."""


def count_labels(labels: Iterable[str]) -> str:
    """How many nodes each label has, from the count store, as the list `counts`.

    >>> print(count_labels(["Account", "Plan"]))
    CYPHER 5 RETURN [COUNT { (:`Account`) }, COUNT { (:`Plan`) }] AS counts
    """
    return _counts(f"(:{identifier(label)})" for label in labels)


def count_types(types: Iterable[str]) -> str:
    """How many relationships of each type there are, from the count store, as the list `counts`.

    >>> print(count_types(["WATCHED", "PLAYED"]))
    CYPHER 5 RETURN [COUNT { ()-[:`WATCHED`]->() }, COUNT { ()-[:`PLAYED`]->() }] AS counts
    """
    return _counts(f"()-[:{identifier(kind)}]->()" for kind in types)


def count_patterns(patterns: Iterable[RelationshipPattern]) -> str:
    """How many relationships of each type join the two labels, as the list `counts`.

    The count store has no such numbers: the server looks at each relationship that starts at or ends at
    one of the labels.

    >>> print(count_patterns([("WATCHED", "Account", "PlayEvent")]))
    CYPHER 5 RETURN [COUNT { (:`Account`)-[:`WATCHED`]->(:`PlayEvent`) }] AS counts
    """
    return _counts(
        f"(:{identifier(start)})-[:{identifier(kind)}]->(:{identifier(end)})"
        for kind, start, end in patterns
    )


def count_pattern_ends(patterns: Iterable[RelationshipPattern]) -> str:
    """Three numbers from the count store for each pattern, one after the other in the list `counts`.

    These are the relationships of the type that start at the first label, those that end at the second,
    and all of the type.

    >>> print(count_pattern_ends([("WATCHED", "Account", "PlayEvent")]))
    CYPHER 5 RETURN [COUNT { (:`Account`)-[:`WATCHED`]->() }, COUNT {
    ()-[:`WATCHED`]->(:`PlayEvent`) }, COUNT { ()-[:`WATCHED`]->() }] AS counts
    """
    return _counts(
        side
        for kind, start, end in patterns
        for side in (
            f"(:{identifier(start)})-[:{identifier(kind)}]->()",
            f"()-[:{identifier(kind)}]->(:{identifier(end)})",
            f"()-[:{identifier(kind)}]->()",
        )
    )


def _counts(patterns: Iterable[str]) -> str:
    counted = ", ".join(f"COUNT {{ {pattern} }}" for pattern in patterns)
    return statement(f"RETURN [{counted}] AS counts")
