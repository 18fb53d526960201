"""The commands of `c360`, each in a module of its own."""

from __future__ import annotations

import typer

from c360_graph.cli import check, customer, demo, dev, load, questions, sandbox

app = typer.Typer(
    name="c360",
    help="Siloed PostgreSQL databases become one Neo4j graph, driven by rows of a control database.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("load")(load.load)
app.command("check")(check.check)
app.command("ask")(questions.ask_all)
app.command("customer")(customer.customer)
app.command("demo")(demo.demo)
app.command("dev")(dev.dev)
app.add_typer(sandbox.app, name="sandbox")
