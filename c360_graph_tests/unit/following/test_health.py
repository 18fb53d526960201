"""When a followed graph is not as new as it should be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from c360_graph.control.audit import FollowSession
from c360_graph.following.mark import FollowMark, Rates
from c360_graph.following.survey import why_behind

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
AT_WORK = FollowSession(log_id=7, is_at_work=True, ended=None, error=None)
ENDED = FollowSession(log_id=7, is_at_work=False, ended=NOW, error="no space")


def marked(
    *, age: float = 0, lag_ms: float | None = 20, held: dict[str, str] | None = None
) -> FollowMark:
    rates = Rates(
        moment=NOW - timedelta(seconds=age),
        changes_per_second=1,
        lag_p50_ms=lag_ms,
        lag_p99_ms=lag_ms,
    )
    return FollowMark(mapping="m", held=held or {}, rates=rates)


def why(session: FollowSession | None, mark: FollowMark | None) -> str | None:
    return why_behind(session, mark, now=NOW, most_lag_seconds=60)


@pytest.mark.parametrize(
    ("session", "mark"),
    [
        (None, None),
        (AT_WORK, marked()),
        (AT_WORK, marked(lag_ms=None)),
        (AT_WORK, FollowMark(mapping="m")),
        # A load came after the follower, and the graph is the load's.
        (ENDED, None),
    ],
)
def test_nothing_is_wrong_with_a_graph_that_is_followed_or_is_not_meant_to_be(
    session: FollowSession | None, mark: FollowMark | None
) -> None:
    assert why(session, mark) is None


@pytest.mark.parametrize(
    ("session", "mark", "said"),
    [
        (
            ENDED,
            marked(),
            "ended at 2026-01-01 12:00:00 UTC (etl_run_logs row 7): no space. The graph",
        ),
        (AT_WORK, marked(age=95), "has written nothing into the graph for 95 s"),
        (AT_WORK, marked(lag_ms=61_000), "up to 61.0 s behind its sources"),
        (AT_WORK, marked(held={"shop/orders": "many"}), "shop/orders: held"),
    ],
)
def test_it_is_said_why_a_followed_graph_is_behind(
    session: FollowSession, mark: FollowMark, said: str
) -> None:
    assert said in (why(session, mark) or "")
