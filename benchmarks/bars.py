"""What the project asks of itself, as ratios within one run, and how far a run came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan, nan

from benchmarks.rates import NONE, Rates
from benchmarks.series import Measurement

ASKED_FROM = 1_000_000
"""Play events; with fewer, what happens once in a run, whatever its size, weighs too much."""
MEGABYTES = 300


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A number and what it shall be: at least, or at most."""

    name: str
    value: float
    wanted: float
    at_least: bool = True

    @property
    def is_met(self) -> bool:
        """Whether it is what it shall be."""
        return self.value >= self.wanted if self.at_least else self.value <= self.wanted


def bars(rows: Sequence[Measurement]) -> list[Bar]:
    """Those of one size; a contender that did not run leaves its bars out."""
    by_name = {row.contender: row for row in rows}
    rates = {name: Rates.of(row) for name, row in by_name.items()}
    found = [
        *_against_others(rates),
        *_against_offline(by_name, rates),
        *_of_the_whole(by_name, rates),
        *_of_other_ways(rates),
    ]
    return [bar for bar in found if not isnan(bar.value)]


def growth(rows: Iterable[Measurement]) -> list[Bar]:
    """How the whole run's time grows from a size to one five times as large."""
    wall = {row.events: row.numbers["wall"] for row in rows if row.contender == "pipeline"}
    return [
        Bar(
            name=f"time from {events:,} to {5 * events:,} play events",
            value=wall[5 * events] / seconds,
            wanted=5.5,
            at_least=False,
        )
        for events, seconds in sorted(wall.items())
        if 5 * events in wall
    ]


def bar_lines(found: Sequence[Bar]) -> list[str]:
    """A Markdown table."""
    if not found:
        return []
    lines = ["| bar | measured | wanted | |", "| --- | ---: | ---: | --- |"]
    for bar in found:
        sign, met = ("≥" if bar.at_least else "≤"), ("met" if bar.is_met else "**missed**")
        lines.append(
            f"| {bar.name} | {_number(bar.value)} | {sign} {_number(bar.wanted)} | {met} |"
        )
    return lines


def _against_others(rates: dict[str, Rates]) -> list[Bar]:
    own = rates.get("loader", NONE)
    wanted = {
        "driver": (1.2, "the reference"),
        "load-csv": (2.0, "LOAD CSV, plain"),
        "single-rows": (150.0, "one statement a row"),
    }
    nodes = [
        Bar(
            name=f"loader's nodes/s : {said}",
            value=own.nodes / rates.get(name, NONE).nodes,
            wanted=w,
        )
        for name, (w, said) in wanted.items()
    ]
    relationships = own.relationships / rates.get("driver", NONE).relationships
    return [
        *nodes,
        Bar(name="loader's relationships/s : the reference", value=relationships, wanted=1.0),
    ]


def _against_offline(by_name: dict[str, Measurement], rates: dict[str, Rates]) -> list[Bar]:
    """Nodes over all of the import's own time, as the bar was set: that makes relationships too."""
    if not (offline := by_name.get("offline-import")):
        return []
    name = "loader's nodes/s : nodes over the whole of the offline import's own time"
    nodes = offline.nodes / offline.facts["import"]
    return [Bar(name=name, value=rates.get("loader", NONE).nodes / nodes, wanted=1.0)]


def _of_the_whole(by_name: dict[str, Measurement], rates: dict[str, Rates]) -> list[Bar]:
    found = []
    if whole := by_name.get("pipeline"):
        facts = whole.facts
        reading = whole.nodes / (facts["extraction"] + facts["cypher_script"])
        share = facts["dagster"] / whole.numbers["wall"]
        loaded = rates.get("loader", NONE).nodes
        found += [
            Bar(name="extraction and script, rows/s", value=reading, wanted=200_000),
            Bar(name="that : loader's nodes/s", value=reading / loaded, wanted=5),
            Bar(name="Dagster's share of the whole run", value=share, wanted=0.1, at_least=False),
        ]
    for name in ("pipeline", "loader", "second-load"):
        memory = by_name[name].numbers["peak_mb"] if name in by_name else nan
        found.append(Bar(name=f"{name}, peak MB", value=memory, wanted=MEGABYTES, at_least=False))
    if second := by_name.get("second-load"):
        ratio = second.facts["neo4j_graph"] / second.facts["neo4j_graph of the first load"]
        found.append(
            Bar(
                name="second load : first, step neo4j_graph",
                value=ratio,
                wanted=0.1,
                at_least=False,
            )
        )
    return found


def _of_other_ways(rates: dict[str, Rates]) -> list[Bar]:
    """What this project's other ways gain or cost, beside the one that is the default."""
    default, one_session = rates.get("loader", NONE), rates.get("loader-one-session", NONE)
    bucket, offline = rates.get("pipeline-bucket", NONE), rates.get("offline-first-load", NONE)
    return [
        Bar(
            name="loader's relationships/s : the same with one session",
            value=default.relationships / one_session.relationships,
            wanted=1.3,
        ),
        Bar(
            name="whole run with files in a bucket : in the data folder, seconds",
            value=bucket.wall / rates.get("pipeline", NONE).wall,
            wanted=1.15,
            at_least=False,
        ),
        Bar(
            name="loader : export, import, start and constraints, seconds",
            value=default.wall / offline.wall,
            wanted=2.0,
        ),
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
