"""How many requests of a client pass: in one process, or in all workers of a server together."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

_MOST_BUCKETS = 10_000
_TRIED = 16
"""Places where a client's bucket may be."""
_PATIENCE_SECONDS = 0.05


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
