"""What a monitor is told."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import Counter

import pytest

from c360_graph.errors import SettingsError
from c360_graph.following.given import Flushed
from c360_graph.following.graph_writer import Written
from c360_graph.following.metrics import FollowMetrics, serving


def asked(port: int | None, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_counts_and_lag_are_told_and_health_is_whether_the_stream_is_read() -> None:
    metrics = FollowMetrics()
    with serving(metrics, "127.0.0.1:0") as port:
        assert asked(port, "/healthz") == (503, "not following\n")
        metrics.following()
        assert asked(port, "/healthz") == (200, "following\n")
        written = Written(
            nodes_made=Counter({"a/b": 2}),
            nodes_deleted=Counter({"a/b": 1}),
            relationships_made=3,
        )
        metrics.flushed(Flushed(written=written, changes=4, lag_seconds=(0.25,), refused=1, held=2))
        status, text = asked(port, "/metrics")
        assert status == 200
        lines = text.splitlines()
        assert "c360_follow_up 1" in lines
        assert "c360_follow_changes_total 4" in lines
        assert "c360_follow_nodes_written_total 3" in lines
        assert "c360_follow_relationships_written_total 3" in lines
        assert "c360_follow_refused_rows_total 1" in lines
        assert "c360_follow_held_tables 2" in lines
        assert 'c360_follow_lag_seconds{quantile="0.99"} 0.25' in lines
        assert asked(port, "/else")[0] == 404
        metrics.stopped()
        assert asked(port, "/healthz")[0] == 503


def test_nothing_is_served_without_a_setting() -> None:
    with serving(FollowMetrics(), None) as port:
        assert port is None


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999"])
def test_an_address_that_cannot_be_served_is_named(address: str) -> None:
    with (
        pytest.raises(SettingsError, match=f"C360_FOLLOW_METRICS '{address}'"),
        serving(FollowMetrics(), address),
    ):
        pass
