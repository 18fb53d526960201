"""How many requests have Neo4j work for them at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from c360_graph.graph.read_only import CONNECT_SECONDS, MOST_CONNECTIONS
from c360_graph.serve.problems import unavailable

FIRST = 2
"""Requests at a time that a server which has just started is asked to answer."""


class Admission:
    """Few requests at first, and one more at a time with each that was answered.

    A Neo4j that has just started needs seconds of its cores for each statement that it has not compiled. If all
    that clients ask meanwhile came to it at once, none would be answered in time.

    Args:
        most: how many requests at a time there may be in the end.
        patience_seconds: how long a request waits for its turn.
    """

    def __init__(
        self, *, most: int = MOST_CONNECTIONS, patience_seconds: float = CONNECT_SECONDS
    ) -> None:
        self._most = most
        self._patience_seconds = patience_seconds
        self.begin_anew()

    def begin_anew(self) -> None:
        """Neo4j is back, or was found at the first look. Requests under way are not counted any more."""
        self._granted = FIRST
        self._permits = asyncio.Semaphore(FIRST)

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Have Neo4j work while the block runs.

        Raises:
            Problem: 503, it was not this request's turn in time.
        """
        permits = self._permits
        try:
            async with asyncio.timeout(self._patience_seconds):
                await permits.acquire()
        except TimeoutError:
            raise unavailable("Neo4j is busy, or has just started.") from None
        try:
            yield
            if permits is self._permits and self._granted < self._most:
                self._granted += 1
                permits.release()
        finally:
            permits.release()
