"""How far the graph is behind the sources, and how much comes: over the last minute."""

from __future__ import annotations

import time
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
        self._lags: deque[tuple[float, float]] = deque(maxlen=MOST_LAGS)

    def add(self, changes: int, lag_seconds: Sequence[float]) -> None:
        """Remember one transaction of ours."""
        now = self._clock()
        self._changes.append((now, changes))
        self._lags.extend((now, lag) for lag in lag_seconds)

    def rates(self) -> Rates:
        """What it was like in the last minute."""
        now = self._clock()
        for events in (self._changes, self._lags):
            while events and events[0][0] < now - WINDOW_SECONDS:
                events.popleft()
        seconds = max(1.0, min(WINDOW_SECONDS, now - self._begun))
        lags = sorted(lag for _, lag in self._lags)
        return Rates(
            moment=datetime.now(UTC),
            changes_per_second=round(sum(count for _, count in self._changes) / seconds, 1),
            lag_p50_ms=_milliseconds(lags, 50),
            lag_p99_ms=_milliseconds(lags, 99),
        )


def _milliseconds(lags: list[float], percent: int) -> float | None:
    """A percentile.

    >>> _milliseconds([0.1, 0.2, 0.3], 50), _milliseconds([], 99)
    (200.0, None)
    """
    return round(lags[len(lags) * percent // 100] * 1_000, 1) if lags else None
