"""Imports the files of an export with `neo4j-admin database import full`, and completes the graph that it made."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from c360_graph.cypher.script_reader import Statement, read_statements
from c360_graph.errors import ImportFilesError
from c360_graph.graph.connection import Graph
from c360_graph.graph.counts import check_counts, check_made
from c360_graph.graph.execution import Execution
from c360_graph.graph.load_session import LoadCallbacks, under_way
from c360_graph.graph.manifest import counted, read_state
from c360_graph.graph.target_lock import Claim
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.pipeline.write_import_files import END_SCRIPT, MANIFEST

_OURS = ("ETL_DB_", "C360_", "DAGSTER_", "PG")
_STANDARD_ERROR = 2
_SECRETS = frozenset({"NEO4J_PASSWORD", "NEO4J_AUTH"})

_MOST_OF_A_FIELD = 1 << 30
"""The manifest of a thousand tables is one field of megabytes; the module takes 128 kB."""


def run_import(command: Sequence[str]) -> None:
    """Run the command to its end; what it says goes to standard error.

    Raises:
        ImportFilesError: it cannot be started, or says that it failed.
    """
    program = shutil.which(command[0])
    if program is None:
        raise ImportFilesError(
            f"{command[0]} is not a program that can be started. Name neo4j-admin by --neo4j-admin or"
            " C360_NEO4J_ADMIN."
        )
    # Its own settings are among the variables, such as NEO4J_HOME; passwords of ours are no business of its.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OURS) and name not in _SECRETS
    }
    try:
        done = subprocess.run(  # noqa: S603
            [program, *command[1:]],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=_STANDARD_ERROR,
            check=False,
        )
    except OSError as error:
        raise ImportFilesError(f"{program} cannot be started: {error.strerror}.") from None
    if done.returncode:
        raise ImportFilesError(
            f"neo4j-admin ended with exit code {done.returncode}; its own words are above. The files stay, so"
            " that the command can be run again."
        )


@dataclass(frozen=True, kw_only=True)
class FinishedImport:
    """What an imported graph holds."""

    statements: int
    nodes: dict[str, int]
    relationships: dict[str, int]


def finish_imported_graph(
    graph: Graph, folder: Path, *, listener: LoadCallbacks, wait_seconds: float = 0.0
) -> FinishedImport:
    """Run the script of an export on the graph that was imported from it. It may run twice.

    Before its last statement marks the graph as complete, nodes and relationships are counted.

    Raises:
        ImportFilesError: the folder is no export, or the graph was not imported from it.
        LoadLockedError: a load of the target was under way all the time.
        GraphOwnedError: the graph is another control database's; nothing was changed.
        StatementError: a statement failed.
        CountMismatchError: the graph has other counts than the files.
    """
    written, statements = _read_manifest(folder), _read_script(folder)
    claim = Claim(owner=written.owner, wait_seconds=wait_seconds)
    with under_way(graph, listener, claim) as (execution, meter):
        _refuse_other(execution, written, folder)
        meter.begin("statements", unit="statements", total=len(statements))
        *others, last = statements
        for statement in others:
            execution.run_repeatable(statement.title, statement.text)
            meter.add(1)
        found = counted(execution, written)
        check_counts(found.nodes, written.nodes)
        check_made(found.relationships, written.relationships)
        execution.run_repeatable(last.title, last.text)
        meter.add(1)
    return FinishedImport(
        statements=len(statements), nodes=found.nodes, relationships=found.relationships
    )


def _read_manifest(folder: Path) -> GraphManifest:
    """What the files of an export hold."""
    before = csv.field_size_limit(_MOST_OF_A_FIELD)
    try:
        with (folder / MANIFEST).open(encoding="utf-8", newline="") as file:
            (_, _, content) = next(csv.reader(file))
        return GraphManifest.model_validate_json(content)
    except OSError as error:
        raise ImportFilesError(_no_export(folder, error.strerror or str(error))) from None
    except (csv.Error, ValueError, StopIteration):
        raise ImportFilesError(_no_export(folder, f"{MANIFEST} cannot be read")) from None
    finally:
        csv.field_size_limit(before)


def _read_script(folder: Path) -> tuple[Statement, ...]:
    try:
        with (folder / END_SCRIPT).open("rb") as file:
            statements = tuple(read_statements(file))
    except OSError as error:
        raise ImportFilesError(_no_export(folder, error.strerror or str(error))) from None
    if not statements:
        raise ImportFilesError(_no_export(folder, f"{END_SCRIPT} is empty"))
    return statements


def _refuse_other(execution: Execution, written: GraphManifest, folder: Path) -> None:
    state = read_state(execution)
    server = execution.graph.server
    if state is None:
        raise ImportFilesError(
            f"{server} holds no import of {folder}. Import its files first, into the database that"
            " NEO4J_DATABASE names, and start the server."
        )
    if state.manifest != written:
        raise ImportFilesError(
            f"{server} was not imported from {folder}: it says that it was made from other data. Nothing was"
            " changed. Name the folder that it was imported from, or check NEO4J_URI and NEO4J_DATABASE."
        )


def _no_export(folder: Path, why: str) -> str:
    return f"{folder} is not a folder that c360 export wrote: {why}."
