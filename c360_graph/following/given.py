"""What a follower works with, and who is told what it does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from c360_graph.control.connection import ControlDatabase
from c360_graph.following.graph_writer import Written
from c360_graph.following.table_minutes import TableMinutes
from c360_graph.following.turn import Turn
from c360_graph.graph.connection import Graph
from c360_graph.settings import Settings


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


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a follower works with."""

    graph: Graph
    control: ControlDatabase
    settings: Settings
    log_id: int
    minutes: TableMinutes
    turn: Turn
    stop: threading.Event
    max_removed_share: float = 0.3
    release: bool = False
    """Whether tables that are held are followed again, whatever they have lost."""
    callbacks: Callbacks = field(default_factory=Callbacks)


class Stopped(Exception):
    """Somebody asked the follower to end."""
