"""Which relationships and properties come, change and go, and which constraints and indexes with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

from c360_graph.cypher import schema
from c360_graph.cypher.schema import LabelProperties, duplicates_of_key
from c360_graph.mapping.graph_manifest import pattern_name, pattern_named, pattern_of
from c360_graph.mapping.join_forms import is_normalised, shown_column
from c360_graph.mapping.model import RelationshipMapping, is_kept_name
from c360_graph.plan.decisions import (
    LoadDecision,
    label_conflicts,
    properties_to_count,
    purged_properties,
)
from c360_graph.plan.inputs import GraphState, Intention
from c360_graph.plan.model import (
    PartnerSample,
    PlannedProperty,
    PlannedRelationships,
    PlannedSchema,
)

Samples = Mapping[int, PartnerSample]
"""By relationship_id."""


def properties_to_ask(
    intention: Intention, holding: GraphState, anew: Collection[str]
) -> set[tuple[str, str]]:
    """Label and name of the properties whose removal a plan may have to tell of.

    Those of others on labels that are made `anew` are counted otherwise.
    """
    removed = {
        (label, name)
        for label in _labels(intention, holding)
        for name in _removed(intention, holding, label)
    }
    foreign = {
        (label, name)
        for label in _labels(intention, holding)
        for name in _seen_of_others(intention, holding, label)
        if label not in anew
    }
    return removed | foreign | set(properties_to_count(intention.desired, holding.listed))


def labels_made_anew(
    intention: Intention, holding: GraphState, decision: LoadDecision
) -> Iterator[str]:
    """Labels whose nodes are all made anew, so that whatever others wrote on them is lost."""
    for label in _labels(intention, holding):
        if intention.way == "clear" or decision.labels[label] == "made anew":
            yield label


def planned_properties(
    intention: Intention, holding: GraphState, decision: LoadDecision
) -> Iterator[PlannedProperty]:
    """Each property that is another afterwards. A label that is new has none: all of it is."""
    for label in _labels(intention, holding):
        yield from _taken_over(intention, holding, decision, label)
        yield from _new(intention, holding, label)
        yield from _changed(intention, holding, decision, label)
        for name in _removed(intention, holding, label):
            nodes = holding.holders.get((label, name), 0)
            if nodes:
                yield PlannedProperty(
                    label=label,
                    name=name,
                    change="removed",
                    former_types=_seen(holding, label, name),
                    nodes=nodes,
                    destroys=True,
                )
        anew = decision.labels[label] == "made anew"
        for name, nodes in _of_others(intention, holding, label):
            yield PlannedProperty(
                label=label,
                name=name,
                change="foreign",
                former_types=_seen(holding, label, name),
                nodes=nodes,
                destroys=anew or intention.way == "clear",
            )


def _taken_over(
    intention: Intention, holding: GraphState, decision: LoadDecision, label: str
) -> Iterator[PlannedProperty]:
    for (of_label, name), nodes in decision.taken_properties.items():
        if of_label == label:
            yield PlannedProperty(
                label=label,
                name=name,
                change="taken over",
                types=intention.types_of(label, name),
                former_types=_seen(holding, label, name),
                nodes=nodes,
                destroys=True,
            )


def _labels(intention: Intention, holding: GraphState) -> Iterator[str]:
    """The labels that are there and stay."""
    for label in intention.desired.labels:
        if holding.nodes.get(label) and label not in intention.unknown_labels:
            yield label


def _new(intention: Intention, holding: GraphState, label: str) -> Iterator[PlannedProperty]:
    known = {*holding.listed.labels.get(label, ()), *holding.types.get(label, {})}
    for name in intention.desired.labels[label]:
        if name in known or holding.holders.get((label, name)):
            continue
        if is_normalised(name) or not is_kept_name(name):
            types = intention.types_of(label, name)
            yield PlannedProperty(label=label, name=name, change="new", types=types)


def _changed(
    intention: Intention, holding: GraphState, decision: LoadDecision, label: str
) -> Iterator[PlannedProperty]:
    for name in intention.desired.labels[label]:
        if (label, name) in decision.taken_properties:
            continue
        former, types = _seen(holding, label, name), intention.types_of(label, name)
        if types and not set(former) <= _allowed(types):
            yield PlannedProperty(
                label=label, name=name, change="changed", types=types, former_types=former
            )


def _allowed(types: tuple[str, ...]) -> set[str]:
    """What values of these types show as: an array of several dimensions is JSON in a STRING."""
    lists = any(name.startswith("LIST") for name in types)
    # An empty list does not say of what.
    return {*types, *(("STRING", "LIST<NOTHING>") if lists else ())}


def _removed(intention: Intention, holding: GraphState, label: str) -> list[str]:
    return purged_properties(label, desired=intention.desired, listed=holding.listed)


def _of_others(intention: Intention, holding: GraphState, label: str) -> Iterator[tuple[str, int]]:
    """Properties that neither were nor will be ours, and how many nodes have them."""
    if label not in holding.of_others:
        for name in _seen_of_others(intention, holding, label):
            yield name, holding.holders.get((label, name), 0)
    for name, nodes in holding.of_others.get(label, {}).items():
        if not _is_ours(intention, holding, label, name):
            yield name, nodes


def _seen_of_others(intention: Intention, holding: GraphState, label: str) -> list[str]:
    """Those that a sample of nodes has."""
    names = holding.types.get(label, {})
    return [name for name in names if not _is_ours(intention, holding, label, name)]


def _is_ours(intention: Intention, holding: GraphState, label: str, name: str) -> bool:
    return name in intention.desired.labels[label] or name in holding.listed.labels.get(label, ())


def _seen(holding: GraphState, label: str, name: str) -> tuple[str, ...]:
    return holding.types.get(label, {}).get(name, ())


_Kind = Literal["constraint", "index"]


def planned_schema(intention: Intention, holding: GraphState) -> Iterator[PlannedSchema]:
    """Constraints, then indexes; of each what is made, then what is dropped."""
    mapping = intention.mapping
    undecided = {label for edges in intention.undecided for label in edges[1:]}
    open_labels = intention.unknown_labels | undecided
    keys = schema.keys(mapping.node_tables)
    wanted = {schema.constraint_name(key): key for key in keys}
    by_others = list(holding.schema.constraints_of_others.values())
    yield from _changes("constraint", wanted, holding.schema.constraints, open_labels, by_others)
    indexes = schema.indexes(mapping.node_tables, mapping.relationships)
    wanted = {schema.index_name(index): index for index in indexes}
    by_others = [index for index in indexes if holding.schema.has_index_of_others(index)]
    yield from _changes("index", wanted, holding.schema.indexes, open_labels, by_others)


def obstacles(intention: Intention, holding: GraphState) -> tuple[str, ...]:
    """Why a load would be refused before it changes anything."""
    mapping = intention.mapping
    keys = schema.keys(mapping.node_tables)
    indexes = schema.indexes(mapping.node_tables, mapping.relationships)
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
    keys = schema.keys(intention.mapping.node_tables)
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


def planned_relationships(
    intention: Intention,
    holding: GraphState | None,
    decision: LoadDecision | None,
    samples: Samples,
) -> Iterator[PlannedRelationships]:
    """The mapping's relationships in its order, then those that go, then those of others."""
    for mapping in intention.mapping.relationships:
        yield _mapped(decision, holding, mapping, samples.get(mapping.relationship_id))
    if holding is not None and decision is not None:
        yield from _unmapped(intention, holding, decision)
        yield from _foreign(intention, holding)
        yield from _lost(holding)


def _mapped(
    decision: LoadDecision | None,
    holding: GraphState | None,
    mapping: RelationshipMapping,
    sample: PartnerSample | None,
) -> PlannedRelationships:
    edges = pattern_of(mapping)
    change = decision.relationships[edges] if decision else "unknown"
    surplus = decision.surplus_relationships.get(edges, 0) if decision else 0
    return PlannedRelationships(
        type=mapping.relationship_type,
        from_label=mapping.from_label,
        to_label=mapping.to_label,
        change=change,
        relationship_id=mapping.relationship_id if mapping.relationship_id >= 0 else None,
        compared=tuple(_compared(mapping)),
        properties=mapping.copied,
        relationships=holding.edges.get(pattern_name(edges), 0) if holding else None,
        sample=sample,
        surplus=surplus,
        destroys=change == "taken over" or bool(surplus),
    )


def _compared(mapping: RelationshipMapping) -> Iterator[str]:
    """The equalities in which a function stands, as the join condition has them."""
    ends = (mapping.start, mapping.end) if mapping.junction else (mapping.start,)
    for end in ends:
        for left, right in end.pairs:
            if is_normalised(left) or is_normalised(right):
                yield f"{shown_column(left)} = {shown_column(right)}"


def _unmapped(
    intention: Intention, holding: GraphState, decision: LoadDecision
) -> Iterator[PlannedRelationships]:
    for edges, change in decision.relationships.items():
        existing = holding.edges.get(pattern_name(edges), 0)
        if intention.desired.makes(edges) or not existing:
            continue
        kind, from_label, to_label = edges
        yield PlannedRelationships(
            type=kind,
            from_label=from_label,
            to_label=to_label,
            change=change,
            relationships=existing,
            destroys=change == "removed",
        )


def _foreign(intention: Intention, holding: GraphState) -> Iterator[PlannedRelationships]:
    """Of types that are not ours, and of those that are the ones between other labels."""
    ours: dict[str, int] = {}
    for name, count in holding.edges.items():
        kind = pattern_named(name)[0]
        ours[kind] = ours.get(kind, 0) + count
    for kind, all_of_type in holding.relationships.items():
        existing = all_of_type - ours.get(kind, 0)
        if existing > 0:
            yield PlannedRelationships(
                type=kind,
                from_label=None,
                to_label=None,
                change="foreign",
                relationships=existing,
                destroys=intention.way == "clear",
            )


def _lost(holding: GraphState) -> Iterator[PlannedRelationships]:
    """Those of others that go with the nodes they are at."""
    for label, kinds in holding.lost.items():
        for kind, existing in kinds.items():
            yield PlannedRelationships(
                type=kind,
                from_label=None,
                to_label=None,
                change="removed",
                relationships=existing,
                at_label=label,
                destroys=True,
            )
