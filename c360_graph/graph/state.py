"""Reads what a graph holds, for a plan: counts and bounded samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from c360_graph.cypher import counts_and_deletes
from c360_graph.cypher import holding as text
from c360_graph.graph.connection import Graph
from c360_graph.graph.counts import graph_counts
from c360_graph.graph.execution import Execution
from c360_graph.graph.manifest import count_between, read_state
from c360_graph.graph.schema_sync import read_graph_schema
from c360_graph.mapping.graph_manifest import GraphManifest, RelationshipPattern, pattern_name
from c360_graph.plan.inputs import CountsNeeded, GraphState


def read_holding(graph: Graph, desired: GraphManifest) -> GraphState:
    """The graph as it is, but for what `with_counts` counts.

    Raises:
        GraphError: the server cannot be reached or refuses.
    """
    execution = Execution(graph)
    state = read_state(execution)
    listed = state.manifest if state else GraphManifest()
    nodes, relationships = graph_counts(graph)
    ours = {*listed.labels, *desired.labels} & nodes.keys()
    between = read_relationship_counts(
        dict.fromkeys((*listed.edges, *desired.edges)),
        listed=listed,
        of_types=relationships,
        between=partial(count_between, execution),
    )
    return GraphState(
        manifest=state.manifest if state else None,
        is_whole=state.is_whole if state else True,
        all_nodes=_count(graph, counts_and_deletes.count_nodes_but_own()),
        nodes=nodes,
        relationships=relationships,
        edges={pattern_name(pattern): count for pattern, count in between.items()},
        types={label: _types(graph, label) for label in sorted(ours)},
        schema=read_graph_schema(execution),
    )


def read_relationship_counts(
    patterns: Iterable[RelationshipPattern],
    *,
    listed: GraphManifest,
    of_types: Mapping[str, int],
    between: Callable[[Sequence[RelationshipPattern]], Mapping[RelationshipPattern, int]],
) -> dict[RelationshipPattern, int]:
    """Relationships of each type between two labels; ``between`` counts those that must be counted.

    The number of all relationships of a type is enough where there are as many as the last load left,
    since that load counted those between these labels.
    """
    found: dict[RelationshipPattern, int | None] = {}
    for pattern in patterns:
        of_type = of_types.get(pattern[0], 0)
        found[pattern] = None if of_type else 0
        if of_type and listed.makes(pattern) and listed.relationships.get(pattern[0]) == of_type:
            left = listed.between.get(pattern_name(pattern))
            found[pattern] = of_type if left is None and listed.makes_alone(pattern) else left
    counted = between([pattern for pattern, count in found.items() if count is None])
    return {
        pattern: counted[pattern] if count is None else count for pattern, count in found.items()
    }


def with_counts(graph: Graph, holding: GraphState, questions: CountsNeeded) -> GraphState:
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


def _count(graph: Graph, statement: str) -> int:
    return int(graph.rows(statement)[0]["count"])


def _types(graph: Graph, label: str) -> dict[str, tuple[str, ...]]:
    return {
        row["name"]: tuple(sorted({_bare(kind) for kind in row["types"]}))
        for row in graph.rows(text.sample_property_types(label))
    }


def _bare(kind: str) -> str:
    """A type's name as property_types has it: a value is never null, and so says."""
    return kind.replace(" NOT NULL", "")
