"""The whole plan: what was read of sources and graph against what a load is about to write; labels that come, stay and go,
personal data that has to go, and what is lost for good.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from c360_graph.cypher import schema
from c360_graph.cypher.schema import LabelProperties
from c360_graph.mapping.control_rows import Treatment
from c360_graph.mapping.graph_manifest import RelationshipPattern
from c360_graph.mapping.model import ExcludedColumn
from c360_graph.plan.changes import (
    Samples,
    cautions,
    labels_made_anew,
    obstacles,
    planned_properties,
    planned_relationships,
    planned_schema,
    properties_to_ask,
)
from c360_graph.plan.decisions import LoadDecision, keys_to_constrain
from c360_graph.plan.inputs import CountsNeeded, GraphState, Intention
from c360_graph.plan.model import (
    GraphStatus,
    Plan,
    PlannedGraph,
    PlannedLabel,
    PlannedProperty,
    PlannedPurge,
    PlannedRelationships,
    PlannedSource,
    PlannedTable,
    RowEstimate,
)


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
    for table in intention.mapping.node_tables:
        label = table.node_label
        for column in table.excluded:
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


Estimates = Mapping[tuple[str, str], RowEstimate]
"""By (source_name, table_name)."""


def questions(intention: Intention, holding: GraphState) -> CountsNeeded:
    """What has to be counted in a graph before its plan can be made."""
    existing = set(holding.nodes)
    decision = intention.decide(holding)
    losing = tuple(_losing(intention, holding, decision))
    anew = tuple(labels_made_anew(intention, holding, decision))
    holders = properties_to_ask(intention, holding, anew) | excluded_to_count(intention)
    return CountsNeeded(
        holders=tuple(sorted(asked for asked in holders if asked[0] in existing)),
        untreated=tuple(
            sorted(asked for asked in treated_to_count(intention) if asked[0] in existing)
        ),
        all_properties=anew,
        losing=losing,
        keys=tuple(_to_constrain(intention, holding, decision)),
        edges=tuple(_told_of(decision)) if losing else (),
    )


def _losing(intention: Intention, holding: GraphState, decision: LoadDecision) -> Iterator[str]:
    """Labels whose nodes go; where the graph is cleared all relationships are told of by their type."""
    if intention.way == "clear":
        return
    for label, change in decision.labels.items():
        if holding.nodes.get(label) and change in ("made anew", "taken over", "removed"):
            yield label


def _to_constrain(
    intention: Intention, holding: GraphState, decision: LoadDecision
) -> Iterator[LabelProperties]:
    if intention.way == "clear":
        return
    keys = schema.keys(intention.mapping.node_tables)
    yield from keys_to_constrain(decision, keys, holding.schema)


def _told_of(decision: LoadDecision) -> Iterator[RelationshipPattern]:
    """Relationships that are ours and come back with their nodes, or are told of where they go."""
    for edges, change in decision.relationships.items():
        if change != "kept":
            yield edges


def plan_load(
    intention: Intention,
    *,
    server: str,
    holding: GraphState | None,
    problems: tuple[str, ...] = (),
    source_problems: Mapping[int, str] | None = None,
    estimates: Estimates | None = None,
    samples: Samples | None = None,
    refusal: str | None = None,
) -> Plan:
    """What a load would do.

    Args:
        intention: the mapping and the way of loading.
        server: the target, for messages.
        holding: what the target holds, its counts answered; None where it cannot be asked.
        problems: what could not be asked beside the sources.
        source_problems: why a source could not be asked, by source_id.
        estimates: rows of the tables, where they are known.
        samples: how many references find a partner, where that is known.
        refusal: why a load of the target would be refused as a whole.
    """
    source_problems = source_problems or {}
    decision = intention.decide(holding) if holding else None
    plan = Plan(
        way=intention.way,
        graph=_graph(server, holding, refusal),
        sources=_sources(intention, source_problems),
        tables=tuple(_tables(intention, estimates or {})),
        labels=planned_labels(intention, holding, decision),
        properties=(
            tuple(planned_properties(intention, holding, decision)) if holding and decision else ()
        ),
        relationships=tuple(planned_relationships(intention, holding, decision, samples or {})),
        schema_changes=tuple(planned_schema(intention, holding)) if holding else (),
        purges=tuple(planned_purges(intention, holding)) if holding else (),
        refusals=intention.mapping.refusals,
        inactive_label_ids=intention.mapping.inactive_label_ids,
        inactive_relationship_ids=intention.mapping.inactive_relationship_ids,
        waiting_relationships=intention.mapping.undecided_relationship_ids,
        obstacles=obstacles(intention, holding) if holding else (),
        cautions=cautions(intention, holding) if holding else (),
        problems=(*problems, *source_problems.values()),
    )
    return plan.model_copy(update={"destroyed": tuple(destroyed(plan, holding))})


def _graph(server: str, holding: GraphState | None, refusal: str | None) -> PlannedGraph:
    if holding is None:
        return PlannedGraph(server=server, state="unreachable")
    return PlannedGraph(
        server=server,
        state=_state(holding),
        nodes=holding.all_nodes,
        relationships=sum(holding.relationships.values()),
        refusal=refusal,
    )


def _state(holding: GraphState) -> GraphStatus:
    if holding.manifest is None:
        return "foreign" if holding.all_nodes else "empty"
    return "loaded" if holding.is_whole else "broken"


def _sources(intention: Intention, problems: Mapping[int, str]) -> tuple[PlannedSource, ...]:
    return tuple(
        PlannedSource(
            source=source.source_name,
            tables=sum(
                table.source.source_id == source.source_id for table in intention.mapping.tables
            ),
            problem=problems.get(source.source_id),
        )
        for source in intention.rows.sources
    )


def _tables(intention: Intention, estimates: Estimates) -> Iterator[PlannedTable]:
    for table in intention.mapping.tables:
        estimate = estimates.get(table.asset_key, RowEstimate())
        yield PlannedTable(
            source=table.source.source_name,
            table=table.table_name,
            label=table.node_label,
            rows=estimate.rows,
            rows_basis=estimate.basis,
            properties=len(table.columns_read),
            excluded=tuple(column.column for column in table.excluded),
            withheld=table.withheld,
            row_filter=tuple(map(str, table.row_filter)),
            extra_labels=str(table.extra),
            mapped_properties=tuple(p.mapped for p in table.columns_read if p.mapped),
        )
