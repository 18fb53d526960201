"""Which labels come, stay and go."""

from __future__ import annotations

from collections.abc import Iterator

from c360_graph.plan.decisions import LoadDecision
from c360_graph.plan.inputs import GraphState, Intention
from c360_graph.plan.model import PlannedLabel


def planned_labels(
    intention: Intention, holding: GraphState | None, decision: LoadDecision | None
) -> tuple[PlannedLabel, ...]:
    """The mapping's labels in its order, then those that go, then those of others."""
    if holding is None or decision is None:
        keys = intention.desired.keys
        return tuple(
            PlannedLabel(label=label, change="unknown", key=keys.get(label, ()))
            for label in intention.desired.labels
        )
    return (
        *_decided(intention, holding, decision),
        *_foreign(intention, holding, decision),
    )


def _decided(
    intention: Intention, holding: GraphState, decision: LoadDecision
) -> Iterator[PlannedLabel]:
    desired = intention.desired
    for label, change in decision.labels.items():
        nodes = holding.nodes.get(label, 0)
        surplus = 0 if change == "kept" else decision.surplus_nodes.get(label, 0)
        if change == "foreign" or (label not in desired.labels and not nodes):
            continue
        yield PlannedLabel(
            label=label,
            change=change,
            nodes=nodes,
            key=desired.keys.get(label, ()),
            former_key=holding.listed.keys.get(label, ()),
            surplus=surplus,
            destroys=change in ("taken over", "removed") or bool(surplus),
        )


def _foreign(
    intention: Intention, holding: GraphState, decision: LoadDecision
) -> Iterator[PlannedLabel]:
    for label, nodes in holding.nodes.items():
        is_extra = label in holding.listed.extra_labels
        if decision.labels.get(label, "foreign") == "foreign" and not is_extra:
            yield PlannedLabel(
                label=label, change="foreign", nodes=nodes, destroys=intention.way == "clear"
            )
