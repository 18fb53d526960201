"""`c360 finish-import FOLDER`: constraints and indexes of a graph that was imported offline."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from c360_graph.cli.output import (
    Json,
    err,
    exit_on_error,
    print_counts,
    print_json,
    say,
    shown_progress,
)
from c360_graph.graph.connection import target_graph
from c360_graph.graph.load_session import LoadCallbacks
from c360_graph.settings import load_settings


def finish_import(
    folder: Annotated[Path, typer.Argument(help="The folder that `c360 export` wrote.")],
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for another load. 0 fails at once.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Complete a graph that was imported offline, on the started Neo4j of NEO4J_URI.

    Runs the script after_import.cypher of the folder, counts the graph, and only then marks it as
    complete. Refuses a graph that was not imported from this folder. May run twice.

    **Examples**

    - `c360 finish-import /data/import` after `neo4j-admin database import full` and the start of the server

    - `c360 finish-import /data/import --json | jq .nodes` in CI
    """
    with exit_on_error():
        # Here, as it brings the engine that joins extracts.
        from c360_graph.pipeline.offline_import import finish_imported_graph

        with target_graph(load_settings()) as graph, shown_progress(err) as report:
            say(f"Completing {graph.server}")
            finished = finish_imported_graph(
                graph,
                folder,
                listener=LoadCallbacks(report=report, warn=say),
                wait_seconds=wait,
            )
        if as_json:
            print_json(asdict(finished))
        else:
            print_counts(finished.nodes, finished.relationships)
        say(f"The graph is complete. Remove {folder}; it holds the data of the extracts.")
