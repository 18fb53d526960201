"""How many requests pass: of a client, in one process or in all workers of a server together, and to Neo4j at a time."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from c360_graph.graph.read_only import CONNECT_SECONDS, MOST_CONNECTIONS
from c360_graph.serve.values import unavailable

_MOST_BUCKETS = 10_000
_TRIED = 16
"""Places where a client's bucket may be."""
_PATIENCE_SECONDS = 0.05

FIRST = 2
"""Requests at a time that a server which has just started is asked to answer."""


@dataclass
class TokenBucket:
    """Lets `rate` requests a minute through, and as many at once."""

    rate: int
    left: float
    at: float

    def take(self, now: float) -> float:
        """0 where a request may pass, else the seconds until one may."""
        self.left = min(self.rate, self.left + (now - self.at) * self.rate / 60)
        self.at = now
        if self.left < 1:
            return (1 - self.left) * 60 / self.rate
        self.left -= 1
        return 0.0


class Buckets(Protocol):
    """The buckets of all clients."""

    def take(self, name: str, rate: int) -> float:
        """0 where a request of a client may pass, else the seconds until one may."""
        ...


class OwnBuckets:
    """Of one process."""

    def __init__(self) -> None:
        self._by_name: dict[str, TokenBucket] = {}

    def take(self, name: str, rate: int) -> float:
        """See `Buckets`."""
        now = time.monotonic()
        bucket = self._by_name.get(name)
        if bucket is None or bucket.rate != rate:
            # Subjects of tokens may be many; who is forgotten begins with a full bucket.
            if len(self._by_name) >= _MOST_BUCKETS:
                self._by_name.clear()
            bucket = self._by_name[name] = TokenBucket(rate=rate, left=float(rate), at=now)
        return bucket.take(now)


class SharedBuckets:
    """In memory that is handed to the workers when they are started.

    Each bucket is in one of a few slots that its client's name says. Where all are taken, the one that
    was not used for longest is given up.
    """

    def __init__(self, *, slots: int = _MOST_BUCKETS) -> None:
        context = multiprocessing.get_context("spawn")
        self._slots = slots
        self._lock = context.Lock()
        self._owners = context.RawArray("Q", slots)
        self._left = context.RawArray("d", slots)
        # The monotonic clock is that of the machine, so that all processes read the same.
        self._at = context.RawArray("d", slots)

    def take(self, name: str, rate: int) -> float:
        """See `Buckets`."""
        # A worker that was killed within these lines never gives the lock back.
        is_locked = self._lock.acquire(timeout=_PATIENCE_SECONDS)
        try:
            now = time.monotonic()
            slot, is_new = self._slot(name)
            bucket = TokenBucket(
                rate=rate,
                left=float(rate) if is_new else self._left[slot],
                at=now if is_new else self._at[slot],
            )
            seconds = bucket.take(now)
            self._left[slot], self._at[slot] = bucket.left, bucket.at
            return seconds
        finally:
            if is_locked:
                self._lock.release()

    def _slot(self, name: str) -> tuple[int, bool]:
        """Where a client's bucket is, and whether it has just come there."""
        owner = int.from_bytes(sha256(name.encode("utf-8", "surrogatepass")).digest()[:8]) or 1
        tried = [(owner + step) % self._slots for step in range(min(_TRIED, self._slots))]
        for slot in tried:
            if self._owners[slot] == owner:
                return slot, False
        chosen = min(tried, key=lambda slot: (self._owners[slot] != 0, self._at[slot]))
        self._owners[chosen] = owner
        return chosen, True


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
