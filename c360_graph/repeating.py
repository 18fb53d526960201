"""Repeats an action in a thread of its own while a block runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeating(
    action: Callable[[], bool], *, every: float, name: str, join_seconds: float = 30.0
) -> Iterator[None]:
    """Call an action again and again while the block runs.

    Args:
        action: returns whether it is to be called again. It deals with its own errors.
        every: seconds before the first call and between two calls.
        name: of the thread.
        join_seconds: how long the end of the block waits for a call that is under way.
    """
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every):
            if not action():
                return

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=join_seconds)
