"""Rates of the last minute, whatever was added and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from c360_graph.following import mark
from c360_graph.following.mark import LagMeter, percentile

STEPS = st.lists(
    st.tuples(st.floats(0, 40), st.lists(st.sampled_from([0.1, 0.2, 0.2, 0.5, 3.0]), max_size=5)),
    min_size=1,
)


@given(STEPS, st.integers(1, 8))
def test_lags_are_those_of_the_last_minute_and_the_newest_of_them(
    steps: list[tuple[float, list[float]]], most: int
) -> None:
    now = 0.0
    meter = LagMeter(clock=lambda: now)
    kept: list[tuple[float, float]] = []
    former, mark.MOST_LAGS = mark.MOST_LAGS, most
    try:
        for seconds, lags in steps:
            now += seconds
            meter.add(len(lags), lags)
            kept = [*kept, *((now, one) for one in lags)][-most:]
            kept = [(moment, one) for moment, one in kept if moment >= now - mark.WINDOW_SECONDS]
            rates = meter.rates()
            wanted = sorted(one for _, one in kept)
            shown = (rates.lag_p50_ms, rates.lag_p99_ms)
            assert shown == (
                tuple(round(percentile(wanted, p) * 1_000, 1) for p in (50, 99))
                if wanted
                else (None, None)
            )
    finally:
        mark.MOST_LAGS = former
