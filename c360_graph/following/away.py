"""Sources that cannot be reached at the moment, while the others are followed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from c360_graph.errors import C360Error, MappingChangedError, SourceUnavailableError
from c360_graph.following.mark import FollowMark
from c360_graph.following.source_feed import SourceFeed
from c360_graph.mapping.model import GraphMapping

PROBE_SECONDS = 5.0


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
