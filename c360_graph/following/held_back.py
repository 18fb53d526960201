"""What is held back while the rest is followed: sources that cannot be reached, and tables that suddenly lose most of their rows."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from c360_graph.errors import C360Error, MappingChangedError, SourceUnavailableError
from c360_graph.following.mark import FollowMark
from c360_graph.following.source_feed import SourceFeed
from c360_graph.mapping.model import GraphMapping

PROBE_SECONDS = 5.0

MOST_UNGUARDED = 1_000
"""So many nodes of a table may go in any case: in a small table a few are a large share."""
WINDOW_SECONDS = 3600.0
_TOGETHER_SECONDS = 10.0
"""What changed within so long is one number: transactions come several times a second."""


class AwaySources:
    """Those that were followed before and do not answer now, and why."""

    def __init__(self, mapping: GraphMapping) -> None:
        self._mapping = mapping
        self._feeds: dict[str, SourceFeed] = {}
        self.why: dict[str, str] = {}
        """By the name of the source."""
        self.tables: frozenset[str] = frozenset()
        """Their tables that were followed."""
        self._back: str | None = None

    def add(self, feed: SourceFeed, error: SourceUnavailableError, known: FollowMark) -> None:
        """Leave a source out for now."""
        self._feeds[feed.name] = feed
        self.why[feed.name] = str(error)
        self.tables |= {
            table.qualified_name
            for table in self._mapping.tables
            if table.source.source_id == feed.source.source_id
            and table.qualified_name not in known.unfollowed
        }

    def refuse_need(self, source_id: int) -> None:
        """Make sure that rows of a source can be read.

        Raises:
            SourceUnavailableError: it is away, so that what needs it has to wait.
        """
        for feed in self._feeds.values():
            if feed.source.source_id == source_id:
                raise SourceUnavailableError(
                    f"{self.why[feed.name]} Changes of another source join its rows, and wait for it."
                )

    def refuse_back(self) -> None:
        """Make sure that none is back.

        Raises:
            MappingChangedError: one is, and is to be followed again.
        """
        if self._back is not None:
            raise MappingChangedError(f"source {self._back} can be reached again.")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Try again and again to reach them, while the block runs."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(PROBE_SECONDS):
                for name, feed in self._feeds.items():
                    try:
                        feed.reach()
                    except C360Error:
                        continue
                    self._back = name
                    return

        if not self._feeds:
            yield
            return
        watching = threading.Thread(target=look, name="sources that are away", daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()


class LossGuard:
    """Remembers how many nodes of each table there were more or fewer than now, within the last hour.

    Rows that come make up for rows that go: a table of sessions or carts loses all of its rows again and
    again, and has as many as before.
    """

    def __init__(
        self, *, max_removed_share: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._share = max_removed_share
        self._clock = clock
        self._changes: dict[str, deque[tuple[float, int]]] = defaultdict(deque)

    def why_refused(self, table: str, *, going: int, count: Callable[[], int]) -> str | None:
        """Why a table's rows may not be removed; None where they may.

        Args:
            table: its qualified name.
            going: how many rows are gone; some of them may have no node.
            count: how many nodes of the table there are; asked only where it matters.

        >>> LossGuard(max_removed_share=0.3).why_refused("shop/orders", going=40_000, count=lambda: 100_000)
        '40,000 of 100,000 nodes would be removed within an hour, more than 30% of them'
        """
        lately = self._fewer_than_before(table)
        if lately + going <= MOST_UNGUARDED:
            return None
        there = count() + lately
        if lately + going <= self._share * there:
            return None
        return (
            f"{lately + going:,} of {there:,} nodes would be removed within an hour, more than"
            f" {self._share:.0%} of them"
        )

    def note(self, table: str, *, made: int, removed: int) -> None:
        """Remember what one transaction changed."""
        if made == removed:
            return
        changes, now = self._changes[table], self._clock()
        if changes and now - changes[-1][0] < _TOGETHER_SECONDS:
            begun, before = changes.pop()
            changes.append((begun, before + made - removed))
        else:
            changes.append((now, made - removed))

    def _fewer_than_before(self, table: str) -> int:
        """How many more nodes there were when there were most of them, within the last hour."""
        changes = self._changes[table]
        while changes and changes[0][0] < self._clock() - WINDOW_SECONDS:
            changes.popleft()
        most = since = 0
        for _, change in reversed(changes):
            since -= change
            most = max(most, since)
        return most
