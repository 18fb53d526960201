"""Which properties come, change their type and go."""

from __future__ import annotations

from collections.abc import Iterator

from c360_graph.mapping.model import is_kept_name
from c360_graph.plan.decisions import purged_properties
from c360_graph.plan.holding import GraphHolding
from c360_graph.plan.intention import Intention
from c360_graph.plan.model import PlannedProperty


def properties_to_count(intention: Intention, holding: GraphHolding) -> set[tuple[str, str]]:
    """Label and name of the properties whose removal a plan may have to tell of."""
    return {
        (label, name)
        for label in _labels(intention, holding)
        for name in (*_removed(intention, holding, label), *_foreign(intention, holding, label))
    }


def planned_properties(intention: Intention, holding: GraphHolding) -> Iterator[PlannedProperty]:
    """Each property that is another afterwards. A label that is new has none: all of it is."""
    for label in _labels(intention, holding):
        yield from _new(intention, holding, label)
        yield from _changed(intention, holding, label)
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
        for name in _foreign(intention, holding, label):
            yield PlannedProperty(
                label=label,
                name=name,
                change="foreign",
                former_types=_seen(holding, label, name),
                nodes=holding.holders.get((label, name), 0),
                destroys=intention.way == "clear",
            )


def _labels(intention: Intention, holding: GraphHolding) -> Iterator[str]:
    """The labels that are there and stay."""
    for label in intention.desired.labels:
        if holding.nodes.get(label) and label not in intention.unknown_labels:
            yield label


def _new(intention: Intention, holding: GraphHolding, label: str) -> Iterator[PlannedProperty]:
    known = {*holding.listed.labels.get(label, ()), *holding.types.get(label, {})}
    for name in intention.desired.labels[label]:
        if name not in known and not is_kept_name(name):
            types = intention.types_of(label, name)
            yield PlannedProperty(label=label, name=name, change="new", types=types)


def _changed(intention: Intention, holding: GraphHolding, label: str) -> Iterator[PlannedProperty]:
    for name in intention.desired.labels[label]:
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


def _removed(intention: Intention, holding: GraphHolding, label: str) -> list[str]:
    return purged_properties(label, desired=intention.desired, listed=holding.listed)


def _foreign(intention: Intention, holding: GraphHolding, label: str) -> list[str]:
    ours = {*holding.listed.labels.get(label, ()), *intention.desired.labels[label]}
    return [name for name in holding.types.get(label, {}) if name not in ours]


def _seen(holding: GraphHolding, label: str, name: str) -> tuple[str, ...]:
    return holding.types.get(label, {}).get(name, ())
