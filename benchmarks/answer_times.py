"""How long answers took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from c360_graph.following.mark import percentile


@dataclass(frozen=True, kw_only=True)
class AnswerTimes:
    """One way to ask, at a steady rate or by clients that each ask again at once."""

    what: str
    generator: str
    asked_rate: int | None
    clients: int | None
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    server_mb: float | None = None

    @classmethod
    def of(
        cls,
        milliseconds: Iterable[float],
        *,
        what: str,
        generator: str,
        seconds: float,
        asked_rate: int | None = None,
        clients: int | None = None,
    ) -> AnswerTimes:
        """What the times of answers within some seconds come to."""
        took = sorted(milliseconds)
        return cls(
            what=what,
            generator=generator,
            asked_rate=asked_rate,
            clients=clients,
            requests_per_second=round(len(took) / seconds, 1),
            p50_ms=round(percentile(took, 50), 2),
            p99_ms=round(percentile(took, 99), 2),
        )
