"""Watches over what a load needs to go on, and stops it in the middle of a statement too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from c360_graph.errors import C360Error
from c360_graph.neo4j_loader.graph import ERRORS

CHECK_SECONDS = 1.0


class Guard:
    """Remembers why a load must stop."""

    def __init__(self) -> None:
        self.reason: C360Error | None = None

    def check(self) -> None:
        """Raise the reason to stop, if there is one."""
        if self.reason is not None:
            raise self.reason


@contextmanager
def guarding(check: Callable[[], None], *, stop: Callable[[], None]) -> Iterator[Guard]:
    """Call `check` now, and now and then while the block runs; once it raises, `stop` what runs."""
    check()
    guard = Guard()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(CHECK_SECONDS):
            try:
                if guard.reason is None:
                    check()
            except C360Error as error:
                guard.reason = error
            if guard.reason is not None:
                # Again until the load has ended: a statement may have been on its way just then.
                with suppress(C360Error, *ERRORS):
                    stop()

    watcher = threading.Thread(target=watch, name="c360-guard", daemon=True)
    watcher.start()
    try:
        yield guard
    finally:
        ended.set()
        watcher.join(timeout=30)
