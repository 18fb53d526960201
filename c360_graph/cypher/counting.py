"""Counts of many labels or types by one statement: planning one costs the server more than counting does."""

from __future__ import annotations

from collections.abc import Iterable

from c360_graph.cypher.quoting import identifier
from c360_graph.cypher.rows import PIN

MOST_COUNTED = 50
"""Labels or types of one statement; the server plans longer ones no faster."""


def count_labels(labels: Iterable[str]) -> bytes:
    """How many nodes each label has, from the count store, as the list `counts`."""
    return _counts(f"(:{identifier(label)})" for label in labels)


def count_types(types: Iterable[str]) -> bytes:
    """How many relationships of each type there are, from the count store, as the list `counts`."""
    return _counts(f"()-[:{identifier(kind)}]->()" for kind in types)


def _counts(patterns: Iterable[str]) -> bytes:
    counted = ", ".join(f"COUNT {{ {pattern} }}" for pattern in patterns)
    return PIN + f"RETURN [{counted}] AS counts".encode()
