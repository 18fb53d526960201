"""How far a load is, for the person who waits: a bar on a terminal, else lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from c360_graph.graph.progress import LiveReport, Progress

Report = Callable[[Progress], None]


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
