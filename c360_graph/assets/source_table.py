"""One asset for each mapped table: reads it into an extract."""

import re
from collections.abc import Iterable
from hashlib import sha256

import dagster as dg

from c360_graph.assets.columns import table_columns
from c360_graph.assets.descriptions import table_description
from c360_graph.assets.metadata import Metadata, extract_facts, table_name
from c360_graph.assets.step_policy import (
    dagster_failures,
    freshness_policy,
    source_pool,
    table_version,
)
from c360_graph.control.audit import RunLog
from c360_graph.control.connection import ControlDatabase
from c360_graph.dagster_failures import TABLE_TAG
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.label_rows import ownership_of
from c360_graph.mapping.model import RelationshipMapping, TableMapping
from c360_graph.pipeline.extract import extract_table
from c360_graph.resources import PostgresResource
from c360_graph.settings import Settings, load_settings

_PLAIN = re.compile("[A-Za-z0-9]+(_[A-Za-z0-9]+)*")


def source_table_asset(
    *,
    table: TableMapping,
    rows: ControlRows,
    relationships: tuple[RelationshipMapping, ...],
    settings: Settings,
) -> dg.AssetsDefinition:
    """The asset `[source_name, table_name]`.

    Its name as an operation is made safe, since tables may be named in any letters.
    """

    @dg.multi_asset(
        name=operation_name(table.asset_key),
        # Named, as Dagster would make a name of the key, which may hold any letters.
        outs={operation_name(table.asset_key): extract_out(table, rows, relationships, settings)},
        pool=source_pool(group_name(table.source.source_name)),
        op_tags={TABLE_TAG: "true"},
    )
    def extract(
        context: dg.AssetExecutionContext, postgres: PostgresResource
    ) -> dg.MaterializeResult[None]:
        facts = extract_in_step(
            context, postgres.control_database(), table=table, rows=rows, settings=settings
        )
        return dg.MaterializeResult(asset_key=list(table.asset_key), metadata=facts)

    return extract


def extract_in_step(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    control: ControlDatabase,
    *,
    table: TableMapping,
    rows: ControlRows,
    settings: Settings,
) -> Metadata:
    """Read a table in a step of a run, and tell the step's log of it; returns the metadata of its materialization.

    Args:
        context: of the step.
        control: where the audit row goes.
        table, rows: as `extract_table`.
        settings: as the definitions were read with.

    Raises:
        dagster.Failure, dagster.RetryRequested: the table cannot be read.
    """
    with dagster_failures(retries=settings.c360_retries, tried=context.retry_number):
        now = load_settings()
        extracted = extract_table(
            table=table,
            rows=rows,
            log_id=RunLog(control).open_run(context.run.run_id),
            control=control,
            settings=now,
            report=lambda count: context.log.info(f"{table.qualified_name}: {count:,} rows read"),
            warn=lambda said: context.log.warning(f"{table.qualified_name}: {said}"),
        )
    return extract_facts(extracted, preview_rows=now.c360_preview_rows)


def extract_out(
    table: TableMapping,
    rows: ControlRows,
    relationships: tuple[RelationshipMapping, ...],
    settings: Settings,
    *,
    is_required: bool = True,
) -> dg.AssetOut:
    """What Dagster knows of the asset of a table.

    Args:
        table: the table.
        rows: the control rows, which say who owns it.
        relationships: those that are made of it.
        settings: which say when it is stale.
        is_required: whether its step makes it or fails; of several tables, one may be made without another.
    """
    ownership = ownership_of(table, rows)
    return dg.AssetOut(
        key=list(table.asset_key),
        dagster_type=dg.Nothing,
        is_required=is_required,
        group_name=group_name(table.source.source_name),
        kinds={"postgres"},
        owners=list(ownership.owners),
        tags=dict(ownership.tags),
        description=table_description(table, relationships),
        code_version=table_version(table),
        freshness_policy=freshness_policy(settings),
        metadata={
            "source": table.source.source_name,
            "label": table.node_label or "",
            "dagster/table_name": table_name(table),
            "dagster/column_schema": table_columns(table),
        },
    )


def operation_name(asset_key: tuple[str, str]) -> str:
    """A name Dagster allows; the hash keeps apart keys that differ only in what was replaced."""
    joined = "__".join(asset_key)
    safe = re.sub(r"[^A-Za-z0-9_]", "_", joined)
    if all(_PLAIN.fullmatch(part) for part in asset_key):
        return safe
    return f"{safe}_{sha256(repr(asset_key).encode()).hexdigest()[:8]}"


def table_inputs(asset_keys: Iterable[tuple[str, str]]) -> dict[str, dg.AssetIn]:
    """Inputs of a step behind tables: named by us, as Dagster's names of the keys allow few letters."""
    return {
        operation_name(key): dg.AssetIn(key=list(key), dagster_type=dg.Nothing)
        for key in asset_keys
    }


def group_name(source_name: str) -> str:
    """The source's name in the letters that Dagster allows for a group."""
    return re.sub(r"[^A-Za-z0-9_]", "_", source_name) or "source"
