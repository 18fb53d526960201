"""One asset for each mapped table: reads it into an extract."""

import re
from hashlib import sha256

import dagster as dg

from c360_graph.assets.facts import extract_facts
from c360_graph.assets.failures import failing_clearly
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import TableMapping
from c360_graph.phases.extraction import extract_table
from c360_graph.resources import PostgresResource
from c360_graph.run_log import RunLog
from c360_graph.settings import load_settings

_PLAIN = re.compile("[A-Za-z0-9]+(_[A-Za-z0-9]+)*")


def source_table_asset(*, table: TableMapping, rows: ControlRows) -> dg.AssetsDefinition:
    """The asset `[source_name, table_name]`.

    Its name as an operation is made safe, since tables may be named in any letters.
    """

    @dg.multi_asset(
        name=operation_name(table.asset_key),
        # Named, as Dagster would make a name of the key, which may hold any letters.
        outs={
            operation_name(table.asset_key): dg.AssetOut(
                key=list(table.asset_key),
                dagster_type=dg.Nothing,
                group_name=group_name(table.source.source_name),
                kinds={"postgres"},
                description=_description(table),
                code_version=_version(table),
                metadata={"source": table.source.source_name, "label": table.node_label or ""},
            )
        },
    )
    def extract(
        context: dg.AssetExecutionContext, postgres: PostgresResource
    ) -> dg.MaterializeResult[None]:
        with failing_clearly():
            control = postgres.control_database()
            extracted = extract_table(
                table=table,
                exclusions=rows.exclusions,
                log_id=RunLog(control).open_run(context.run.run_id),
                control=control,
                settings=load_settings(),
                report=lambda count: context.log.info(f"{table.place}: {count:,} rows read"),
            )
        return dg.MaterializeResult(
            asset_key=list(table.asset_key), metadata=extract_facts(extracted)
        )

    return extract


def operation_name(asset_key: tuple[str, str]) -> str:
    """A name Dagster allows; the hash keeps apart keys that differ only in what was replaced."""
    joined = "__".join(asset_key)
    safe = re.sub(r"[^A-Za-z0-9_]", "_", joined)
    if all(_PLAIN.fullmatch(part) for part in asset_key):
        return safe
    return f"{safe}_{sha256(repr(asset_key).encode()).hexdigest()[:8]}"


def group_name(source_name: str) -> str:
    """The source's name in the letters that Dagster allows for a group."""
    return re.sub(r"[^A-Za-z0-9_]", "_", source_name) or "source"


def _description(table: TableMapping) -> str:
    what = f"nodes `:{table.node_label}`" if table.node_label else "a junction, no label of its own"
    lines = [
        f"Table `{table.source.db_schema}.{table.table_name}` of source"
        f" `{table.source.source_name}`, read as {what}.",
        f"Key: {', '.join(table.key) if table.key else 'none, so no constraint guards it'}.",
    ]
    lines += [
        f"Never read: `{column.column}` ({column.reason or 'no reason given'})."
        for column in table.excluded
    ]
    return "\n\n".join(lines)


def _version(table: TableMapping) -> str:
    return sha256(table.model_dump_json().encode()).hexdigest()[:12]
