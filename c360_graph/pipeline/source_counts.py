"""Has the sources count their joins themselves, so that what the graph joins by is held to PostgreSQL's `=`.

A source may have changed since its extracts were made, so another count alone is no fault. Both
ways to join are counted in one snapshot, where nothing can change between them: they differ only
where the graph compares otherwise than PostgreSQL does.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from c360_graph.control.connection import ControlDatabase
from c360_graph.errors import C360Error, SourceError
from c360_graph.extract_joins.expected_relationships import Expectation
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.model import TableIndex, TableMapping
from c360_graph.source.join_counts import JoinCounts, join_counts
from c360_graph.source.snapshot import ASKED_SECONDS, SourceSnapshot, open_snapshot


@dataclass(frozen=True, kw_only=True)
class SourceCount:
    """What a source counts for one mapping; `by_graph` is asked for only where the counts differ."""

    expectation: Expectation
    by_postgres: int
    by_graph: int | None = None

    @property
    def differs(self) -> bool:
        """Whether the graph compares otherwise than PostgreSQL."""
        return self.by_graph is not None and self.by_graph != self.by_postgres

    @property
    def has_changed(self) -> bool:
        """Whether the source has other rows than when it was extracted."""
        return self.by_graph is not None and not self.differs


def count_in_sources(
    expectations: Iterable[Expectation],
    tables: tuple[TableMapping, ...],
    *,
    control: ControlDatabase,
    seconds: float,
) -> tuple[SourceCount, ...]:
    """The counts of those mappings that one source has all tables of.

    Args:
        expectations: what joining the extracts gives.
        tables: as they were extracted.
        control: where the sources' passwords are.
        seconds: how long each source may be asked in all. What takes longer, or is refused, is left out.
    """
    asked: dict[SourceRow, list[tuple[Expectation, JoinCounts]]] = defaultdict(list)
    index = TableIndex(tables)
    for expectation in expectations if seconds else ():
        counts = join_counts(expectation.mapping, index.of(expectation.mapping))
        if counts is not None:
            (start, *_) = index.at(expectation.mapping.start)
            asked[start.source].append((expectation, counts))
    found: list[SourceCount] = []
    for source, questions in asked.items():
        try:
            with open_snapshot(source, control.source_credentials(source)) as snapshot:
                found += _ask(snapshot, questions, until=time.monotonic() + seconds)
        except C360Error:
            # What cannot be asked now was counted from its extract; that it is away is said elsewhere.
            continue
    return tuple(found)


def _ask(
    snapshot: SourceSnapshot, questions: list[tuple[Expectation, JoinCounts]], *, until: float
) -> Iterator[SourceCount]:
    for expectation, counts in questions:
        try:
            own = _number(snapshot, counts.by_postgres, until)
            if own is None:
                return
            alike = own == expectation.relationships
            by_graph = None if alike else _number(snapshot, counts.by_graph, until)
        except SourceError:
            continue
        if alike or by_graph is not None:
            yield SourceCount(expectation=expectation, by_postgres=own, by_graph=by_graph)


def _number(snapshot: SourceSnapshot, statement: str, until: float) -> int | None:
    left = int(until - time.monotonic())
    if left < 1:
        return None
    return int(snapshot.ask(statement, seconds=min(left, ASKED_SECONDS))[0][0])
