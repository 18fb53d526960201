"""`c360 export FOLDER`: files for an offline import, the fastest first load."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c360_graph.cli.output import Json, exit_on_error, print_counts, print_json, say
from c360_graph.control.audit import RunLog
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.control.locks import control_owner
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import data_location
from c360_graph.settings import Settings, load_settings

if TYPE_CHECKING:
    from c360_graph.pipeline.write_import_files import WrittenImport

_AMOUNT = re.compile("[0-9]{1,6}(MB|GB|TB)")


def _amount(memory: str) -> str:
    if not _AMOUNT.fullmatch(memory):
        raise typer.BadParameter("give an amount such as 500MB or 8GB")
    return memory


def export(
    folder: Annotated[
        Path, typer.Argument(help="A new or empty folder for the files, as large as the extracts.")
    ],
    run: Annotated[
        bool,
        typer.Option("--run", help="Then import them, into the stopped server's data folder."),
    ] = False,
    neo4j_admin: Annotated[
        str | None,
        typer.Option(help="The program that imports.", show_default="C360_NEO4J_ADMIN"),
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="The database to import.", show_default="NEO4J_DATABASE")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what the database holds.")
    ] = False,
    memory: Annotated[
        str,
        typer.Option(
            callback=_amount,
            help="Memory for joining the extracts, such as 8GB; more goes to disk.",
        ),
    ] = "1GB",
    as_json: Json = False,
) -> None:
    """Write the files that `neo4j-admin database import full` reads, from the latest extracts.

    The imported graph equals a load with --clear: labels, properties and their types, relationships, and
    what the next load has to know. It is complete after `c360 finish-import` has run on the
    started server. The folder has mode 0700, holds customers' data, and may be removed after that.

    Materialize the tables first, as sources are not read. The server must be stopped for the import.

    **Examples**

    - `c360 export /data/import` and run the commands that it prints

    - `c360 export /data/import --run --neo4j-admin /opt/neo4j/bin/neo4j-admin`

    - `c360 export /data/import --json | jq .relationships` in CI
    """
    with exit_on_error():
        settings = load_settings()
        written = _write(folder, settings, memory=memory)
        command = _command(
            written,
            program=neo4j_admin or settings.c360_neo4j_admin,
            database=database or settings.neo4j_database,
            overwrite=overwrite,
        )
        (_print_json if as_json else _print_tables)(written, command)
        if run:
            from c360_graph.pipeline.offline_import import run_import

            run_import(command)
    other = database if database != settings.neo4j_database else None
    _say_next(written, command, is_imported=run, other_database=other)


def _write(folder: Path, settings: Settings, *, memory: str) -> WrittenImport:
    # Here, as most commands read no mapping, whose grammar takes 16 MB.
    from c360_graph.extract_joins.graph_input import gather_parts
    from c360_graph.pipeline.read_mapping import find_mapping_state
    from c360_graph.pipeline.write_import_files import write_import_files

    control = ControlDatabase(control_credentials(settings))
    state = find_mapping_state(control, settings)
    mapping = state.mapping()
    store = extract_store(data_location(settings))
    parts = gather_parts(mapping=mapping, rows=state.rows, store=store, run_log=RunLog(control))
    for warning in (*state.warnings, *mapping.refusals, *parts.refusals, *parts.left_out):
        say(f"Warning: {warning}")
    header = parts.header(
        created=datetime.now(UTC).isoformat(), log_id=None, owner=control_owner(control)
    )
    # For copies of extracts in object storage, which the engine reads.
    with store.work_folder():
        return write_import_files(parts, header=header, folder=folder, memory=memory, report=say)


def _command(written: WrittenImport, *, program: str, database: str, overwrite: bool) -> list[str]:
    from c360_graph.import_files.import_folder import import_command

    options = ("--overwrite-destination",) if overwrite else ()
    return import_command(program, database, written.arguments, options)


def _print_tables(written: WrittenImport, _: list[str]) -> None:
    print_counts(written.nodes, written.relationships)


def _print_json(written: WrittenImport, command: list[str]) -> None:
    print_json(
        {
            "folder": written.folder,
            "nodes": written.nodes,
            "relationships": written.relationships,
            "command": command,
            "script": written.end_script,
        }
    )


def _say_next(
    written: WrittenImport, command: list[str], *, is_imported: bool, other_database: str | None
) -> None:
    """What is left to do, in order. `other_database` is one that NEO4J_DATABASE does not name."""
    finish = f"c360 finish-import {shlex.quote(str(written.folder))}"
    ran = shlex.join(command)
    if other_database:
        steps = [f"Run (the server may keep running): {ran}"]
        finish = f"NEO4J_DATABASE={shlex.quote(other_database)} {finish}"
        steps.append(f"Make {other_database} the database of the server, and run: {finish}")
    else:
        steps = [f"Stop the server, and run: {ran}", f"Start the server, and run: {finish}"]
    steps.append(f"Remove {written.folder}; it holds the data of the extracts.")
    say("Next:")
    for number, step in enumerate(steps[1:] if is_imported else steps, start=1):
        say(f"  {number}. {step}")
