"""The asset `cypher_script`: one runnable script from the extracts of all mapped tables."""

import dagster as dg
from pydantic import Field

from c360_graph.assets.metadata import graph_description, script_facts
from c360_graph.assets.source_table import table_inputs
from c360_graph.assets.step_policy import (
    dagster_failures,
    freshness_policy,
    graph_version,
    when_a_run_updates,
)
from c360_graph.control.audit import RunLog
from c360_graph.control.locks import control_owner
from c360_graph.extract_joins.graph_input import gather_parts
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import GraphMapping
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.write_script import (
    prune_scripts,
    scripts_elsewhere,
    write_graph_script,
)
from c360_graph.resources import PostgresResource
from c360_graph.scripts import script_store
from c360_graph.settings import Settings, load_settings

KEY = "cypher_script"
GROUP = "graph"
_DESCRIPTION = (
    "One Cypher script that builds the whole graph in an empty database: constraints, nodes of every"
    " source, then relationships. cypher-shell runs it as it is.\n\n"
)


class CypherScriptConfig(dg.Config):
    """Config of `cypher_script`."""

    output_folder: str | None = Field(
        default=None,
        description="Folder that the script is written to. Default: C360_DATA_DIR/scripts. Not with C360_DATA_URI.",
    )
    compress: bool | None = Field(
        default=None,
        description="Write a compressed script, `.cypher.zst`. Default: C360_COMPRESS_SCRIPTS.",
    )


def cypher_script_asset(
    *, mapping: GraphMapping, rows: ControlRows, settings: Settings
) -> dg.AssetsDefinition:
    """The asset that depends on every mapped table."""

    @dg.asset(
        key=KEY,
        ins=table_inputs(table.asset_key for table in mapping.tables),
        group_name=GROUP,
        kinds={"cypher"},
        description=_DESCRIPTION + graph_description(mapping),
        code_version=graph_version(mapping),
        automation_condition=when_a_run_updates(),
        freshness_policy=freshness_policy(settings),
    )
    def cypher_script(
        context: dg.AssetExecutionContext,
        config: CypherScriptConfig,
        postgres: PostgresResource,
    ) -> dg.MaterializeResult[None]:
        with dagster_failures():
            now = load_settings()
            control = postgres.control_database()
            run_log = RunLog(control)
            log_id = run_log.open_run(context.run.run_id)
            location = data_location(now)
            store = extract_store(location)
            parts = gather_parts(mapping=mapping, rows=rows, store=store, run_log=run_log)
            scripts = script_store(location)
            written = write_graph_script(
                parts=parts,
                store=scripts,
                folder=config.output_folder,
                log_id=log_id,
                run_log=run_log,
                compressed=_compressed(config, settings),
                owner=control_owner(control),
            )
            for refusal in parts.refusals:
                context.log.error(f"Left out of the script: {refusal}")
            prune_scripts(run_log, scripts, keep=now.c360_keep_scripts, rules=parts.rules)
            for elsewhere in scripts_elsewhere(run_log.scripts(), scripts):
                context.log.warning(elsewhere)
        return dg.MaterializeResult(metadata=script_facts(written, log_id=log_id))

    return cypher_script


def _compressed(config: CypherScriptConfig, settings: Settings) -> bool:
    return settings.c360_compress_scripts if config.compress is None else config.compress
