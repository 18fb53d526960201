"""What is asked for, what was made of it, and which replies are kept."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from c360_graph.serve.answering import JSON
from c360_graph.serve.reading import Reader

MOST_BYTES = 64 * 1024 * 1024
MOST_ENTRIES = 5_000


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What an operation made. `about` are the nodes (label, key) that the access log names by their hashes."""

    body: bytes
    rows: int = 1
    media: str = JSON
    about: tuple[tuple[str, str], ...] = ()


Operation = Callable[[Reader], Awaitable[Reply]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """What is asked for. `lasts` says for how many seconds an answer stays true of the same graph, None forever."""

    name: str
    media: str = JSON
    about: tuple[tuple[str, str], ...] = ()
    is_kept: bool = False
    lasts: float | None = None
    needs_graph: bool = True


@dataclass(frozen=True, kw_only=True)
class Cached:
    """A reply, and the version of the graph and of the rules that it was made with."""

    reply: Reply
    version: str
    rules: str
    made: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> int:
        """Seconds since it was made."""
        return int(time.monotonic() - self.made)

    def is_fresh(self, lasts: float | None) -> bool:
        """Whether it is not older than its kind lasts."""
        return lasts is None or time.monotonic() - self.made < lasts


class ResponseCache:
    """The replies that were used last, within a number of bytes."""

    def __init__(self, *, most_bytes: int = MOST_BYTES, most_entries: int = MOST_ENTRIES) -> None:
        self._most_bytes, self._most_entries = most_bytes, most_entries
        self._kept: OrderedDict[str, Cached] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> Cached | None:
        """What was answered last to a request."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: str, reply: Reply, *, version: str, rules: str) -> None:
        """Keep a reply, and forget the ones that were not used for longest."""
        size = len(reply.body) + len(key)
        if size > self._most_bytes // 8:
            return
        old = self._kept.pop(key, None)
        if old is not None:
            self._bytes -= len(old.reply.body) + len(key)
        self._kept[key] = Cached(reply=reply, version=version, rules=rules)
        self._bytes += size
        while self._bytes > self._most_bytes or len(self._kept) > self._most_entries:
            forgotten, entry = self._kept.popitem(last=False)
            self._bytes -= len(entry.reply.body) + len(forgotten)
