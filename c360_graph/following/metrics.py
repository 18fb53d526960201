"""What a monitor is told of a follower: `/metrics` in Prometheus's text form, `/healthz`, and OpenTelemetry (extra `opentelemetry`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from c360_graph.errors import SettingsError
from c360_graph.following.given import Flushed
from c360_graph.following.mark import LagMeter

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation
    from opentelemetry.trace import Tracer


HEALTHY_SECONDS = 60.0
"""A follower that has not looked around for as long is not at work."""

COUNTERS = {
    "changes": "Changed rows that were brought into the graph.",
    "transactions": "Transactions in the graph.",
    "nodes_written": "Nodes made, updated and deleted.",
    "relationships_written": "Relationships made and deleted.",
    "refused_rows": "Rows that Neo4j refused.",
}
GAUGES = {
    "up": "1 while the sources are followed.",
    "held_tables": "Tables that are held, as they lost too many rows.",
}
"""What is counted, with its description."""

SERVICE_NAME = "c360_follow"
_SCOPE = "c360_graph.following"


class FollowMetrics:
    """Counts of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lag = LagMeter()
        self._changes = self._transactions = self._refused = self._held = 0
        self._nodes = self._relationships = 0
        self._is_following = False
        self._looked = 0.0

    def following(self) -> None:
        """The stream is read."""
        self._is_following = True
        self.looked()

    def stopped(self) -> None:
        """The stream is not read any more."""
        self._is_following = False

    def looked(self) -> None:
        """The follower has looked around."""
        self._looked = time.monotonic()

    def flushed(self, flushed: Flushed) -> None:
        """A transaction was written."""
        written = flushed.written
        with self._lock:
            self._lag.add(flushed.changes, flushed.lag_seconds)
            self._changes += flushed.changes
            self._transactions += 1
            self._refused += flushed.refused
            self._held = flushed.held
            self._nodes += written.nodes_made.total() + written.nodes_updated
            self._nodes += written.nodes_deleted.total()
            self._relationships += written.relationships_made + written.relationships_deleted

    @property
    def is_healthy(self) -> bool:
        """Whether the sources are followed at the moment."""
        return self._is_following and time.monotonic() - self._looked < HEALTHY_SECONDS

    def values(self) -> Mapping[str, int]:
        """The value of each of `COUNTERS` and `GAUGES` now."""
        return {
            "changes": self._changes,
            "transactions": self._transactions,
            "nodes_written": self._nodes,
            "relationships_written": self._relationships,
            "refused_rows": self._refused,
            "up": int(self.is_healthy),
            "held_tables": self._held,
        }

    def text(self) -> str:
        """All of it, in Prometheus's text form."""
        with self._lock:
            rates = self._lag.rates()
        values, lines = self.values(), []
        for name in GAUGES:
            lines += [f"# TYPE c360_follow_{name} gauge", f"c360_follow_{name} {values[name]}"]
        for name in COUNTERS:
            total = f"c360_follow_{name}_total"
            lines += [f"# TYPE {total} counter", f"{total} {values[name]}"]
        lines.append("# TYPE c360_follow_lag_seconds summary")
        for quantile, lag in (("0.5", rates.lag_p50_ms), ("0.99", rates.lag_p99_ms)):
            if lag is not None:
                lines.append(f'c360_follow_lag_seconds{{quantile="{quantile}"}} {lag / 1_000}')
        return "\n".join((*lines, ""))


@contextmanager
def serving(metrics: FollowMetrics, address: str | None) -> Iterator[int | None]:
    """Answer at `host:port` while the block runs; the port, None where no address is given.

    Raises:
        SettingsError: nothing can be served there.
    """
    if not address:
        yield None
        return
    host, _, port = address.rpartition(":")

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(HTTPStatus.OK, metrics.text())
            elif self.path == "/healthz":
                healthy = metrics.is_healthy
                status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "following\n" if healthy else "not following\n")
            else:
                self._answer(HTTPStatus.NOT_FOUND, "/metrics or /healthz\n")

        def _answer(self, status: HTTPStatus, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Nobody wants a line for each question."""

    try:
        server = ThreadingHTTPServer((host or "127.0.0.1", int(port)), Answers)
    except (OSError, ValueError, OverflowError) as error:
        raise SettingsError(
            f"C360_FOLLOW_METRICS {address!r} cannot be served: {error}. Give host:port, such as"
            " 127.0.0.1:9464."
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="c360-metrics", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def exporting(metrics: FollowMetrics, *, is_wanted: bool) -> Iterator[Callable[[Flushed], None]]:
    """Send metrics and spans while the block runs; yields what is to be told of each transaction.

    Where to and how often is said by OpenTelemetry's own variables, such as OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_HEADERS and OTEL_METRIC_EXPORT_INTERVAL. No row, key or name of a source is sent.

    Raises:
        SettingsError: a package that sends is not installed.
    """
    if not is_wanted:
        yield lambda flushed: None
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingsError(
            "C360_FOLLOW_TELEMETRY needs a package that is not installed:"
            " pip install 'c360-graph[opentelemetry]'."
        ) from None
    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": SERVICE_NAME}))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    meters = MeterProvider(resource=resource, metric_readers=[reader])
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    try:
        yield _told(metrics, meters.get_meter(_SCOPE), tracers.get_tracer(_SCOPE))
    finally:
        meters.shutdown()
        tracers.shutdown()


def _told(metrics: FollowMetrics, meter: Meter, tracer: Tracer) -> Callable[[Flushed], None]:
    """Make the instruments, and what is to be told of each transaction."""
    for name, description in COUNTERS.items():
        meter.create_observable_counter(
            f"c360.follow.{name}", [partial(_observed, metrics, name)], description=description
        )
    for name, description in GAUGES.items():
        meter.create_observable_gauge(
            f"c360.follow.{name}", [partial(_observed, metrics, name)], description=description
        )
    lag = meter.create_histogram(
        "c360.follow.lag", unit="s", description="From a source's COMMIT to the graph's."
    )

    def told(flushed: Flushed) -> None:
        for seconds in flushed.lag_seconds:
            lag.record(seconds)
        now = time.time_ns()
        span = tracer.start_span(
            "c360.follow.transaction",
            start_time=now - int(1e9 * max(flushed.lag_seconds, default=0.0)),
            attributes={"changes": flushed.changes, "refused_rows": flushed.refused},
        )
        span.end(now)

    return told


def _observed(metrics: FollowMetrics, name: str, options: CallbackOptions) -> Iterable[Observation]:
    from opentelemetry.metrics import Observation

    return [Observation(metrics.values()[name])]
