"""Work spread over a few threads, taken from a stream no faster than it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Iterator[Result]:
    """The results in the order they come; a failure is raised at once and the rest is not begun.

    At most `threads` + 1 items are held, so that memory stays bounded.
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
