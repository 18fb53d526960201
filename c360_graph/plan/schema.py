"""Which constraints and indexes of ours are made and dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from c360_graph.cypher import schema
from c360_graph.cypher.schema import LabelProperties
from c360_graph.plan.holding import GraphHolding
from c360_graph.plan.intention import Intention
from c360_graph.plan.model import PlannedSchema

_Kind = Literal["constraint", "index"]


def planned_schema(intention: Intention, holding: GraphHolding) -> Iterator[PlannedSchema]:
    """Constraints, then indexes; of each what is made, then what is dropped."""
    mapping = intention.mapping
    undecided = {label for edges in intention.undecided for label in edges[1:]}
    open_labels = intention.unknown_labels | undecided
    keys = schema.keys(mapping.tables)
    wanted = {schema.constraint_name(key): key for key in keys}
    yield from _changes("constraint", wanted, holding.constraints, open_labels)
    indexes = schema.indexes(mapping.tables, mapping.relationships)
    wanted = {schema.index_name(index): index for index in indexes}
    yield from _changes("index", wanted, holding.indexes, open_labels)


def obstacles(intention: Intention, holding: GraphHolding) -> tuple[str, ...]:
    """Why a load would be refused before it changes anything."""
    blocking = schema.blocking_indexes(
        holding.indexes_of_others, schema.keys(intention.mapping.tables)
    )
    return tuple(schema.blocked_constraint(*found) for found in blocking.items())


def _changes(
    kind: _Kind,
    wanted: Mapping[str, LabelProperties],
    there: Mapping[str, LabelProperties],
    open_labels: Iterable[str],
) -> Iterator[PlannedSchema]:
    for name, what in wanted.items():
        if name not in there:
            yield _planned(kind, "create", name, what)
    for name, what in there.items():
        # What is not known of a source may still need it.
        if name not in wanted and what.label not in open_labels:
            yield _planned(kind, "drop", name, what)


def _planned(
    kind: _Kind, change: Literal["create", "drop"], name: str, what: LabelProperties
) -> PlannedSchema:
    return PlannedSchema(
        kind=kind, change=change, name=name, label=what.label, properties=what.properties
    )
