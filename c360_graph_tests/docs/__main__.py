"""`python -m c360_graph_tests.docs check [DOCUMENT...]`, and `renew` for what is generated."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from c360_graph_tests.conftest import REPOSITORY
from c360_graph_tests.docs.configuration import DOCUMENT, configuration
from c360_graph_tests.docs.documents import check_document, document_names
from c360_graph_tests.docs.running import Outcome, What

COLOURS: dict[What, str] = {"passed": "green", "failed": "bold red", "not run": "yellow"}

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
out = Console(width=None if Console().is_terminal else 160)


@app.command()
def check(
    documents: Annotated[
        list[str] | None, typer.Argument(help="Such as README.md.", show_default="all")
    ] = None,
) -> None:
    """Run every command of the documents, each document in a fresh copy of the project; exit 1 on a failure."""
    outcomes: list[Outcome] = []
    for name in documents or document_names():
        for outcome in check_document(name):
            outcomes.append(outcome)
            out.print(
                Text.assemble(
                    (f"{outcome.what:8}", COLOURS[outcome.what]),
                    f" {outcome.place:32} {outcome.seconds:5.1f} s  {_first_line(outcome.text)}",
                )
            )
            if outcome.what == "failed":
                out.print(outcome.reason, markup=False, highlight=False)
    out.print(_not_run(outcomes))
    failed = sum(outcome.what == "failed" for outcome in outcomes)
    out.print(f"{len(outcomes)} commands and statements, {failed} failed.")
    raise typer.Exit(1 if failed else 0)


@app.command()
def renew() -> None:
    """Write docs/configuration.md anew from the settings."""
    (REPOSITORY / DOCUMENT).write_text(configuration(), encoding="utf-8")


def _not_run(outcomes: list[Outcome]) -> Table:
    table = Table("where", "command", "why", title="Not run", title_justify="left")
    for outcome in outcomes:
        if outcome.what == "not run":
            table.add_row(outcome.place, Text(outcome.text), outcome.reason)
    return table


def _first_line(text: str) -> str:
    return text.partition("\n")[0][:100]


if __name__ == "__main__":
    app()
