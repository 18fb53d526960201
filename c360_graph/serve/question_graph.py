"""The connection that questions are asked over: opened when the first one is, and anew after a loss."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from c360_graph.errors import GraphUnavailableError
from c360_graph.graph.connection import Graph, open_graph
from c360_graph.graph.read_only import CONNECT_SECONDS, LEFT_SECONDS
from c360_graph.settings import Settings

_T = TypeVar("_T")


class QuestionGraph:
    """For threads, since a question may take seconds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._graph: Graph | None = None

    def use(self, work: Callable[[Graph], _T]) -> _T:
        """What `work` returns.

        Raises:
            GraphUnavailableError: the server cannot be reached; the next use connects anew.
            GraphError: it refuses.
        """
        graph = self._opened()
        try:
            return work(graph)
        except GraphUnavailableError:
            self._drop(graph)
            raise

    def _opened(self) -> Graph:
        with self._lock:
            if self._graph is None:
                settings = self._settings
                self._graph = self._stack.enter_context(
                    open_graph(
                        uri=settings.neo4j_uri,
                        username=settings.neo4j_username,
                        password=settings.neo4j_password.get_secret_value(),
                        database=settings.neo4j_database,
                        connect_seconds=CONNECT_SECONDS,
                    )
                )
            return self._graph

    def renew(self) -> None:
        """Connect anew at the next use; what is asked over the connection of now may still be answered."""
        with self._lock:
            if self._graph is None:
                return
            left, self._stack, self._graph = self._stack, ExitStack(), None
        closing = threading.Timer(LEFT_SECONDS, left.close)
        closing.daemon = True
        closing.start()

    def _drop(self, graph: Graph) -> None:
        with self._lock:
            if self._graph is graph:
                self._graph = None
                self._stack.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        with self._lock:
            self._graph = None
            self._stack.close()
