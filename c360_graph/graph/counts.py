"""Counts of a graph from its count store, held against what a script should have made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from c360_graph.cypher.counting import MOST_COUNTED, count_labels, count_types
from c360_graph.cypher.script_writer import ScriptHeader
from c360_graph.errors import CountMismatchError
from c360_graph.graph.connection import Graph
from c360_graph.mapping.names import OWN_PREFIX

Ask = Callable[[str | bytes], list[dict[str, Any]]]
"""Sends a statement that only reads, and gives its records."""


def graph_counts(graph: Graph) -> tuple[dict[str, int], dict[str, int]]:
    """Nodes by label and relationships by type, as the count store has them; none that is zero.

    The loader's own nodes are not counted.
    """
    return count_graph(graph.rows)


def count_graph(
    ask: Ask,
) -> tuple[dict[str, int], dict[str, int]]:
    """As `graph_counts`, by whatever way the caller asks."""
    labels = ask("CALL db.labels() YIELD label AS name RETURN name ORDER BY name")
    types = ask(
        "CALL db.relationshipTypes() YIELD relationshipType AS name RETURN name ORDER BY name"
    )
    names = [row["name"] for row in labels if not row["name"].startswith(OWN_PREFIX)]
    nodes = count_by_name(ask, names, count_labels)
    relationships = count_by_name(ask, [row["name"] for row in types], count_types)
    return (
        {label: count for label, count in nodes.items() if count},
        {kind: count for kind, count in relationships.items() if count},
    )


def count_by_name(
    ask: Ask,
    names: Sequence[str],
    statement: Callable[[Sequence[str]], bytes],
) -> dict[str, int]:
    """How many there are by name, asked for many names at a time."""
    found: dict[str, int] = {}
    for start in range(0, len(names), MOST_COUNTED):
        some = names[start : start + MOST_COUNTED]
        found |= zip(some, ask(statement(some))[0]["counts"], strict=True)
    return found


def check_counts(nodes: dict[str, int], header: ScriptHeader) -> None:
    """Hold the nodes of a graph against the rows of the script that it was loaded from.

    Raises:
        CountMismatchError: a label has other counts.
    """
    wrong = [
        f"{label}: {nodes.get(label, 0):,} nodes for {rows:,} rows"
        for label, rows in header.labels.items()
        if nodes.get(label, 0) != rows
    ]
    if wrong:
        raise CountMismatchError(
            f"The graph does not hold what was extracted: {'; '.join(wrong)}. Did something else write"
            " to it? Load again with clear_database."
        )
