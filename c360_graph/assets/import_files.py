"""The asset `import_files`: the files of an offline import, from the extracts of all mapped tables."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from pydantic import Field

from c360_graph.assets.cypher_script import GROUP
from c360_graph.assets.source_table import table_inputs
from c360_graph.assets.step_policy import dagster_failures, graph_version
from c360_graph.control.audit import RunLog
from c360_graph.control.locks import control_owner
from c360_graph.extract_joins.graph_input import gather_parts
from c360_graph.files import private_folder, writing_into
from c360_graph.import_files.import_folder import import_command
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import GraphMapping
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.write_import_files import WrittenImport, write_import_files
from c360_graph.resources import PostgresResource
from c360_graph.settings import Settings

KEY = "import_files"
_DESCRIPTION = (
    "The files that `neo4j-admin database import full` reads, for the first load of a large graph. The"
    " folder of the last run is replaced. It holds customers' data: remove it after the import."
)


class ImportFilesConfig(dg.Config):
    """Config of `import_files`."""

    memory: str = Field(
        default="1GB",
        pattern="^[0-9]{1,6}(MB|GB|TB)$",
        description="Memory for joining the extracts; more goes to disk.",
    )


def import_files_asset(
    *, mapping: GraphMapping, rows: ControlRows, settings: Settings
) -> dg.AssetsDefinition:
    """The asset that depends on every mapped table; nothing starts it by itself."""

    @dg.asset(
        key=KEY,
        ins=table_inputs(table.asset_key for table in mapping.tables),
        group_name=GROUP,
        kinds={"csv"},
        description=_DESCRIPTION,
        code_version=graph_version(mapping),
    )
    def import_files(
        context: dg.AssetExecutionContext,
        config: ImportFilesConfig,
        postgres: PostgresResource,
    ) -> dg.MaterializeResult[None]:
        with dagster_failures():
            control = postgres.control_database()
            run_log = RunLog(control)
            log_id = run_log.open_run(context.run.run_id)
            parts = gather_parts(
                mapping=mapping,
                rows=rows,
                store=extract_store(data_location(settings)),
                run_log=run_log,
            )
            for refusal in parts.refusals:
                context.log.error(f"Left out of the files: {refusal}")
            header = parts.header(
                created=datetime.now(UTC).isoformat(), log_id=log_id, owner=control_owner(control)
            )
            written = write_import_files(
                parts,
                header=header,
                folder=_emptied(settings.c360_data_dir / KEY),
                memory=config.memory,
                report=context.log.info,
            )
        return dg.MaterializeResult(metadata=_facts(written, settings, log_id=log_id))

    return import_files


def _emptied(folder: Path) -> Path:
    """The folder, without what a former run wrote: it may hold what a rule excludes by now."""
    with writing_into(folder):
        private_folder(folder.parent)
        if folder.exists():
            shutil.rmtree(folder)
    return folder


def _facts(
    written: WrittenImport, settings: Settings, *, log_id: int
) -> dict[str, dg.MetadataValue | int]:
    command = import_command(
        settings.c360_neo4j_admin, settings.neo4j_database, written.arguments, ()
    )
    return {
        "log_id": log_id,
        "folder": dg.MetadataValue.path(written.folder),
        "nodes": sum(written.nodes.values()),
        "relationships": sum(written.relationships.values()),
        "command": dg.MetadataValue.text(" ".join(command)),
        "script_after_import": dg.MetadataValue.path(written.end_script),
    }
