"""`python -m benchmarks`: every contender on generated rows, with a table, JSON and a plot."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.contenders import CONTENDERS
from benchmarks.report import Report, draw_plot, machine, write_report
from benchmarks.series import Measurement, Plan, Series
from benchmarks.target import Memory, running_target

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(
    events: Annotated[list[int], typer.Option(help="Play events; may be given several times.")],
    rounds: Annotated[int, typer.Option(help="Rounds; the median is told.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the generated rows.")] = 360,
    contender: Annotated[
        list[str] | None, typer.Option(help=f"Only these: {', '.join(CONTENDERS)}.")
    ] = None,
    once: Annotated[
        list[str] | None, typer.Option(help="Contenders that run in the first round alone.")
    ] = None,
    sample_events: Annotated[
        int, typer.Option(help="Play events for one statement a row, whose rate is extrapolated.")
    ] = 2_000,
    warm_up: Annotated[
        bool, typer.Option(help="First everybody loads a small set, unmeasured.")
    ] = True,
    line: Annotated[str, typer.Option(help="Line of Neo4j: 2026 or 5.26.")] = "2026",
    heap_mb: Annotated[int, typer.Option(help="Neo4j's heap.")] = 2_048,
    page_cache_mb: Annotated[int, typer.Option(help="Neo4j's page cache.")] = 2_048,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("bench_results"),
    plot: Annotated[bool, typer.Option(help="Draw time against play events.")] = True,
) -> None:
    """Measure this project beside what one would use instead."""
    with tempfile.TemporaryDirectory(prefix="c360_bench_") as name:
        folder = Path(name)
        plan = Plan(
            sizes=tuple(sorted(events)),
            rounds=rounds,
            seed=seed,
            contenders=tuple(contender or CONTENDERS),
            once=frozenset(once or ()),
            sample_events=sample_events,
            warm_up=warm_up,
            line=line,
            memory=Memory(heap_mb=heap_mb, page_cache_mb=page_cache_mb),
            folder=folder,
        )
        imports = folder / "imports"
        imports.mkdir()
        with running_target(
            folder / "sandbox", line=line, memory=plan.memory, imports=imports
        ) as target:
            measured = _measure(Series(plan, target, _say), machine(target, plan.memory), out)
    if plot:
        draw_plot(measured, out)
    typer.echo((out / "benchmark.md").read_text(encoding="utf-8"))


def _measure(series: Series, on: dict[str, str], out: Path) -> list[Measurement]:
    """Everything, written anew after each measurement: a run of hours may break off."""
    measured: list[Measurement] = []
    for each in series.measure():
        measured.append(each)
        write_report(Report(machine=on, measurements=tuple(measured)), out)
    return measured


def _say(message: str) -> None:
    typer.echo(message, err=True)


if __name__ == "__main__":
    app()
