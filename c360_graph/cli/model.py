"""`c360 export-model FILE` and `c360 import-model FILE`: graph models of Neo4j's import tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c360_graph.cli.map import add_rows, offer
from c360_graph.cli.output import Apply, Json, Yes, exit_on_error, say
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.errors import ExchangeError
from c360_graph.files import write_whole
from c360_graph.settings import load_settings
from c360_graph.text import plural

if TYPE_CHECKING:
    from c360_graph.exchange.export_model import ExportedModel


def export_model(
    file: Annotated[Path, typer.Argument(help="The JSON file to write, or - for standard output.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it exists.")
    ] = False,
) -> None:
    """Write the mapping as a model for Neo4j's import tools.

    The file is an import specification of version "1", https://github.com/neo4j/import-spec, in JSON: a source
    for each table, a target for each labelled table, and one for each relationship. Excluded, hashed and masked
    columns are in no part of it. What the format cannot say is listed on standard error. Reads the control
    rows and the catalogs of the sources, no rows of tables, and changes nothing.

    **Examples**

    - `c360 export-model model.json` and use the file with a tool that reads import specifications

    - `c360 export-model - | jq '.targets.nodes[].labels'`
    """
    with exit_on_error():
        is_file = str(file) != "-"
        if is_file and file.exists() and not overwrite:
            raise ExchangeError(f"{file} exists; choose another name, or use --overwrite.")
        model = _model()
        _write(file if is_file else None, model)
    for warning in model.warnings:
        say(f"Warning: {warning}.")
    targets = model.specification.targets
    say(
        f"{plural(len(targets.nodes), 'node target')} and"
        f" {plural(len(targets.relationships), 'relationship target')} written."
    )


def _model() -> ExportedModel:
    # Here, as most commands read no mapping, whose grammar takes 16 MB.
    from c360_graph.exchange.export_model import exported_model
    from c360_graph.pipeline.read_mapping import find_mapping_state

    settings = load_settings()
    state = find_mapping_state(ControlDatabase(control_credentials(settings)), settings)
    mapping = state.mapping()
    for warning in (*state.warnings, *mapping.refusals):
        say(f"Warning: {warning}")
    return exported_model(mapping)


def _write(file: Path | None, model: ExportedModel) -> None:
    from c360_graph.exchange.import_spec import written_specification

    text = written_specification(model.specification)
    if file is None:
        typer.echo(text)
        return
    try:
        write_whole(file, f"{text}\n".encode())
    except OSError as error:
        raise ExchangeError(f"{file} cannot be written: {error.strerror}.") from error


def import_model(
    file: Annotated[Path, typer.Argument(help="The JSON file of an import specification.")],
    source: Annotated[
        str | None,
        typer.Option(
            help="The source_name, in source_databases, of tables whose names in the file name no source."
        ),
    ] = None,
    add: Apply = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Propose control rows from a model of Neo4j's import tools, as SQL on standard output.

    Reads an import specification of version "1", https://github.com/neo4j/import-spec, in JSON. Columns that
    the model does not name are excluded. What control rows cannot say, and rows that would not be valid, are
    named on standard error. Changes nothing unless you use --apply, and never changes existing rows.

    **Examples**

    - `c360 import-model model.json --source profiles_db > rows.sql` to review, edit and run with psql

    - `c360 import-model model.json --apply` to add the rows after a confirmation
    """
    # Here, as the grammar of joins takes 16 MB, which most commands do without.
    from c360_graph.exchange.import_spec import read_specification
    from c360_graph.pipeline.propose import propose_imported

    with exit_on_error():
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ExchangeError(f"{file} cannot be read: {error.strerror}.") from error
        control = ControlDatabase(control_credentials(load_settings()))
        proposal = propose_imported(control, read_specification(content), source)
        offer(proposal, as_json=as_json)
        if add:
            add_rows(control, proposal, ask=not yes)
