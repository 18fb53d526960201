"""A big table that several steps read together, which is one asset like any other table."""

import dagster as dg

from c360_graph.assets.source_table import (
    extract_in_step,
    extract_out,
    group_name,
    operation_name,
)
from c360_graph.assets.step_policy import dagster_failures, source_pool
from c360_graph.control.audit import RunLog
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import RelationshipMapping, TableMapping
from c360_graph.pipeline.joined_reading import join_reading
from c360_graph.resources import PostgresResource
from c360_graph.settings import Settings, load_settings
from c360_graph.step_failures import TABLE_TAG

READING, JOINING = "read", "join"
PRIORITY_TAG = "dagster/priority"
_FIRST, _LAST = "1", "-1"
"""Priorities: a step that joins before the reading has begun would wait in the place of another one."""


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

    @dg.graph_multi_asset(
        name=name, outs={name: extract_out(table, rows, relationships, settings)}
    )
    def extract() -> object:
        for number in range(2, readers + 1):
            joining.alias(f"{JOINING}_{number}")()
        return reading.alias(READING)()

    return extract


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
    @dg.op(
        name=f"{name}__{JOINING}",
        out={},
        pool=source_pool(group_name(table.source.source_name)),
        tags={PRIORITY_TAG: _LAST},
    )
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
        context.log.info(f"{table.qualified_name}: this step read {ranges} ranges")

    return join

