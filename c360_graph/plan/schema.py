"""Which constraints and indexes of ours are made and dropped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

from c360_graph.cypher import schema
from c360_graph.cypher.graph_schema import duplicates_of_key
from c360_graph.cypher.schema import LabelProperties
from c360_graph.plan.decisions import label_conflicts
from c360_graph.plan.inputs import GraphState, Intention
from c360_graph.plan.model import PlannedSchema

_Kind = Literal["constraint", "index"]


def planned_schema(intention: Intention, holding: GraphState) -> Iterator[PlannedSchema]:
    """Constraints, then indexes; of each what is made, then what is dropped."""
    mapping = intention.mapping
    undecided = {label for edges in intention.undecided for label in edges[1:]}
    open_labels = intention.unknown_labels | undecided
    keys = schema.keys(mapping.tables)
    wanted = {schema.constraint_name(key): key for key in keys}
    by_others = list(holding.schema.constraints_of_others.values())
    yield from _changes("constraint", wanted, holding.schema.constraints, open_labels, by_others)
    indexes = schema.indexes(mapping.tables, mapping.relationships)
    wanted = {schema.index_name(index): index for index in indexes}
    by_others = [index for index in indexes if holding.schema.has_index_of_others(index)]
    yield from _changes("index", wanted, holding.schema.indexes, open_labels, by_others)


def obstacles(intention: Intention, holding: GraphState) -> tuple[str, ...]:
    """Why a load would be refused before it changes anything."""
    mapping = intention.mapping
    keys = schema.keys(mapping.tables)
    indexes = schema.indexes(mapping.tables, mapping.relationships)
    copies = holding.duplicates.items()
    return (
        *(
            label_conflicts(intention.desired, holding.listed)
            if intention.way == "reconcile"
            else ()
        ),
        *holding.schema.obstacles(keys, indexes),
        *(duplicates_of_key(key, count) for key, count in copies if count),
    )


def cautions(intention: Intention, holding: GraphState) -> tuple[str, ...]:
    """What may break a load off, though only the rows can tell."""
    keys = schema.keys(intention.mapping.tables)
    return tuple(holding.schema.cautions(keys, intention.desired.labels))


def _changes(
    kind: _Kind,
    wanted: Mapping[str, LabelProperties],
    existing: Mapping[str, LabelProperties],
    open_labels: Iterable[str],
    by_others: Collection[LabelProperties],
) -> Iterator[PlannedSchema]:
    for name, what in wanted.items():
        # Neo4j makes none of ours where others have the same.
        if name not in existing and what not in by_others:
            yield _planned(kind, "create", name, what)
    for name, what in existing.items():
        # What is not known of a source may still need it.
        if name not in wanted and what.label not in open_labels:
            yield _planned(kind, "drop", name, what)


def _planned(
    kind: _Kind, change: Literal["create", "drop"], name: str, what: LabelProperties
) -> PlannedSchema:
    return PlannedSchema(
        kind=kind, change=change, name=name, label=what.label, properties=what.properties
    )
