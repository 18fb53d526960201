"""Time against size, one line a contender."""

from __future__ import annotations

from pathlib import Path

import altair as alt

from benchmarks.contenders import CONTENDERS
from benchmarks.series import Measurement

_SIZE, _SECONDS, _WHO = "play events", "seconds, whole process", "contender"


def draw(measurements: list[Measurement], folder: Path) -> None:
    """Write `benchmark.png` and `benchmark.svg`.

    Not by a library on NumPy: the driver imports that wherever it is installed, and the contenders'
    memory would be measured with it.
    """
    points = [
        {
            _SIZE: m.events,
            _SECONDS: round(m.numbers["wall"], 2),
            _WHO: CONTENDERS[m.contender].title,
        }
        for m in measurements
    ]
    scale = alt.Scale(type="log", nice=False, padding=12)
    chart = (
        alt.Chart(alt.InlineData(values=points))
        .mark_line(point=True)
        .encode(
            x=alt.X(_SIZE, type="quantitative", scale=scale),
            y=alt.Y(_SECONDS, type="quantitative", scale=scale),
            color=alt.Color(
                _WHO,
                type="nominal",
                sort=[contender.title for contender in CONTENDERS.values()],
                legend=alt.Legend(labelLimit=400),
            ),
        )
        .properties(width=560, height=380)
    )
    chart.save(folder / "benchmark.svg")
    chart.save(folder / "benchmark.png", scale_factor=2)
