"""Work that several sessions of a load share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TypeVar

from neo4j.exceptions import Neo4jError

from c360_graph.cypher.weights import read_processors
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


def make_relationships(graph: Graph, texts: Sequence[bytes], *, tag: Tag) -> int:
    """Statements that make relationships, side by side; how many they made.

    Where one fails the others are ended.

    Raises:
        Exception: the driver's errors, the first one.
    """
    failures: list[Exception] = []

    def run(text: bytes) -> int:
        try:
            return graph.run(text, tag=tag).relationships_created
        except ERRORS as error:
            failures.append(error)
            if len(texts) > 1:
                with suppress(*ERRORS):
                    graph.end_transactions(tag)
            raise

    try:
        return sum(side_by_side(run, texts, threads=len(texts)))
    except ERRORS:
        raise failures[0] from None


def working_at_once(graph: Graph, *, most: int) -> int:
    """How many sessions make the server work that has nothing to wait for: one a processor, at most.

    As many as asked for where the server does not say how many it has.
    """
    try:
        rows = graph.fetch(read_processors())
    except Neo4jError:
        # Not everybody may ask, and not every server answers.
        return most
    processors = int(rows[0]["processors"] or 0) if rows else 0
    return min(most, processors) if processors > 0 else most
