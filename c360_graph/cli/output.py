"""How the command speaks: results to standard output, everything else to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from c360_graph.answers import shown
from c360_graph.errors import C360Error

# A file or a pipe gets whole lines, not those of a terminal 80 columns wide.
_PIPE_WIDTH = 200
MAX_ROWS = 20

out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH)
err = Console(stderr=True, width=None if sys.stderr.isatty() else _PIPE_WIDTH, highlight=False)


@contextmanager
def errors_in_one_sentence() -> Iterator[None]:
    """An error of ours ends the command with its message and exit code 1, without a stack."""
    try:
        yield
    except C360Error as error:
        err.print(f"[bold red]Error:[/] {escape(str(error))}")
        raise typer.Exit(1) from None


def say(message: str) -> None:
    """A line for the person who waits."""
    err.print(escape(message))


def counts_table(title: str, name: str, counts: dict[str, int]) -> Table:
    """Names with their counts."""
    table = Table(title=title, title_justify="left")
    table.add_column(name)
    table.add_column("count", justify="right")
    for key, count in counts.items():
        table.add_row(escape(key), f"{count:,}")
    return table


def rows_table(
    title: str,
    columns: tuple[str, ...],
    rows: tuple[tuple[Any, ...], ...],
    *,
    most: int = MAX_ROWS,
) -> Table:
    """The first rows of an answer; the caption says how many more there are."""
    more = len(rows) - most
    table = Table(
        title=escape(title),
        title_justify="left",
        caption=f"and {more} more rows" if more > 0 else None,
    )
    for position, column in enumerate(columns):
        numeric = all(isinstance(row[position], int | float) for row in rows)
        table.add_column(escape(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows[:most]:
        table.add_row(*(escape(shown(value)) for value in row))
    return table
