"""Keeps a source that suddenly loses most of its rows from emptying the graph: such a table is held."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable

MOST_UNGUARDED = 1_000
"""So many nodes of a table may go in any case: in a small table a few are a large share."""
WINDOW_SECONDS = 3600.0


class LossGuard:
    """Remembers how many nodes of each table were removed within the last hour."""

    def __init__(
        self, *, max_removed_share: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._share = max_removed_share
        self._clock = clock
        self._removed: dict[str, deque[tuple[float, int]]] = defaultdict(deque)

    def why_refused(self, table: str, *, going: int, count: Callable[[], int]) -> str | None:
        """Why a table's rows may not be removed; None where they may.

        Args:
            table: its qualified name.
            going: how many rows are gone; some of them may have no node.
            count: how many nodes of the table there are; asked only where it matters.

        >>> LossGuard(max_removed_share=0.3).why_refused("shop/orders", going=40_000, count=lambda: 100_000)
        '40,000 of 100,000 nodes would be removed within an hour, more than 30% of them'
        """
        lately = self._lately(table)
        if lately + going <= MOST_UNGUARDED:
            return None
        there = count() + lately
        if lately + going <= self._share * there:
            return None
        return (
            f"{lately + going:,} of {there:,} nodes would be removed within an hour, more than"
            f" {self._share:.0%} of them"
        )

    def note(self, table: str, removed: int) -> None:
        """Remember what was removed."""
        if removed:
            self._removed[table].append((self._clock(), removed))

    def _lately(self, table: str) -> int:
        events = self._removed[table]
        while events and events[0][0] < self._clock() - WINDOW_SECONDS:
            events.popleft()
        return sum(count for _, count in events)
