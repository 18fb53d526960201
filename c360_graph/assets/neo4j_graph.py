"""The asset `neo4j_graph`: the graph in the target, loaded from the script or reconciled."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import dagster as dg
from pydantic import Field

from c360_graph.assets.cypher_script import GROUP
from c360_graph.assets.cypher_script import KEY as SCRIPT_KEY
from c360_graph.assets.lineage import (
    graph_column_schema,
    graph_columns,
    graph_namespace,
    graph_parts,
    lineage_to_asset,
    physical_name,
    told,
)
from c360_graph.assets.metadata import (
    NOTHING_CHANGED,
    Metadata,
    graph_description,
    load_facts,
    reconcile_facts,
)
from c360_graph.assets.step_policy import (
    NEO4J_POOL,
    dagster_failures,
    freshness_policy,
    graph_version,
    when_a_run_updates,
)
from c360_graph.control.audit import RunLog
from c360_graph.control.connection import ControlDatabase
from c360_graph.extract_joins.graph_input import gather_parts, kept_from_refused
from c360_graph.graph.connection import Graph
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import GraphMapping
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.load import (
    Target,
    clears,
    load_registered_script,
    load_script_if_empty,
    reconcile_graph,
)
from c360_graph.pipeline.write_script import script_of_run, script_to_load
from c360_graph.resources import Neo4jResource, PostgresResource
from c360_graph.scripts import script_store
from c360_graph.settings import Settings, load_settings

KEY = "neo4j_graph"
_DESCRIPTION = "The graph in Neo4j, built from the newest script. Only one load runs at a time.\n\n"


class Neo4jGraphConfig(dg.Config):
    """Config of `neo4j_graph`."""

    clear_database: bool | None = Field(
        default=None,
        description=(
            "True: empty the graph in bounded batches, then run the script. False: update the graph to"
            " the state of the sources while it stays readable; data of others is kept. Unset: as"
            " C360_CLEAR_DATABASE says; if that is unset too, runs of the schedule and the sensors update"
            " the graph, and all other runs empty it first."
        ),
    )
    max_removed_share: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description=(
            "With clear_database false: the largest share of a label's nodes that a load may remove."
            " A load that would remove more is refused."
        ),
    )
    full_comparison: bool = Field(
        default=False,
        description=(
            "With clear_database false: compare every row with the graph itself, not only the rows that"
            " differ between the last extracts and the new ones. For a graph that was changed by hand."
            " Done automatically if the graph is not as the last load left it."
        ),
    )
    take_over: bool = Field(
        default=False,
        description=(
            "Take over a graph that another control database loads. Otherwise such a load is refused"
            " and changes nothing. Use it for one load after a control database was moved or restored."
        ),
    )
    lock_wait_seconds: float = Field(
        default=3600.0,
        ge=0,
        description="How long to wait for another load of the same target. 0 fails at once.",
    )


def neo4j_graph_asset(
    *, mapping: GraphMapping, rows: ControlRows, settings: Settings
) -> dg.AssetsDefinition:
    """The asset behind `cypher_script`."""
    columns = _column_facts(mapping)

    @dg.asset(
        key=KEY,
        deps=[SCRIPT_KEY],
        group_name=GROUP,
        kinds={"neo4j"},
        description=_DESCRIPTION + graph_description(mapping),
        code_version=graph_version(mapping),
        automation_condition=when_a_run_updates(),
        freshness_policy=freshness_policy(settings),
        pool=NEO4J_POOL,
    )
    def neo4j_graph(
        context: dg.AssetExecutionContext,
        config: Neo4jGraphConfig,
        postgres: PostgresResource,
        neo4j: Neo4jResource,
    ) -> dg.MaterializeResult[None]:
        with (
            dagster_failures(retries=settings.c360_retries, tried=context.retry_number),
            neo4j.graph() as graph,
        ):
            control = postgres.control_database()
            log_id = RunLog(control).open_run(context.run.run_id)
            target = _target(context, config, graph, control)
            clear = clears(
                config.clear_database,
                setting=settings.c360_clear_database,
                tags=context.run.tags,
            )
            with _told(context, target, mapping, settings):
                if clear:
                    facts = _load(context, target, mapping, log_id)
                else:
                    facts = _reconcile(context, target, _Mapped(mapping, rows), config, log_id)
        return dg.MaterializeResult(metadata={**facts, **columns})

    return neo4j_graph


def _told(
    context: dg.AssetExecutionContext, target: Target, mapping: GraphMapping, settings: Settings
) -> AbstractContextManager[None]:
    """Tells catalogs of the load, where a setting says so."""
    if settings.c360_openlineage_namespace is None:
        return nullcontext()
    parts = graph_parts(mapping, partial(physical_name, target.control))
    return told(
        parts,
        job_namespace=settings.c360_openlineage_namespace,
        graph=(graph_namespace(target.graph.uri), target.graph.database),
        run_id=context.run.run_id,
        warn=context.log.warning,
    )


def _column_facts(mapping: GraphMapping) -> Metadata:
    columns = graph_columns(mapping.tables, mapping.relationships)
    return {
        "dagster/column_schema": graph_column_schema(columns),
        "dagster/column_lineage": lineage_to_asset(columns, SCRIPT_KEY),
    }


@dataclass(frozen=True)
class _Mapped:
    """What is mapped, and the control rows that say so."""

    mapping: GraphMapping
    rows: ControlRows


def _target(
    context: dg.AssetExecutionContext,
    config: Neo4jGraphConfig,
    graph: Graph,
    control: ControlDatabase,
) -> Target:
    return Target(
        graph=graph,
        control=control,
        sessions=load_settings().c360_load_sessions,
        lock_wait_seconds=config.lock_wait_seconds,
        report=lambda progress: context.log.info(str(progress)),
        warn=context.log.warning,
        take_over=config.take_over,
    )


def _load(
    context: dg.AssetExecutionContext, target: Target, mapping: GraphMapping, log_id: int
) -> Metadata:
    scripts = script_store(data_location(load_settings()))
    path = script_to_load(RunLog(target.control), scripts, log_id=log_id)
    context.log.info(f"Loading {path.name} into {target.graph.server}")
    loaded = load_registered_script(target, path, scripts, clear=True)
    return load_facts(
        loaded, mapping.relationships, log_id=log_id, extra_labels=mapping.extra_labels
    )


def _reconcile(
    context: dg.AssetExecutionContext,
    target: Target,
    mapped: _Mapped,
    config: Neo4jGraphConfig,
    log_id: int,
) -> Metadata:
    store = extract_store(data_location(load_settings()))
    scripts = script_store(data_location(load_settings()))
    # That of another run may be of other extracts than those of now.
    script = script_of_run(RunLog(target.control), scripts, log_id=log_id)
    loaded = load_script_if_empty(target, script, scripts) if script is not None else None
    if loaded is not None:
        context.log.info(f"{target.graph.server} was empty and was loaded from the script")
        made = load_facts(
            loaded,
            mapped.mapping.relationships,
            log_id=log_id,
            extra_labels=mapped.mapping.extra_labels,
        )
        return NOTHING_CHANGED | made
    context.log.info(f"Bringing {target.graph.server} to the state of the extracts")
    parts = gather_parts(
        mapping=mapped.mapping, rows=mapped.rows, store=store, run_log=RunLog(target.control)
    )
    refused = (*mapped.mapping.refusals, *parts.refusals)
    reconciled = reconcile_graph(
        target,
        parts,
        kept=kept_from_refused(mapped.rows, refused),
        max_removed_share=config.max_removed_share,
        created=datetime.now(UTC).isoformat(),
        log_id=log_id,
        former=None if config.full_comparison else store,
    )
    return reconcile_facts(
        reconciled,
        parts.relationships,
        log_id=log_id,
        extra_labels=mapped.mapping.extra_labels,
    )
