"""How the command speaks: results to standard output, everything else to standard error, progress, and what its exit codes say."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.highlighter import JSONHighlighter
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from c360_graph.errors import C360Error
from c360_graph.graph.progress import LiveReport, Progress
from c360_graph.new_project import WrittenFiles
from c360_graph.questions import shown
from c360_graph.text import json_visible, visible, visible_line

FAILED, DESTROYS = 1, 2

EPILOG = """\
**Exit codes:** `0` done · `1` something failed or was refused; the reason is on standard error ·
`2` the command line is wrong, or `c360 plan` found that a load would destroy something.

Results go to standard output, everything else to standard error. With `--json`, standard output is one
JSON document, or empty after an error. Output is colored only in a terminal; `NO_COLOR=1` switches
colors off.

**First steps:** `c360 sandbox up` · `c360 check` · `c360 plan` · `c360 COMMAND --help` for examples.
"""
"""The end of `c360 --help`."""

# A file or a pipe gets whole lines, not those of a terminal 80 columns wide.
_PIPE_WIDTH = 200
MAX_ROWS = 20

Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document to standard output, and nothing else."),
]

Apply = Annotated[
    bool, typer.Option("--apply", help="Add the rows to the control database after a confirmation.")
]
Yes = Annotated[bool, typer.Option("--yes", help="With --apply: skip the confirmation.")]

Report = Callable[[Progress], None]


class SafeConsole(Console):
    """A console whose own codes are the only ones that reach the terminal.

    Names and values come from databases, and may hold escape sequences.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """The segments, those of text with every character that acts as its escape."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


out = SafeConsole(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH)
err = SafeConsole(stderr=True, width=None if sys.stderr.isatty() else _PIPE_WIDTH, highlight=False)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """An error of ours ends the command with its message and exit code 1, without a stack."""
    # The driver tells of each attempt; the error at the end says it once.
    driver = logging.getLogger("neo4j")
    level = driver.level
    driver.setLevel(logging.ERROR)
    try:
        yield
    except C360Error as error:
        err.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(FAILED) from None
    finally:
        driver.setLevel(level)


def say(message: str) -> None:
    """A line for the person who waits."""
    err.print(escape(message), soft_wrap=True)


def print_json(value: Any) -> None:
    """The one JSON document that standard output holds."""
    text = json_visible(json.dumps(_jsonable(value), indent=2, ensure_ascii=False))
    out.print(JSONHighlighter()(text), soft_wrap=True)


def print_written(folder: Path, done: WrittenFiles, *, as_json: bool) -> None:
    """The files that were written, on standard output, and those that were there already."""
    if as_json:
        print_json({"written": done.written, "kept": done.kept})
    else:
        for name in done.written:
            out.print(str(folder / name), markup=False, highlight=False, soft_wrap=True)
    for name in done.kept:
        say(f"{folder / name} exists and stays as it is.")


Cell = str | Text | int | tuple[str, ...] | None
"""What stands in a cell of a grid; of several texts each is a line."""


def grid(
    title: str,
    columns: tuple[str, ...],
    rows: Iterable[tuple[Cell, ...]],
    *,
    right: tuple[str, ...] = (),
) -> Table:
    """Facts as a table: numbers to the right, as are the columns named in `right`."""
    listed = list(rows)
    table = Table(title=escape(visible_line(title)), title_justify="left", show_header=any(columns))
    for position, column in enumerate(columns):
        numeric = any(isinstance(row[position], int) for row in listed)
        justify: Literal["left", "right"] = "right" if numeric or column in right else "left"
        table.add_column(column, justify=justify, overflow="fold")
    for row in listed:
        table.add_row(*map(_cell, row))
    return table


def print_counts(nodes: Mapping[str, int], relationships: Mapping[str, int]) -> None:
    """What a graph holds, as two tables."""
    out.print(grid("Nodes", ("label", "count"), nodes.items()))
    out.print(grid("Relationships", ("type", "count"), relationships.items()))


def rows_table(
    title: str,
    columns: tuple[str, ...],
    rows: tuple[tuple[Any, ...], ...],
    *,
    row_count: int | None = None,
    most: int = MAX_ROWS,
) -> Table:
    """The first of `row_count` rows, which is as many as are given where it is None.

    The caption says how many more there are.
    """
    more = (len(rows) if row_count is None else row_count) - min(len(rows), most)
    table = Table(
        title=escape(visible_line(title)),
        title_justify="left",
        caption=f"and {more:,} more rows" if more > 0 else None,
    )
    for position, column in enumerate(columns):
        numeric = all(isinstance(row[position], int | float) for row in rows)
        table.add_column(
            escape(visible_line(column)), justify="right" if numeric else "left", overflow="fold"
        )
    for row in rows[:most]:
        table.add_row(*(escape(visible_line(shown(value))) for value in row))
    return table


def _cell(value: Cell) -> str | Text:
    if isinstance(value, tuple):
        return escape("\n".join(map(visible_line, value)))
    if isinstance(value, Text):
        return Text(visible_line(value.plain), style=value.style)
    if isinstance(value, int):
        return f"{value:,}"
    return escape(visible_line(value or ""))


def _jsonable(value: Any) -> Any:
    """JSON has neither moments nor numbers that are none; a type it lacks is written as its text."""
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


@contextmanager
def shown_progress(console: Console) -> Iterator[Report]:
    """A report for a load. The bar is gone when the block ends."""
    if not console.is_terminal:
        yield lambda progress: console.print(str(progress), markup=False, soft_wrap=True)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield LiveReport(_PhaseBar(bars).show)


class _PhaseBar:
    """One bar, which begins anew with each phase."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._phase = ""
        self._task: TaskID | None = None

    def show(self, progress: Progress) -> None:
        if self._task is None or progress.phase != self._phase:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._phase = progress.phase
            self._task = self._bars.add_task(progress.phase, total=None, rate="")
        self._bars.update(
            self._task,
            total=progress.total,
            completed=progress.done,
            rate=progress.rate,
            refresh=True,
        )
