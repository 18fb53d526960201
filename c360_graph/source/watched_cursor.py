"""A cursor whose statements are watched: a source that goes silent is noticed wherever it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from c360_graph.faults.silence import Wait, watched


def watched_cursor(wait: Wait) -> type[psycopg.Cursor[Any]]:
    """The class of a connection's cursors; nothing is watched between two statements."""

    class WatchedCursor(psycopg.Cursor[Any]):
        def execute(self, *arguments: Any, **options: Any) -> WatchedCursor:
            """As psycopg's."""
            with watched(wait):
                return super().execute(*arguments, **options)

        @contextmanager
        def copy(self, *arguments: Any, **options: Any) -> Iterator[psycopg.Copy]:
            """As psycopg's; who reads from it says by `wait.move()` that something came."""
            with watched(wait), super().copy(*arguments, **options) as stream:
                yield stream

    return WatchedCursor
