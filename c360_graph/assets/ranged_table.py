"""A big table that several steps read together, which is one asset like any other table."""

from typing import Any

import dagster as dg

from c360_graph.assets.source_table import (
    extract_in_step,
    extract_out,
    group_name,
    operation_name,
)
from c360_graph.assets.step_policy import dagster_failures, freshness_policy, source_pool
from c360_graph.control.audit import RunLog
from c360_graph.control.table_reads import RangesRead
from c360_graph.dagster_failures import TABLE_TAG
from c360_graph.extract_files import ExtractManifest
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import RelationshipMapping, TableMapping
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.range_reading import join_reading, ranges_of_run
from c360_graph.resources import PostgresResource
from c360_graph.settings import Settings, load_settings
from c360_graph.text import plural

READING, JOINING, ADDING_UP = "read", "join", "ranges_add_up"
PRIORITY_TAG = "dagster/priority"
_FIRST, _LAST = "1", "-1"
"""Priorities: a step that joins before the reading has begun would wait in the place of another one."""
_FIRST_WAIT, _LONGEST_WAIT, _MOST_RETURNS = 10.0, 300.0, 1_000
"""In seconds, and how often: a step that waits for another one leaves its place to others in between."""


def ranged_table_asset(
    *,
    table: TableMapping,
    readers: int,
    rows: ControlRows,
    relationships: tuple[RelationshipMapping, ...],
    settings: Settings,
) -> dg.AssetsDefinition:
    """The asset `[source_name, table_name]`, made by a step `read` and steps `join_2`, `join_3` and so on.

    The step `read` keeps the snapshot, commits the extract and reads ranges itself. So the table is read even if
    no other step ever begins, and no step waits for one that joins.

    Args:
        table: the table.
        readers: how many steps read it.
        rows: the control rows.
        relationships: those that are made of it.
        settings: as the definitions were read with.
    """
    name = operation_name(table.asset_key)
    reading = _reading(name, table, rows, settings)
    joining = _joining(name, table, rows)
    check = dg.AssetCheckSpec(
        ADDING_UP,
        asset=list(table.asset_key),
        description="The ranges that several steps read have as many rows as the extract.",
    )
    adding_up = _adding_up(name, table, check)

    @dg.graph_multi_asset(
        name=name,
        outs={name: extract_out(table, rows, relationships, settings)},
        check_specs=[check],
    )
    def extract() -> dict[str, Any]:
        read = reading.alias(READING)()
        joined = [joining.alias(f"{JOINING}_{number}")() for number in range(2, readers + 1)]
        # Dagster wants every step of an asset to end in it or in a check of it.
        added = adding_up.alias(ADDING_UP)([read, *joined])
        return {name: read, check.get_python_identifier(): added}

    # What Dagster leaves out of a graph's assets.
    return extract.map_asset_specs(
        lambda spec: spec.replace_attributes(
            group_name=group_name(table.source.source_name),
            freshness_policy=freshness_policy(settings),
        )
    )


def _reading(
    name: str, table: TableMapping, rows: ControlRows, settings: Settings
) -> dg.OpDefinition:
    @dg.op(
        name=f"{name}__{READING}",
        out=dg.Out(dg.Nothing),
        pool=source_pool(group_name(table.source.source_name)),
        tags={TABLE_TAG: "true", PRIORITY_TAG: _FIRST},
    )
    def read(context: dg.OpExecutionContext, postgres: PostgresResource) -> dg.Output[None]:
        facts = extract_in_step(
            context, postgres.control_database(), table=table, rows=rows, settings=settings
        )
        return dg.Output(None, metadata=facts)

    return read


def _joining(name: str, table: TableMapping, rows: ControlRows) -> dg.OpDefinition:
    # In no pool: with the step that it joins in the pool of the source, there are no more connections to the
    # source than the setting says.
    @dg.op(name=f"{name}__{JOINING}", tags={PRIORITY_TAG: _LAST})
    def join(context: dg.OpExecutionContext, postgres: PostgresResource) -> None:
        with dagster_failures():
            control = postgres.control_database()
            ranges = join_reading(
                table=table,
                rows=rows,
                log_id=RunLog(control).open_run(context.run.run_id),
                control=control,
                settings=load_settings(),
                warn=lambda said: context.log.warning(f"{table.qualified_name}: {said}"),
            )
        if ranges is None:
            raise dg.RetryRequested(
                max_retries=_MOST_RETURNS,
                seconds_to_wait=min(_LONGEST_WAIT, _FIRST_WAIT * 2**context.retry_number),
            )
        context.log.info(f"{table.qualified_name}: {plural(ranges, 'range')} read by this step")

    return join


def _adding_up(name: str, table: TableMapping, check: dg.AssetCheckSpec) -> dg.OpDefinition:
    @dg.op(
        name=f"{name}__{ADDING_UP}",
        ins={"read": dg.In(dg.Nothing)},
        # Of the output only the check is kept.
        out=dg.Out(dg.Nothing),
        tags={PRIORITY_TAG: _LAST},
    )
    def ranges_add_up(
        context: dg.OpExecutionContext, postgres: PostgresResource
    ) -> dg.AssetCheckResult:
        with dagster_failures():
            control = postgres.control_database()
            log_id = RunLog(control).open_run(context.run.run_id)
            found = ranges_of_run(table=table, log_id=log_id, control=control)
            latest = extract_store(data_location(load_settings())).latest(table.asset_key)
        return dg.AssetCheckResult(
            check_name=check.name,
            asset_key=check.asset_key,
            **_evaluation(found, latest.manifest if latest else None, log_id),
        )

    return ranges_add_up


def _evaluation(
    found: RangesRead | None, manifest: ExtractManifest | None, log_id: int
) -> dict[str, Any]:
    if manifest is None or manifest.log_id != log_id:
        return {"passed": False, "description": "The table was not read."}
    if found is None:
        return {"passed": True, "description": "One step read the table."}
    return {
        "passed": found.rows == manifest.rows,
        "description": (
            f"{plural(found.readers, 'step')} read {found.rows:,} rows. The extract has {manifest.rows:,}."
        ),
        "metadata": {"rows": manifest.rows, "steps": found.readers},
    }
