"""Values in the graph that the exclusion rules of today forbid."""

from __future__ import annotations

from collections.abc import Iterator

from c360_graph.mapping.control_rows import Treatment
from c360_graph.mapping.model import ExcludedColumn
from c360_graph.plan.inputs import GraphState, Intention
from c360_graph.plan.model import PlannedPurge


def excluded_to_count(intention: Intention) -> set[tuple[str, str]]:
    """Label and name of every property that a rule excludes."""
    return {(label, column.column) for label, column in _excluded(intention)}


def treated_to_count(intention: Intention) -> set[tuple[str, str, Treatment]]:
    """Label, name and treatment of every property that a rule masks or hashes."""
    return set(_treated(intention))


def planned_purges(intention: Intention, holding: GraphState) -> Iterator[PlannedPurge]:
    """What goes, what is replaced by its hash or mask, and what others wrote and therefore stays."""
    for label, column in _excluded(intention):
        nodes = holding.holders.get((label, column.column), 0)
        if nodes:
            listed = column.column in holding.listed.labels.get(label, ())
            yield PlannedPurge(
                label=label,
                property=column.column,
                treatment="exclude",
                nodes=nodes,
                outcome="removed" if listed or intention.way == "clear" else "stays",
                rule_id=column.rule_id,
                reason=column.reason,
            )
    for label, name, treatment in _treated(intention):
        nodes = holding.untreated.get((label, name), 0)
        if nodes:
            yield PlannedPurge(
                label=label, property=name, treatment=treatment, nodes=nodes, outcome="replaced"
            )


def _excluded(intention: Intention) -> Iterator[tuple[str, ExcludedColumn]]:
    told: set[tuple[str, str]] = set()
    for table in intention.mapping.tables:
        for column in table.excluded if table.node_label else ():
            label = table.node_label or ""
            # A label that two tables feed may have the property from the other one.
            if (label, column.column) in told or _is_read(intention, label, column.column):
                continue
            told.add((label, column.column))
            yield label, column


def _is_read(intention: Intention, label: str, name: str) -> bool:
    return any(table.property_of(name) for table in intention.tables_of(label))


def _treated(intention: Intention) -> Iterator[tuple[str, str, Treatment]]:
    for label, names in intention.desired.labels.items():
        for name in names:
            treatments = {
                prop.treatment
                for table in intention.tables_of(label)
                if (prop := table.property_of(name)) is not None
            }
            treatment = treatments.pop() if len(treatments) == 1 else None
            if treatment is not None:
                yield label, name, treatment
