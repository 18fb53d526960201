"""`c360 load FILE`: phase two alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from c360_graph.cli.output import (
    Json,
    Report,
    err,
    exit_on_error,
    print_counts,
    print_json,
    say,
    shown_progress,
)
from c360_graph.control.connection import (
    RUN_PATIENCE_SECONDS,
    ControlDatabase,
    control_credentials,
)
from c360_graph.graph.connection import Graph, target_graph
from c360_graph.graph.load import LoadResult, clear_and_load, load_into_empty
from c360_graph.graph.load_session import LoadCallbacks
from c360_graph.graph.target_lock import Claim
from c360_graph.object_storage import KeptFile, data_location, kept_file
from c360_graph.pipeline.load import Target, load_registered_script
from c360_graph.scripts import script_store
from c360_graph.settings import Settings, load_settings


def load(
    file: Annotated[
        str,
        typer.Argument(
            help="A script that `cypher_script` wrote, or any Cypher file: a path, or a URI such as `s3://…`."
        ),
    ],
    clear: Annotated[bool, typer.Option("--clear", help="Empty the graph first.")] = False,
    lock: Annotated[
        bool,
        typer.Option(help="Also hold the lock in the control database, like the pipeline."),
    ] = True,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for another load. 0 fails at once.")
    ] = 0,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="Take over a graph that another control database loads.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a script on the Neo4j of NEO4J_URI.

    Refuses a graph that is not empty, unless you use --clear. Refuses a graph that belongs to another
    control database than the script, unless you use --take-over. Only one load runs at a time, because
    the target has a lock, too. Use --no-lock on a machine that cannot reach the control database. Shows
    the rate and the remaining time on standard error.

    **Examples**

    - `c360 load c360_data/scripts/graph_output_….cypher` into an empty graph

    - `c360 load graph_output_….cypher --clear --wait 600` after a load that is in progress

    - `c360 load graph_output_….cypher --json | jq .nodes` in CI

    - `c360 load s3://bucket/c360/scripts/graph_output_….cypher.zst` from object storage
    """
    with exit_on_error():
        settings = load_settings()
        with target_graph(settings) as graph:
            script = kept_file(file, data_location(settings))
            say(f"Loading {script} into {graph.server}")
            with shown_progress(err) as report:
                target = _ScriptTarget(
                    graph=graph,
                    settings=settings,
                    take_over=take_over,
                    wait_seconds=wait,
                    report=report,
                )
                result = (_locked if lock else _unlocked)(script, target, clear=clear)
            if as_json:
                print_json(asdict(result))
            else:
                print_counts(result.nodes, result.relationships)
            say(f"{result.statements:,} statements in {result.seconds:.1f} s")


@dataclass(frozen=True, kw_only=True)
class _ScriptTarget:
    """Where a script is loaded, and how."""

    graph: Graph
    settings: Settings
    take_over: bool
    wait_seconds: float
    report: Report


def _locked(file: KeptFile, chosen: _ScriptTarget, *, clear: bool) -> LoadResult:
    settings = chosen.settings
    target = Target(
        graph=chosen.graph,
        control=ControlDatabase(
            control_credentials(settings), patience_seconds=RUN_PATIENCE_SECONDS
        ),
        sessions=settings.c360_load_sessions,
        lock_wait_seconds=chosen.wait_seconds,
        report=chosen.report,
        warn=say,
        take_over=chosen.take_over,
    )
    scripts = script_store(data_location(settings))
    return load_registered_script(target, file, scripts, clear=clear, of_any_owner=True).result


def _unlocked(file: KeptFile, chosen: _ScriptTarget, *, clear: bool) -> LoadResult:
    start = clear_and_load if clear else load_into_empty
    return start(
        chosen.graph,
        file,
        sessions=chosen.settings.c360_load_sessions,
        listener=LoadCallbacks(report=chosen.report, warn=say),
        claim=Claim(take_over=chosen.take_over, wait_seconds=chosen.wait_seconds),
    )
