"""Which labels come, stay and go."""

from __future__ import annotations

from collections.abc import Iterator

from c360_graph.plan.holding import GraphHolding
from c360_graph.plan.intention import Intention
from c360_graph.plan.model import LabelChange, PlannedLabel


def planned_labels(intention: Intention, holding: GraphHolding | None) -> tuple[PlannedLabel, ...]:
    """The mapping's labels in its order, then those that go, then those of others."""
    if holding is None:
        keys = intention.desired.keys
        return tuple(
            PlannedLabel(label=label, change="unknown", key=keys.get(label, ()))
            for label in intention.desired.labels
        )
    return (
        *(_mapped(intention, holding, label) for label in intention.desired.labels),
        *_unmapped(intention, holding),
        *_foreign(intention, holding),
    )


def _mapped(intention: Intention, holding: GraphHolding, label: str) -> PlannedLabel:
    change = _change(intention, holding, label)
    return PlannedLabel(
        label=label,
        change=change,
        nodes=holding.nodes.get(label, 0),
        key=intention.desired.keys.get(label, ()),
        former_key=holding.listed.keys.get(label, ()),
        destroys=change == "taken over",
    )


def _change(intention: Intention, holding: GraphHolding, label: str) -> LabelChange:
    if label in intention.unknown_labels:
        return "unknown"
    if label not in holding.listed.labels:
        return "taken over" if holding.nodes.get(label) else "new"
    # A label that was only kept has no properties in the manifest, and no key.
    if not holding.listed.labels[label] or not holding.nodes.get(label):
        return "unchanged"
    same = holding.listed.keys.get(label) == intention.desired.keys.get(label)
    return "unchanged" if same else "made anew"


def _unmapped(intention: Intention, holding: GraphHolding) -> Iterator[PlannedLabel]:
    for label in holding.listed.labels:
        nodes = holding.nodes.get(label, 0)
        if label in intention.desired.labels or not nodes:
            continue
        kept = intention.keeps_label(label)
        yield PlannedLabel(
            label=label,
            change="kept" if kept else "removed",
            nodes=nodes,
            former_key=holding.listed.keys.get(label, ()),
            destroys=not kept,
        )


def _foreign(intention: Intention, holding: GraphHolding) -> Iterator[PlannedLabel]:
    ours = {*intention.desired.labels, *holding.listed.labels}
    for label, nodes in holding.nodes.items():
        if label not in ours:
            yield PlannedLabel(
                label=label, change="foreign", nodes=nodes, destroys=intention.way == "clear"
            )
