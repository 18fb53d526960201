"""Work that several sessions of a load share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from neo4j import SummaryCounters
from neo4j.exceptions import Neo4jError

from c360_graph.cypher.weights import JOIN_BATCH_ROWS, read_processors
from c360_graph.graph.connection import ERRORS, Graph, Tag

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Iterator[Result]:
    """The results in the order they come; a failure is raised at once and the rest is not begun.

    At most `threads` + 1 items are held, so that memory stays bounded.

    >>> sorted(side_by_side(lambda number: number * 2, [1, 2, 3], threads=2))
    [2, 4, 6]
    """
    pending: set[Future[Result]] = set()
    with ThreadPoolExecutor(threads, thread_name_prefix="c360-load") as pool:
        try:
            for item in items:
                pending.add(pool.submit(work, item))
                if len(pending) > threads:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in pending:
                future.cancel()


LOOKED_AHEAD = 50
"""Items among which `apart` looks for one that may run now."""


def apart(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    touched: Callable[[Item], Collection[str]],
    threads: int,
) -> Iterator[Result]:
    """As `side_by_side`, but items that touch the same name never run at once, and run in their order.

    >>> def touched(word):
    ...     return {word[0]}
    >>> list(apart(str.upper, ["ant", "ape", "bee"], touched=touched, threads=1))
    ['ANT', 'APE', 'BEE']
    """
    coming = iter(items)
    waiting: list[Item] = []
    running: dict[Future[Result], Collection[str]] = {}
    with ThreadPoolExecutor(threads, thread_name_prefix="c360-load") as pool:
        while True:
            waiting += islice(coming, LOOKED_AHEAD - len(waiting))
            taken = {name for names in running.values() for name in names}
            left = []
            for item in waiting:
                names = touched(item)
                if len(running) < threads and taken.isdisjoint(names):
                    running[pool.submit(work, item)] = names
                else:
                    left.append(item)
                # Neither does an item overtake one before it that has to wait.
                taken.update(names)
            waiting = left
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                del running[future]
                yield future.result()


def make_relationships(graph: Graph, texts: Sequence[bytes], *, tag: Tag) -> int:
    """Statements that make relationships, side by side; how many they made.

    Raises:
        Exception: the driver's errors, as `run_shares`.
    """
    return sum(done.relationships_created for done in run_shares(graph, texts, tag=tag))


def run_shares(
    graph: Graph, texts: Sequence[str | bytes], *, tag: Tag, **parameters: Any
) -> list[SummaryCounters]:
    """Statements, side by side, and what each counted.

    Where one fails the others are ended.

    Raises:
        Exception: the driver's errors, the first one.
    """
    failures: list[Exception] = []

    def run(text: str | bytes) -> SummaryCounters:
        try:
            return graph.run(text, tag=tag, **parameters)
        except ERRORS as error:
            failures.append(error)
            if len(texts) > 1:
                with suppress(*ERRORS):
                    graph.end_transactions(tag)
            raise

    try:
        return list(side_by_side(run, texts, threads=len(texts)))
    except ERRORS:
        raise failures[0] from None


class SessionSharing:
    """How many sessions make the relationships of one statement; asks the server once for its processors."""

    def __init__(self, graph: Graph, *, most: int) -> None:
        self._graph = graph
        self._most = most

    def sessions(self, rows: int) -> int:
        """Of a statement over so many rows: one where they are one transaction, else one a processor.

        The server plans each session's share, which takes longer than joining few rows.
        """
        return 1 if rows <= JOIN_BATCH_ROWS else self._working_at_once

    @cached_property
    def _working_at_once(self) -> int:
        """As many as were asked for, where the server does not say how many processors it has."""
        try:
            rows = self._graph.fetch(read_processors())
        except Neo4jError:
            # Not everybody may ask, and not every server answers.
            return self._most
        processors = int(rows[0]["processors"] or 0) if rows else 0
        return min(self._most, processors) if processors > 0 else self._most
