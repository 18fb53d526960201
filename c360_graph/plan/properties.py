"""Which properties come, change their type and go."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from c360_graph.mapping.join_columns import is_normalised
from c360_graph.mapping.model import is_kept_name
from c360_graph.plan.decisions import LoadDecision, properties_to_count, purged_properties
from c360_graph.plan.inputs import GraphState, Intention
from c360_graph.plan.model import PlannedProperty


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
