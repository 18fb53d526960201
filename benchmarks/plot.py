"""Time against size, one line a contender."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.contenders import CONTENDERS
from benchmarks.series import Measurement


def draw(measurements: list[Measurement], folder: Path) -> None:
    """Write `benchmark.png` and `benchmark.svg`."""
    mpl.rcParams["svg.hashsalt"] = "c360"
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.add_subplot()
    for name, contender in CONTENDERS.items():
        points = sorted(
            (m.nodes + m.relationships, m.numbers["wall"])
            for m in measurements
            if m.contender == name
        )
        if not points:
            continue
        style = "--o" if contender.sampled else "-o"
        axes.plot([x for x, _ in points], [y for _, y in points], style, label=contender.title)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("nodes and relationships")
    axes.set_ylabel("seconds, whole process")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(fontsize="small")
    figure.savefig(folder / "benchmark.png", dpi=150)
    figure.savefig(folder / "benchmark.svg", metadata={"Date": None})
