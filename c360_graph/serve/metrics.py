"""What a monitor asks of `c360 serve`, in Prometheus's text form: counts of one process.

Where there are several workers, each scrape is answered by one, and its counts have its process id.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

BOUNDS = (0.002, 0.004, 0.006, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets, in seconds."""


class ServeMetrics:
    """Requests by route and status, and how long they took by route."""

    def __init__(self, *, worker: str = "") -> None:
        self._of = f',worker="{worker}"' if worker else ""
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests[route, status] += 1
        buckets = self._buckets.setdefault(route, [0] * (len(BOUNDS) + 1))
        buckets[bisect_left(BOUNDS, seconds)] += 1
        # Counter is typed for integers, and adds floats as well.
        self._seconds[route] += seconds  # type: ignore[assignment]

    def text(self, *, state: str, is_ready: bool) -> str:
        """All of it."""
        lines = ["# TYPE c360_serve_ready gauge", f"c360_serve_ready {int(is_ready)}"]
        lines += ["# TYPE c360_serve_graph_state gauge"]
        for name in ("whole", "rebuilding", "absent", "unreachable"):
            lines.append(f'c360_serve_graph_state{{state="{name}"}} {int(name == state)}')
        lines.append("# TYPE c360_serve_requests_total counter")
        for (route, status), count in sorted(self._requests.items()):
            lines.append(
                f'c360_serve_requests_total{{route="{route}",status="{status}"{self._of}}} {count}'
            )
        lines.append("# TYPE c360_serve_request_seconds histogram")
        for route, buckets in sorted(self._buckets.items()):
            total = 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
                total += count
                lines.append(
                    f'c360_serve_request_seconds_bucket{{route="{route}",le="{bound}"{self._of}}} {total}'
                )
            lines.append(
                f'c360_serve_request_seconds_sum{{route="{route}"{self._of}}} {self._seconds[route]}'
            )
            lines.append(f'c360_serve_request_seconds_count{{route="{route}"{self._of}}} {total}')
        return "\n".join((*lines, ""))
