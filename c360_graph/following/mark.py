"""What a followed graph says of its follower: where in each source's log it stands, how far it is behind, and what it waits for."""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from pydantic import Field, ValidationError

from c360_graph.cypher import following as text
from c360_graph.following.stream import lsn_number, lsn_text
from c360_graph.graph.connection import Graph
from c360_graph.graph.execution import Execution
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.graph_manifest import GraphManifest

HEARTBEAT_SECONDS = 30.0
"""The follower writes its mark at least so often, with or without changes."""
WINDOW_SECONDS = 60.0
MOST_LAGS = 20_000

_TITLE = "The follower's mark"


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
        self._lags: deque[tuple[float, float]] = deque()
        # Kept in order, since each transaction of ours writes the rates into the graph.
        self._ascending: list[float] = []

    def add(self, changes: int, lag_seconds: Sequence[float]) -> None:
        """Remember one transaction of ours."""
        now = self._clock()
        self._changes.append((now, changes))
        for lag in lag_seconds:
            if len(self._lags) == MOST_LAGS:
                self._forget_oldest_lag()
            self._lags.append((now, lag))
            insort(self._ascending, lag)

    def _forget_oldest_lag(self) -> None:
        _, lag = self._lags.popleft()
        del self._ascending[bisect_left(self._ascending, lag)]

    def rates(self) -> Rates:
        """What it was like in the last minute."""
        now = self._clock()
        while self._changes and self._changes[0][0] < now - WINDOW_SECONDS:
            self._changes.popleft()
        while self._lags and self._lags[0][0] < now - WINDOW_SECONDS:
            self._forget_oldest_lag()
        seconds = max(1.0, min(WINDOW_SECONDS, now - self._begun))
        return Rates(
            moment=datetime.now(UTC),
            changes_per_second=round(sum(count for _, count in self._changes) / seconds, 1),
            lag_p50_ms=_milliseconds(self._ascending, 50),
            lag_p99_ms=_milliseconds(self._ascending, 99),
        )


def percentile(ascending: Sequence[float], percent: int) -> float:
    """The value that so many percent of the values are below; there is one at least.

    >>> percentile([0.1, 0.2, 0.3], 50), percentile([0.1, 0.2, 0.3], 99)
    (0.2, 0.3)
    """
    return ascending[len(ascending) * percent // 100]


def _milliseconds(lags: Sequence[float], percent: int) -> float | None:
    return round(percentile(lags, percent) * 1_000, 1) if lags else None


class SlotMark(Frozen):
    """Up to where a source's changes are in the graph."""

    slot: str
    database_oid: int
    lsn: str
    timeline: int | None = None
    """Of the source's log; None where a standby is read, or an older version wrote the mark."""
    facts: str = ""
    """Digest of what the stream does not tell of the tables; empty where an older version wrote the mark."""

    @property
    def position(self) -> int:
        """The position as a number."""
        return lsn_number(self.lsn)

    def moved_to(self, position: int) -> SlotMark:
        """The same slot, further on."""
        return self.model_copy(update={"lsn": lsn_text(position)})


class FollowMark(Frozen):
    """Kept beside the manifest, on the same node; a load removes it."""

    mapping: str
    """Fingerprint of what was mapped."""
    slots: dict[str, SlotMark] = Field(default_factory=dict)
    """By the name of the source."""
    held: dict[str, str] = Field(default_factory=dict)
    """Tables (`source/table`) that are not followed until somebody says so, and why."""
    unfollowed: dict[str, str] = Field(default_factory=dict)
    """Tables that only a load brings up to date, and why."""
    away: dict[str, str] = Field(default_factory=dict)
    """Sources that cannot be reached at the moment, while the others are followed, and why."""
    rates: Rates | None = None
    """How it went in the minute before the last change."""


class GraphMark(Frozen):
    """The mark and what stands around it. `follow` is None where the graph is not followed."""

    is_whole: bool
    is_locked: bool
    follower: str | None
    content: str
    follow: FollowMark | None


def read_graph_mark(graph: Graph) -> GraphMark | None:
    """What the graph says; None where it has no manifest.

    Raises:
        GraphError: the server cannot be reached or refuses.
    """
    rows = graph.rows(text.read_mark())
    if not rows:
        return None
    row = rows[0]
    follow = None
    if row["follow"]:
        try:
            follow = FollowMark.model_validate_json(row["follow"])
        except ValidationError:
            follow = None
    return GraphMark(
        is_whole=len(rows) == 1 and row["state"] == "whole",
        is_locked=bool(row["is_locked"]),
        follower=row["follower"],
        content=row["content"] or "",
        follow=follow,
    )


def claim(graph: Graph, found: GraphMark, mark: FollowMark, *, holder: str) -> bool:
    """Begin to follow a graph that a load has just brought up to date; False where another load came.

    From now on nobody may take the graph for what the extracts hold, so that its counts are removed from
    the manifest: the next load compares every row.

    Raises:
        StatementError: the server refuses.
    """
    manifest = GraphManifest.model_validate_json(found.content)
    uncounted = manifest.model_copy(update={"nodes": {}, "relationships": {}, "between": {}})
    records, _ = Execution(graph, load=holder).change(
        _TITLE,
        text.claim_graph(),
        holder=holder,
        content=found.content,
        uncounted=uncounted.to_json(),
        follow=mark.model_dump_json(),
    )
    return bool(records[0]["count"])


def take_over(graph: Graph, *, holder: str) -> bool:
    """Go on where another follower, or this one before, ended; False where the graph is not followed.

    Raises:
        StatementError: the server refuses.
    """
    records, _ = Execution(graph, load=holder).change(_TITLE, text.take_over_graph(), holder=holder)
    return bool(records[0]["count"])
