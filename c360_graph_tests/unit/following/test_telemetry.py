"""What is sent by OpenTelemetry, to a collector that keeps it."""

from __future__ import annotations

import gzip
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from c360_graph.following.given import Flushed
from c360_graph.following.graph_writer import Written
from c360_graph.following.metrics import FollowMetrics, exporting


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Its address, and what was posted to which path."""
    posted: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            posted.append((self.path, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", posted
        server.shutdown()
        thread.join()


def test_counts_lag_and_a_span_of_each_transaction_are_sent_at_the_end_at_the_latest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with collector() as (address, posted):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        metrics = FollowMetrics()
        with exporting(metrics, is_wanted=True) as export:
            metrics.following()
            written = Written(nodes_made=Counter({"a/b": 2}), relationships_made=3)
            flushed = Flushed(written=written, changes=4, lag_seconds=(0.25, 0.5), refused=1)
            metrics.flushed(flushed)
            export(flushed)
    (sent,) = (
        ExportMetricsServiceRequest.FromString(body)
        for path, body in posted
        if path == "/v1/metrics"
    )
    (resource,) = sent.resource_metrics
    names = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert names["service.name"] == "c360_follow"
    found = {m.name: m for scope in resource.scope_metrics for m in scope.metrics}
    assert found["c360.follow.changes"].sum.data_points[0].as_int == 4
    assert found["c360.follow.nodes_written"].sum.data_points[0].as_int == 2
    assert found["c360.follow.relationships_written"].sum.data_points[0].as_int == 3
    assert found["c360.follow.refused_rows"].sum.data_points[0].as_int == 1
    assert found["c360.follow.up"].gauge.data_points[0].as_int == 1
    (lags,) = found["c360.follow.lag"].histogram.data_points
    assert (lags.count, lags.sum) == (2, 0.75)
    (traced,) = (
        ExportTraceServiceRequest.FromString(body) for path, body in posted if path == "/v1/traces"
    )
    (span,) = traced.resource_spans[0].scope_spans[0].spans
    assert span.name == "c360.follow.transaction"
    assert span.end_time_unix_nano - span.start_time_unix_nano == 500_000_000
    assert {a.key: a.value.int_value for a in span.attributes} == {"changes": 4, "refused_rows": 1}


def test_nothing_is_sent_unless_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as (address, posted):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        with exporting(FollowMetrics(), is_wanted=False) as export:
            export(Flushed(written=Written(), changes=1, lag_seconds=()))
    assert posted == []
