"""The assets of identity resolution, one for each label of `identity_rules`, such as `customer_identity`."""

from collections.abc import Iterator

import dagster as dg

from c360_graph.assets.identity_facts import (
    ENTITY_CHECKS,
    SIMILAR,
    SIMILAR_CHECK,
    entity_facts,
    identity_checks,
    links_lineage,
    similar_check,
    similar_facts,
)
from c360_graph.assets.lineage import table_columns
from c360_graph.assets.metadata import code
from c360_graph.assets.source_table import group_name, operation_name, table_inputs
from c360_graph.assets.step_policy import (
    dagster_failures,
    freshness_policy,
    identity_version,
    source_pool,
    when_a_run_updates,
)
from c360_graph.control.audit import RunLog
from c360_graph.identity.resolution import Resolution
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import GraphMapping, Identity, NodeTable, TableMapping
from c360_graph.pipeline.resolve_identity import resolve_identity
from c360_graph.resources import PostgresResource
from c360_graph.settings import Settings, load_settings


def identity_asset(
    *, identity: Identity, mapping: GraphMapping, rows: ControlRows, settings: Settings
) -> dg.AssetsDefinition:
    """The assets `[customer_identity, ...]`: entities, and the links to the records of each table.

    They are written by one step, behind the tables with the records and before the script.
    """
    entities = list(identity.entities.asset_key)
    records = [record.table for record in identity.records]

    @dg.multi_asset(
        name=operation_name((identity.name, "entities")),
        outs={
            operation_name(table.asset_key): _out(identity, table, settings)
            for table in identity.tables
        },
        ins=table_inputs(records),
        # Two at a time would give one id twice.
        pool=source_pool(group_name(identity.name)),
        check_specs=[
            *(
                dg.AssetCheckSpec(name, asset=entities, description=said)
                for name, said in ENTITY_CHECKS.items()
            ),
            *(
                dg.AssetCheckSpec(SIMILAR, asset=list(t.asset_key), description=SIMILAR_CHECK)
                for t in filter(None, (identity.similar,))
            ),
        ],
    )
    def resolve(
        context: dg.AssetExecutionContext, postgres: PostgresResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        with dagster_failures():
            control = postgres.control_database()
            now = load_settings()
            resolution = resolve_identity(
                identity=identity,
                mapping=mapping,
                rows=rows,
                log_id=RunLog(control).open_run(context.run.run_id),
                control=control,
                settings=now,
            )
        context.log.info(
            f"{resolution.records:,} records are of {resolution.entities:,} {identity.label}:"
            f" {resolution.ids.created:,} new, {resolution.ids.merges:,} merged into older ones,"
            f" {resolution.ids.splits:,} split"
        )
        yield from _results(resolution, identity, now)

    return resolve


def _results(
    resolution: Resolution, identity: Identity, settings: Settings
) -> Iterator[dg.MaterializeResult[None]]:
    for table in resolution.tables:
        key = list(table.table.asset_key)
        if isinstance(table.table, NodeTable):
            yield dg.MaterializeResult(
                asset_key=key,
                metadata=entity_facts(resolution, identity),
                check_results=identity_checks(
                    resolution, key=key, limit=settings.c360_most_sharing_records
                ),
            )
        elif table.table == identity.similar and resolution.similar is not None:
            least = settings.c360_least_score
            yield dg.MaterializeResult(
                asset_key=key,
                metadata=similar_facts(resolution.similar, table.table, identity),
                check_results=[
                    similar_check(resolution.similar, identity, key=key, least_score=least)
                ],
            )
        else:
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={"dagster/row_count": table.rows, **links_lineage(table.table, identity)},
            )


def _out(identity: Identity, table: TableMapping, settings: Settings) -> dg.AssetOut:
    return dg.AssetOut(
        key=list(table.asset_key),
        dagster_type=dg.Nothing,
        group_name=group_name(identity.name),
        kinds={"duckdb"},
        description=_description(identity, table),
        code_version=identity_version(identity),
        automation_condition=when_a_run_updates(),
        freshness_policy=freshness_policy(settings),
        metadata={
            "label": table.node_label or "",
            "dagster/column_schema": table_columns(table),
        },
    )


def _description(identity: Identity, table: TableMapping) -> str:
    label = code(f":{identity.label}")
    if table.identity is not None and table.identity.record is not None:
        return f"Which record of {code('/'.join(table.identity.record))} is of which {label}."
    if table == identity.similar:
        kinds = ", ".join(
            dict.fromkeys(c.kind for record in identity.records for c in record.compared)
        )
        return f"Which {label} may be the same, as Splink finds by {kinds}. Rows of identity_decisions decide."
    lines = [
        f"- {code('/'.join(record.table))}: "
        + ", ".join(f"{i.kind} by {code(i.column)}" for i in record.identifiers)
        for record in identity.records
    ]
    return f"One {label} for all records that identity_rules find to be of one.\n\n" + "\n".join(
        lines
    )
