"""What a plan says is lost for good, in words."""

from __future__ import annotations

from collections.abc import Iterator

from c360_graph.plan.inputs import GraphState
from c360_graph.plan.model import Plan, PlannedLabel, PlannedProperty, PlannedRelationships


def destroyed(plan: Plan, holding: GraphState | None) -> Iterator[str]:
    """One line for each loss."""
    changes = {label.label: label.change for label in plan.labels}
    for label in plan.labels:
        if label.destroys:
            yield _label(label)
    labelled = sum(_counted_once(holding)) if holding else 0
    if plan.way == "clear" and plan.graph.nodes > labelled:
        yield f"{plan.graph.nodes - labelled:,} nodes without a label"
    for prop in plan.properties:
        if prop.destroys:
            anew = plan.way == "reconcile" and changes.get(prop.label) == "made anew"
            yield f"{prop.label}.{prop.name} of {prop.nodes or 0:,} nodes ({_property(prop, anew)})"
    for edges in plan.relationships:
        if edges.destroys:
            yield _relationships(edges, changes.get(edges.at_label or ""))


def _counted_once(holding: GraphState) -> Iterator[int]:
    """Nodes by label, without the labels that nodes have beside another."""
    extra = holding.listed.extra_labels
    return (count for label, count in holding.nodes.items() if label not in extra)


def _label(label: PlannedLabel) -> str:
    if label.surplus:
        return f"{label.surplus:,} nodes of {label.label} ({_SURPLUS})"
    return f"{label.nodes or 0:,} nodes of {label.label} ({_WHY[label.change]})"


def _property(prop: PlannedProperty, anew: bool) -> str:
    if prop.change == "taken over":
        return "others wrote it; a column of this name overwrites it"
    if prop.change == "foreign":
        return "others wrote it; the nodes are rebuilt" if anew else "others wrote it"
    return "it is no longer read"


def _relationships(edges: PlannedRelationships, at_change: str | None) -> str:
    count, kind = edges.relationships or 0, edges.type
    if edges.at_label:
        why = _AT_NODES[at_change or "removed"]
        return f"{count:,} relationships {kind} at nodes of {edges.at_label} ({why})"
    ends = f" from {edges.from_label} to {edges.to_label}" if edges.from_label else ""
    if edges.surplus:
        return f"{edges.surplus:,} relationships {kind}{ends} ({_SURPLUS})"
    why = _WHY[edges.change if edges.change in ("foreign", "taken over") else "unmapped"]
    return f"{count:,} relationships {kind}{ends} ({why})"


_SURPLUS = "added since the last load; those that no row produces are removed"
_WHY = {
    "removed": "no active, valid control row maps it",
    "unmapped": "no active, valid control row produces them",
    "taken over": "this project did not load them; those that no row produces are removed",
    "foreign": "this project did not load them",
}
_AT_NODES = {
    "made anew": "the nodes are rebuilt",
    "taken over": "those at nodes that no row produces are removed",
    "removed": "the nodes are removed",
}
