"""Which relationships come, stay and go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from c360_graph.mapping.graph_manifest import pattern_name, pattern_named, pattern_of
from c360_graph.mapping.join_forms import is_normalised, shown_column
from c360_graph.mapping.model import RelationshipMapping
from c360_graph.plan.decisions import LoadDecision
from c360_graph.plan.inputs import GraphState, Intention
from c360_graph.plan.model import PartnerSample, PlannedRelationships

Samples = Mapping[int, PartnerSample]
"""By relationship_id."""


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
