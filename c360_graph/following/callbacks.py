"""Who is told what the follower does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from c360_graph.following.graph_writer import Written


@dataclass(frozen=True, kw_only=True)
class Flushed:
    """What one transaction brought into the graph."""

    written: Written
    changes: int
    lag_seconds: tuple[float, ...]
    """From each source transaction's commit to ours, by both clocks."""
    refused: int = 0
    """Rows that Neo4j refused."""
    held: int = 0
    """Tables that are held now."""


@dataclass(kw_only=True)
class Callbacks:
    """Who is told."""

    say: Callable[[str], None] = lambda message: None
    warn: Callable[[str], None] = lambda message: None
    flushed: Callable[[Flushed], None] = lambda flushed: None
    following: Callable[[], None] = lambda: None
    """The graph is whole, and the stream is read."""
    looked: Callable[[], None] = lambda: None
    """The follower is at work, with or without changes."""
    stopped: Callable[[], None] = lambda: None
    """The stream is not read any more."""
