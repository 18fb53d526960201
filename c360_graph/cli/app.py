"""The commands of `c360`, each in a module of its own."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from c360_graph.cli import (
    check,
    customer,
    demo,
    dev,
    export,
    finish_import,
    follow,
    init,
    load,
    model,
    plan,
    questions,
    run,
    sandbox,
    serve,
    source,
    worker,
)
from c360_graph.cli.map import map_source
from c360_graph.cli.output import EPILOG
from c360_graph.settings import use_env_file_variables

app = typer.Typer(
    name="c360",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"c360_graph {version('c360-graph')}")
        raise typer.Exit


@app.callback()
def main(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Siloed PostgreSQL databases become one Neo4j graph, driven by rows of a control database."""
    use_env_file_variables()


app.command("init")(init.init)
app.command("run")(run.run)
app.command("load")(load.load)
app.command("export")(export.export)
app.command("finish-import")(finish_import.finish_import)
app.command("follow")(follow.follow)
app.command("check")(check.check)
app.command("plan")(plan.plan)
app.command("map")(map_source)
app.command("export-model")(model.export_model)
app.command("import-model")(model.import_model)
app.command("ask")(questions.ask)
app.command("customer")(customer.customer)
app.command("demo")(demo.demo)
app.command("dev")(dev.dev)
app.command("worker")(worker.worker)
app.add_typer(serve.app, name="serve")
app.add_typer(source.app, name="source")
app.add_typer(sandbox.app, name="sandbox")
