"""The whole plan: what was read of sources and graph against what a load is about to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from c360_graph.cypher import schema
from c360_graph.cypher.schema import LabelProperties
from c360_graph.mapping.graph_manifest import RelationshipPattern
from c360_graph.plan.decisions import LoadDecision, keys_to_constrain
from c360_graph.plan.destroyed import destroyed
from c360_graph.plan.inputs import CountsNeeded, GraphState, Intention
from c360_graph.plan.labels import planned_labels
from c360_graph.plan.model import (
    GraphStatus,
    Plan,
    PlannedGraph,
    PlannedSource,
    PlannedTable,
    RowEstimate,
)
from c360_graph.plan.personal_data import excluded_to_count, planned_purges, treated_to_count
from c360_graph.plan.properties import labels_made_anew, planned_properties, properties_to_ask
from c360_graph.plan.relationships import Samples, planned_relationships
from c360_graph.plan.schema import cautions, obstacles, planned_schema

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
    keys = schema.keys(intention.mapping.tables)
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
