"""The results of a benchmark as Markdown, JSON and a plot."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from io import StringIO
from math import isnan
from pathlib import Path

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.bars import ASKED_FROM, bar_lines, bars, growth
from benchmarks.contenders import CONTENDERS
from benchmarks.rates import NONE, Rates
from benchmarks.series import Measurement, medians
from benchmarks.target import Memory, Target

REFERENCE, LIMIT = "driver", "offline-import"
_COLUMNS = (
    "contender",
    "nodes/s",
    "× ref.",
    "× offline",
    "relationships/s",
    "× ref.",
    "× offline",
    "wall s",
    "× ref.",
    "client CPU s",
    "Neo4j CPU s",
    "client MB",
    "runs",
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything measured, and on what."""

    machine: dict[str, str]
    measurements: tuple[Measurement, ...]


def machine(target: Target, memory: Memory) -> dict[str, str]:
    """What the numbers were measured on; no names, no paths."""
    neo4j = target.graph.rows("CALL dbms.components() YIELD versions RETURN versions[0] AS version")
    with target.source_server.connect("postgres") as connection:
        postgres = connection.info.server_version // 10_000
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "PostgreSQL": str(postgres),
        "Neo4j": f"{neo4j[0]['version']} Community",
        "Neo4j's memory": f"heap {memory.heap_mb} MiB, page cache {memory.page_cache_mb} MiB",
        "neo4j driver": f"{version('neo4j')} with its Rust extension",
        "Dagster": version("dagster"),
    }


def write_report(report: Report, folder: Path) -> None:
    """Write `benchmark.md` and `benchmark.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmark.md").write_text(markdown(report), encoding="utf-8")
    (folder / "benchmark.json").write_text(
        json.dumps(asdict(report), indent=1, ensure_ascii=False), encoding="utf-8"
    )


def draw_plot(measurements: list[Measurement], folder: Path) -> None:
    """Write the plot as PNG and SVG."""
    # Imported here: a run without a plot needs no library that draws.
    from benchmarks.plot import draw

    draw(medians(measurements), folder)


def markdown(report: Report) -> str:
    """The machine, and a table for each size."""
    lines = [f"- {name}: {value}" for name, value in report.machine.items()]
    middle = medians(list(report.measurements))
    full = [m for m in middle if not CONTENDERS[m.contender].sampled]
    for events in dict.fromkeys(m.events for m in full):
        rows = [m for m in middle if m.events == events or CONTENDERS[m.contender].sampled]
        rows.sort(key=lambda m: list(CONTENDERS).index(m.contender))
        first = next(m for m in rows if m.events == events)
        lines += [
            "",
            f"### {events:,} play events",
            "",
            f"{first.nodes:,} nodes, {first.relationships:,} relationships;"
            " the median of each contender's runs.",
            "",
            _table(rows, of=first),
            "",
            *_phases(rows),
            "",
            *(bar_lines(bars(rows)) if events >= ASKED_FROM else ()),
        ]
    lines += ["", *bar_lines(growth(full))]
    return "\n".join(lines) + "\n"


def _table(rows: list[Measurement], *, of: Measurement) -> str:
    table = Table(box=box.MARKDOWN)
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column == "contender" else "right")
    rates = {m.contender: Rates.of(m) for m in rows}
    for measured in rows:
        table.add_row(*_cells(measured, rates, of))
    text = StringIO()
    Console(file=text, width=300).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines() if line.strip())


def _cells(measured: Measurement, rates: dict[str, Rates], of: Measurement) -> list[str]:
    own, contender = rates[measured.contender], CONTENDERS[measured.contender]
    reference, limit = rates.get(REFERENCE, NONE), rates.get(LIMIT, NONE)
    wall, mark = own.wall, ""
    if contender.sampled:
        wall = of.nodes / own.nodes + of.relationships / own.relationships
        mark = f" (extrapolated from {measured.nodes + measured.relationships:,} statements)"
    return [
        contender.title + mark,
        _shown(own.nodes),
        _ratio(own.nodes, reference.nodes),
        _ratio(own.nodes, limit.nodes),
        _shown(own.relationships),
        _ratio(own.relationships, reference.relationships),
        _ratio(own.relationships, limit.relationships),
        f"{wall:,.1f}",
        _ratio(wall, reference.wall),
        "" if contender.sampled else f"{measured.numbers['client_cpu']:,.1f}",
        f"{measured.numbers['neo4j_cpu']:,.1f}"
        if contender.online and not contender.sampled
        else "",
        f"{measured.numbers['peak_mb']:,.0f}",
        str(measured.round),
    ]


def _shown(rate: float) -> str:
    return "" if isnan(rate) else f"{rate:,.0f}"


def _ratio(value: float, base: float) -> str:
    return "" if isnan(value / base) else f"{value / base:.2f}"


def _phases(rows: list[Measurement]) -> list[str]:
    """What the contenders say of themselves."""
    return [
        f"- {CONTENDERS[m.contender].title}: "
        + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in m.facts.items())
        for m in rows
        if m.facts
    ]
