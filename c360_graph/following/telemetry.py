"""Sends what `/metrics` tells, and a span for each transaction, by OpenTelemetry (extra `opentelemetry`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from c360_graph.errors import SettingsError
from c360_graph.following.given import Flushed
from c360_graph.following.metrics import COUNTERS, GAUGES, FollowMetrics

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation
    from opentelemetry.trace import Tracer

SERVICE_NAME = "c360_follow"
_SCOPE = "c360_graph.following"


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
