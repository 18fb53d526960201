"""Reads what a graph holds, for a plan: counts and bounded samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from c360_graph.cypher import counts_and_deletes
from c360_graph.cypher import holding as text
from c360_graph.cypher.counting import MOST_COUNTED, count_labels, count_types
from c360_graph.cypher.script_writer import ScriptHeader
from c360_graph.errors import CountMismatchError
from c360_graph.graph.connection import Graph
from c360_graph.graph.execution import Execution
from c360_graph.graph.manifest import count_between, read_state
from c360_graph.graph.schema_sync import read_schema
from c360_graph.mapping.graph_manifest import GraphManifest, RelationshipPattern, edges_name
from c360_graph.mapping.names import OWN_PREFIX
from c360_graph.plan.inputs import CountsNeeded, GraphState


def graph_counts(graph: Graph) -> tuple[dict[str, int], dict[str, int]]:
    """Nodes by label and relationships by type, as the count store has them; none that is zero.

    The loader's own nodes are not counted.
    """
    return count_graph(graph.rows)


def count_graph(
    ask: Callable[[str | bytes], list[dict[str, Any]]],
) -> tuple[dict[str, int], dict[str, int]]:
    """As `graph_counts`, by whatever way the caller asks."""
    labels = ask("CALL db.labels() YIELD label AS name RETURN name ORDER BY name")
    types = ask(
        "CALL db.relationshipTypes() YIELD relationshipType AS name RETURN name ORDER BY name"
    )
    names = [row["name"] for row in labels if not row["name"].startswith(OWN_PREFIX)]
    nodes = _counted(ask, names, count_labels)
    relationships = _counted(ask, [row["name"] for row in types], count_types)
    return (
        {label: count for label, count in nodes.items() if count},
        {kind: count for kind, count in relationships.items() if count},
    )


def _counted(
    ask: Callable[[str | bytes], list[dict[str, Any]]],
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


def read_holding(graph: Graph, desired: GraphManifest) -> GraphState:
    """The graph as it is, but for what `answer` counts.

    Raises:
        GraphError: the server cannot be reached or refuses.
    """
    execution = Execution(graph)
    state = read_state(execution)
    listed = state.manifest if state else GraphManifest()
    nodes, relationships = graph_counts(graph)
    ours = {*listed.labels, *desired.labels} & nodes.keys()
    edges = dict.fromkeys((*listed.edges, *desired.edges))
    return GraphState(
        manifest=state.manifest if state else None,
        is_whole=state.is_whole if state else True,
        all_nodes=_count(graph, counts_and_deletes.count_nodes_but_own()),
        nodes=nodes,
        relationships=relationships,
        edges={
            edges_name(edge): count_relationships(
                edge,
                listed=listed,
                of_type=relationships.get(edge[0], 0),
                between=lambda edge: count_between(execution, edge),
            )
            for edge in edges
        },
        types={label: _types(graph, label) for label in sorted(ours)},
        schema=read_schema(execution),
    )


def count_relationships(
    edge: RelationshipPattern,
    *,
    listed: GraphManifest,
    of_type: int,
    between: Callable[[RelationshipPattern], int],
) -> int:
    """Relationships of a type between two labels.

    The count store answers for a type alone, which is enough where there are as many of the type as the
    last load left: it counted those between these labels.
    """
    if not of_type:
        return 0
    if listed.makes(edge) and listed.relationships.get(edge[0]) == of_type:
        left = listed.between.get(edges_name(edge))
        if left is not None:
            return left
        if listed.makes_alone(edge):
            return of_type
    return between(edge)


def answer(graph: Graph, holding: GraphState, questions: CountsNeeded) -> GraphState:
    """The same with the counts that were asked for: each a pass over one label.

    Raises:
        GraphError: the server cannot be reached or refuses.
    """
    return replace(
        holding,
        holders={
            (label, name): _count(graph, text.count_holders(label, name))
            for label, name in questions.holders
        },
        untreated={
            (label, name): _count(graph, text.count_untreated(label, name, treatment))
            for label, name, treatment in questions.untreated
        },
        of_others={
            label: _of_others(graph, label, holding.listed) for label in questions.all_properties
        },
        duplicates={
            key: _count(graph, text.count_duplicates(key.label, key.properties))
            for key in questions.keys
        },
        lost={label: _lost(graph, label, questions.edges) for label in questions.losing},
    )


def _of_others(graph: Graph, label: str, listed: GraphManifest) -> dict[str, int]:
    rows = graph.rows(text.count_properties_but(label), names=list(listed.labels.get(label, ())))
    return {row["name"]: int(row["count"]) for row in rows}


def _lost(graph: Graph, label: str, edges: Iterable[RelationshipPattern]) -> dict[str, int]:
    asked = [list(edge) for edge in edges]
    rows = graph.rows(text.count_relationships_but(label), edges=asked)
    return {row["type"]: int(row["count"]) for row in rows}


def _count(graph: Graph, statement: bytes) -> int:
    return int(graph.rows(statement)[0]["count"])


def _types(graph: Graph, label: str) -> dict[str, tuple[str, ...]]:
    return {
        row["name"]: tuple(sorted({_bare(kind) for kind in row["types"]}))
        for row in graph.rows(text.sample_property_types(label))
    }


def _bare(kind: str) -> str:
    """A type's name as property_types has it: a value is never null, and so says."""
    return kind.replace(" NOT NULL", "")
