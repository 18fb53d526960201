"""Small tables of one source whose assets share a step, since a step of its own takes Dagster longer than reading one."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from c360_graph.assets.metadata import extract_facts
from c360_graph.assets.source_table import extract_out, group_name, operation_name
from c360_graph.assets.step_policy import dagster_failures, raise_for_tables, source_pool
from c360_graph.control.audit import RunLog
from c360_graph.dagster_failures import TABLE_TAG
from c360_graph.errors import C360Error
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import RelationshipMapping, TableMapping
from c360_graph.pipeline.extract import ExtractedTable, extract_tables
from c360_graph.resources import PostgresResource
from c360_graph.settings import Settings, load_settings

Key = tuple[str, str]


def shared_step_assets(
    *,
    tables: Sequence[TableMapping],
    number: int,
    rows: ControlRows,
    relationships: Mapping[Key, tuple[RelationshipMapping, ...]],
    settings: Settings,
) -> dg.AssetsDefinition:
    """The assets `[source_name, table_name]` of some tables, each of which can be selected alone.

    A table that cannot be read does not stop the others. The step then fails and names it; its asset keeps its
    last materialization.

    Args:
        tables: of one source.
        number: of this step among those of the source, from 1.
        rows: the control rows.
        relationships: of each table, by its asset key.
        settings: as the definitions were read with.
    """
    source = tables[0].source
    by_output = {operation_name(table.asset_key): table for table in tables}

    @dg.multi_asset(
        # The name of a table has two underscores once, or ends with eight hexadecimal digits.
        name=f"{operation_name((source.source_name, 'tables'))}__{number}",
        outs={
            name: extract_out(
                table,
                rows,
                relationships.get(table.asset_key, ()),
                settings,
                # Dagster would take a required one that did not come for made.
                is_required=False,
            )
            for name, table in by_output.items()
        },
        can_subset=True,
        pool=source_pool(group_name(source.source_name)),
        op_tags={TABLE_TAG: "true"},
    )
    def extract(
        context: dg.AssetExecutionContext, postgres: PostgresResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        made = _made_before(context)
        chosen = [
            table
            for name, table in by_output.items()
            if name in context.op_execution_context.selected_output_names and name not in made
        ]
        unread: dict[str, Exception] = {}
        with dagster_failures(retries=settings.c360_retries, tried=context.retry_number):
            for table, result in _results(context, postgres, chosen, rows):
                if isinstance(result, dg.MaterializeResult):
                    yield result
                else:
                    unread[table.qualified_name] = result
        raise_for_tables(unread, retries=settings.c360_retries, tried=context.retry_number)

    return extract


def _results(
    context: dg.AssetExecutionContext,
    postgres: PostgresResource,
    tables: Sequence[TableMapping],
    rows: ControlRows,
) -> Iterator[tuple[TableMapping, dg.MaterializeResult[None] | Exception]]:
    """What is told of each table, or why there is nothing to tell."""
    now = load_settings()
    with postgres.control_database().kept_connected() as control:
        found = extract_tables(
            tables=tables,
            rows=rows,
            log_id=RunLog(control).open_run(context.run.run_id),
            control=control,
            settings=now,
            report=lambda table, count: context.log.info(
                f"{table.qualified_name}: {count:,} rows read"
            ),
            warn=lambda table, said: context.log.warning(f"{table.qualified_name}: {said}"),
        )
        for table, extracted in zip(tables, found, strict=True):
            yield table, _result(table, extracted, preview_rows=now.c360_preview_rows)


def _result(
    table: TableMapping, found: ExtractedTable | Exception, *, preview_rows: int
) -> dg.MaterializeResult[None] | Exception:
    if isinstance(found, Exception):
        return found
    try:
        facts = extract_facts(found, preview_rows=preview_rows)
    except C360Error as error:
        return error
    return dg.MaterializeResult(asset_key=list(table.asset_key), metadata=facts)


def _made_before(context: dg.AssetExecutionContext) -> frozenset[str]:
    """The outputs that an earlier try of this step has made."""
    if not context.retry_number:
        return frozenset()
    step = context.get_step_execution_context()
    return frozenset(
        output.output_name
        for output in step.get_known_state().ready_outputs
        if output.step_key == step.step.key
    )
