"""How far the graph is behind the sources, and how much comes: over the last minute."""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from c360_graph.mapping.control_rows import Frozen

WINDOW_SECONDS = 60.0
MOST_LAGS = 20_000


class Rates(Frozen):
    """Of the last minute. Lag is from a COMMIT in a source to that in the graph, by both clocks."""

    moment: datetime
    changes_per_second: float
    lag_p50_ms: float | None = None
    lag_p99_ms: float | None = None


class LagMeter:
    """Remembers what was brought into the graph within the last minute."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._changes: deque[tuple[float, int]] = deque()
        self._lags: deque[tuple[float, float]] = deque()
        # Kept in order, since each transaction of ours writes the rates into the graph.
        self._ascending: list[float] = []

    def add(self, changes: int, lag_seconds: Sequence[float]) -> None:
        """Remember one transaction of ours."""
        now = self._clock()
        self._changes.append((now, changes))
        for lag in lag_seconds:
            if len(self._lags) == MOST_LAGS:
                self._forget_oldest_lag()
            self._lags.append((now, lag))
            insort(self._ascending, lag)

    def _forget_oldest_lag(self) -> None:
        _, lag = self._lags.popleft()
        del self._ascending[bisect_left(self._ascending, lag)]

    def rates(self) -> Rates:
        """What it was like in the last minute."""
        now = self._clock()
        while self._changes and self._changes[0][0] < now - WINDOW_SECONDS:
            self._changes.popleft()
        while self._lags and self._lags[0][0] < now - WINDOW_SECONDS:
            self._forget_oldest_lag()
        seconds = max(1.0, min(WINDOW_SECONDS, now - self._begun))
        return Rates(
            moment=datetime.now(UTC),
            changes_per_second=round(sum(count for _, count in self._changes) / seconds, 1),
            lag_p50_ms=_milliseconds(self._ascending, 50),
            lag_p99_ms=_milliseconds(self._ascending, 99),
        )


def percentile(ascending: Sequence[float], percent: int) -> float:
    """The value that so many percent of the values are below; there is one at least.

    >>> percentile([0.1, 0.2, 0.3], 50), percentile([0.1, 0.2, 0.3], 99)
    (0.2, 0.3)
    """
    return ascending[len(ascending) * percent // 100]


def _milliseconds(lags: Sequence[float], percent: int) -> float | None:
    return round(percentile(lags, percent) * 1_000, 1) if lags else None
