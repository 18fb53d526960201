"""Assets of mapped tables, which read them into extracts: one in a step, small ones in a step together, or a big one in several steps."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import dagster as dg

from c360_graph.assets.lineage import table_columns
from c360_graph.assets.metadata import Metadata, extract_facts, table_description, table_name
from c360_graph.assets.step_policy import (
    dagster_failures,
    freshness_policy,
    raise_for_tables,
    source_pool,
    table_version,
)
from c360_graph.control.audit import RunLog
from c360_graph.control.connection import ControlDatabase
from c360_graph.control.table_reads import RangesRead
from c360_graph.dagster_failures import TABLE_TAG
from c360_graph.errors import C360Error
from c360_graph.extract_files import ExtractManifest
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.label_rows import ownership_of
from c360_graph.mapping.model import RelationshipMapping, TableMapping
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.extract import ExtractedTable, extract_table, extract_tables
from c360_graph.pipeline.table_reading import join_reading, ranges_of_run
from c360_graph.resources import PostgresResource
from c360_graph.settings import Settings, load_settings
from c360_graph.text import plural

_PLAIN = re.compile("[A-Za-z0-9]+(_[A-Za-z0-9]+)*")

Key = tuple[str, str]

READING, JOINING, ADDING_UP = "read", "join", "ranges_add_up"
PRIORITY_TAG = "dagster/priority"
_FIRST, _LAST = "1", "-1"
"""Priorities: a step that joins before the reading has begun would wait in the place of another one."""
_FIRST_WAIT, _LONGEST_WAIT, _MOST_RETURNS = 10.0, 300.0, 1_000
"""In seconds, and how often: a step that waits for another one leaves its place to others in between."""


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
    control = postgres.control_database()
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
