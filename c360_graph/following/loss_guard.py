"""Keeps a source that suddenly loses most of its rows from emptying the graph: such a table is held."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable

MOST_UNGUARDED = 1_000
"""So many nodes of a table may go in any case: in a small table a few are a large share."""
WINDOW_SECONDS = 3600.0
_TOGETHER_SECONDS = 10.0
"""What changed within so long is one number: transactions come several times a second."""


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
