"""What a follower works with, and who is told what it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from c360_graph.control.audit import RunLog
from c360_graph.control.connection import ControlDatabase
from c360_graph.control.locks import Turn
from c360_graph.following.graph_writer import GraphChanges, Written
from c360_graph.graph.connection import Graph
from c360_graph.settings import Settings

MINUTE_SECONDS = 60.0

Table = tuple[int, str]
"""A source's id and the name of a table."""


class TableMinutes:
    """Counts the rows of each table that were read again, until they are written."""

    def __init__(
        self, run_log: RunLog, log_id: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._run_log = run_log
        self._log_id = log_id
        self._clock = clock
        self._rows: dict[Table, int] = {}
        self._begun = clock()
        self._begun_at = datetime.now(UTC)

    def note(self, changes: GraphChanges) -> None:
        """Count what was written into the graph: rows, and keys that no row has any more."""
        for table in changes.emptied:
            self._rows.setdefault((table.source.source_id, table.table_name), 0)
        for read in changes.reads:
            table = read.table
            named = (table.source.source_id, table.table_name)
            self._rows[named] = self._rows.get(named, 0) + len(read.rows) + len(read.gone)

    def write_if_due(self) -> None:
        """Write once a minute is over.

        Raises:
            ControlDatabaseError: the control database cannot be reached.
        """
        if self._clock() - self._begun >= MINUTE_SECONDS:
            self.write()

    def write(self) -> None:
        """Write what was counted, and begin the next minute; errors as `write_if_due`."""
        ended_at = datetime.now(UTC)
        if self._rows:
            self._run_log.tables_followed(
                self._log_id, self._rows, begun=self._begun_at, ended=ended_at
            )
        self._rows = {}
        self._begun, self._begun_at = self._clock(), ended_at


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
