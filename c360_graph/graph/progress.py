"""How far a load is: counted by those who work, told now and then by one who watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from c360_graph.errors import C360Error
from c360_graph.faults import repeating

REPORT_SECONDS = 5.0
LIVE_SECONDS = 0.5
_MINUTE, _HOUR = 60, 3_600


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A moment of a load. `total` is None where it cannot be known beforehand."""

    phase: str
    unit: str
    done: int
    total: int | None
    seconds: float

    @property
    def per_second(self) -> float:
        """Units a second since the phase began."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time left at this rate."""
        if self.total is None or self.done == 0:
            return None
        return max(0.0, (self.total - self.done) / self.per_second)

    @property
    def rate(self) -> str:
        """`1,200 rows/s, 40 s left`; nothing before anything is done."""
        if not self.done:
            return ""
        left = "" if self.seconds_left is None else f", {_duration(self.seconds_left)} left"
        return f"{self.per_second:,.0f} {self.unit}/s{left}"

    def __str__(self) -> str:
        share = ""
        if self.total:
            share = f"/{self.total:,} ({min(1.0, self.done / self.total):.0%})"
        rate = f", {self.rate}" if self.rate else ""
        return f"{self.phase}: {self.done:,}{share} {self.unit}{rate}"


@dataclass(frozen=True)
class LiveReport:
    """A report that is told often: what it shows moves, where lines of a log would pile up."""

    show: Callable[[Progress], None]

    def __call__(self, progress: Progress) -> None:
        self.show(progress)


class ProgressMeter:
    """Counts of the phase at hand; safe to add to from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begin = time.monotonic()
        self._phase, self._unit = "starting", "rows"
        self._done = 0
        self._total: int | None = None
        self._poll: Callable[[], int] | None = None

    def begin(
        self,
        phase: str,
        *,
        unit: str,
        total: int | None,
        poll: Callable[[], int] | None = None,
    ) -> None:
        """A new phase; `poll` asks for what is done where nobody counts it."""
        with self._lock:
            self._begin = time.monotonic()
            self._phase, self._unit = phase, unit
            self._done, self._total, self._poll = 0, total, poll

    def add(self, count: int) -> None:
        """More is done."""
        with self._lock:
            self._done += count

    def now(self) -> Progress:
        """The phase at this moment."""
        with self._lock:
            poll, phase, unit, total = self._poll, self._phase, self._unit, self._total
            done, seconds = self._done, time.monotonic() - self._begin
        return Progress(
            phase=phase,
            unit=unit,
            done=poll() if poll else done,
            total=total,
            seconds=seconds,
        )


@contextmanager
def reporting(
    meter: ProgressMeter, report: Callable[[Progress], None], every: float | None = None
) -> Iterator[None]:
    """Report now and then while the block runs. A report that fails is left out.

    Args:
        meter: what is reported.
        report: who is told; a `LiveReport` is told more often.
        every: seconds between two reports.
    """
    if every is None:
        every = LIVE_SECONDS if isinstance(report, LiveReport) else REPORT_SECONDS

    def tell() -> bool:
        # A poll may meet a lost connection; the load itself deals with that.
        with suppress(C360Error):
            report(meter.now())
        return True

    with repeating(tell, every=every, name="c360-progress"):
        yield


def _duration(seconds: float) -> str:
    """`40 s`, `3 min`, `1 h 5 min`."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / _MINUTE)
    if minutes < _HOUR // _MINUTE:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
