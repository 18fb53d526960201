"""`c360 plan`: what a load would do, before it does it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from c360_graph.assets.load_mode import clears
from c360_graph.cli.exit_codes import DESTROYS, FAILED
from c360_graph.cli.output import Json, err, exit_on_error, out, print_json, say
from c360_graph.cli.plan_tables import plan_tables
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.graph.connection import target_graph
from c360_graph.object_storage import data_place
from c360_graph.plan.model import Plan, Way
from c360_graph.settings import load_settings
from c360_graph.text import plural


def plan(
    clear: Annotated[
        bool | None,
        typer.Option(
            "--clear/--reconcile",
            help="How to load: clear_database: true, or false.",
            show_default="C360_CLEAR_DATABASE, else --clear",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a load would do to the graph, without writing anything.

    Compares the control rows, the sources and the graph. Lists tables to read, changes of labels,
    properties and relationships, constraints and indexes, personal data to remove, and refused control
    rows. Looks up a sample of up to 1,000 references of each relationship, also across databases.

    Exits with 2 if something would be destroyed. Exits with 1 if the load would be refused, or if the
    graph or a source cannot be queried; the rest of the plan is still printed. Otherwise exits with 0.

    **Examples**

    - `c360 plan` before a run that empties the graph first

    - `c360 plan --reconcile` before a run with `clear_database: false`

    - `c360 plan --json | jq .destroyed` in CI
    """
    with exit_on_error():
        setting = load_settings().c360_clear_database
        made = _make("clear" if clears(clear, setting=setting, tags={}) else "reconcile")
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        for table in plan_tables(made):
            out.print(table)
    _conclude(made)


def _make(way: Way) -> Plan:
    # Here, as most commands read no mapping, whose grammar takes 16 MB.
    from c360_graph.pipeline.plan import make_plan
    from c360_graph.pipeline.read_mapping import find_mapping_state

    settings = load_settings()
    control = ControlDatabase(control_credentials(settings))
    return make_plan(
        control=control,
        state=find_mapping_state(control, data_place(settings)),
        open_graph=target_graph,
        place=f"{settings.neo4j_uri}/{settings.neo4j_database}",
        way=way,
        settings=settings,
    )


def _conclude(made: Plan) -> None:
    """The last lines, and the exit code."""
    if made.graph.refusal:
        err.print(f"[bold red]Refused:[/] {escape(made.graph.refusal)}", soft_wrap=True)
    for problem in made.problems:
        err.print(f"[bold red]Not queried:[/] {escape(problem)}", soft_wrap=True)
    for obstacle in made.obstacles:
        err.print(f"[bold red]A load would be refused:[/] {escape(obstacle)}", soft_wrap=True)
    for caution in made.cautions:
        err.print(f"[bold yellow]A load may break off:[/] {escape(caution)}", soft_wrap=True)
    if made.obstacles:
        raise typer.Exit(FAILED)
    if made.problems:
        say("The plan is incomplete.")
        raise typer.Exit(FAILED)
    if made.failing:
        for line in made.failing:
            err.print(f"[bold red]A run would fail:[/] {escape(line)}", soft_wrap=True)
    if made.failing or made.graph.refusal:
        raise typer.Exit(FAILED)
    if made.destroyed:
        say(
            f"A load would destroy {plural(len(made.destroyed), 'thing')}, listed above. Nothing was written."
        )
        raise typer.Exit(DESTROYS)
    say("A load would destroy nothing. Nothing was written.")
