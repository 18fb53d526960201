"""Decides whether the sources are followed as they should be."""

from __future__ import annotations

from datetime import datetime, timedelta

from c360_graph.control.audit import FollowSession
from c360_graph.following.mark import FollowMark

HEARTBEAT_SECONDS = 30.0
"""The follower writes its mark at least so often, with or without changes."""


def why_behind(
    session: FollowSession | None,
    mark: FollowMark | None,
    *,
    now: datetime,
    most_lag_seconds: float,
) -> str | None:
    """Why the graph is not as new as it should be; None where it is, or is not meant to be followed.

    Args:
        session: the newest follower, None where there never was one.
        mark: what the graph says of its follower, None where the last load came after it.
        now: the time.
        most_lag_seconds: how far the graph may be behind its sources.
    """
    if mark is None or session is None:
        return None
    if not session.is_at_work:
        return _stopped(session)
    if mark.held:
        return (
            f"{', '.join(mark.held)}: held, as too many of their rows were removed at once. If that"
            " is meant, run c360 follow --release."
        )
    if mark.away:
        return (
            f"The graph is followed without {', '.join(mark.away)}: {' '.join(mark.away.values())} What"
            " changes there is brought along once it can be reached."
        )
    if mark.rates is None:
        return None
    silent = now - mark.rates.moment
    if silent > timedelta(seconds=HEARTBEAT_SECONDS + most_lag_seconds):
        return (
            f"The follower has written nothing into the graph for {silent.total_seconds():.0f} s. Its log"
            " says what it waits for; c360 follow --status shows how far each source is behind."
        )
    lag_ms = mark.rates.lag_p99_ms
    if lag_ms is not None and lag_ms > 1_000 * most_lag_seconds:
        return (
            f"In the last minute with changes the graph was up to {lag_ms / 1_000:.1f} s behind its sources,"
            f" and C360_MOST_LAG_SECONDS is {most_lag_seconds:g}."
        )
    return None


def _stopped(session: FollowSession) -> str:
    when = f" at {session.ended:%Y-%m-%d %H:%M:%S} UTC" if session.ended else ""
    why = f": {session.error}" if session.error else ""
    stop = "" if why.endswith(".") else "."
    return (
        f"c360 follow ended{when} (etl_run_logs row {session.log_id}){why}{stop} The graph is as new as it"
        " was then. Start c360 follow again, or run a load."
    )
