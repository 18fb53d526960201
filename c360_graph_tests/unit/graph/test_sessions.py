"""Sessions that make relationships side by side, with faults that real servers seldom have."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from neo4j.exceptions import ClientError, TransientError

from c360_graph.cypher.weights import JOIN_BATCH_ROWS
from c360_graph.graph.connection import Graph
from c360_graph.graph.sessions import SessionSharing, make_relationships


class Sessions:
    """A graph in which one share fails, and the other waits until it is ended."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def run(self, text: bytes, *, tag: dict[str, str]) -> Any:
        if text == b"refused":
            raise ClientError("no such function")
        if text == b"waiting":
            assert self.ended.wait(10)
            raise TransientError("terminated")
        return SimpleNamespace(relationships_created=len(text))

    def end_transactions(self, tag: dict[str, str]) -> None:
        self.ended.set()


def test_what_the_shares_made_is_added_up() -> None:
    assert make_relationships(cast("Graph", Sessions()), (b"12", b"345"), tag={}) == 5


def test_one_failure_ends_the_other_shares_and_is_what_is_told() -> None:
    with pytest.raises(ClientError, match="no such function"):
        make_relationships(cast("Graph", Sessions()), (b"waiting", b"refused"), tag={})


@pytest.mark.parametrize(("told", "sessions"), [(1, 1), (2, 2), (16, 4), (-1, 4), (None, 4)])
def test_there_are_no_more_sessions_than_processors(told: int | None, sessions: int) -> None:
    graph = cast("Graph", SimpleNamespace(fetch=lambda text: [{"processors": told}]))
    assert SessionSharing(graph, most=4).sessions(JOIN_BATCH_ROWS + 1) == sessions


def test_a_server_that_does_not_tell_its_processors_gets_what_is_set() -> None:
    def fetch(text: str) -> list[dict[str, Any]]:
        raise ClientError("not allowed")

    graph = cast("Graph", SimpleNamespace(fetch=fetch))
    assert SessionSharing(graph, most=3).sessions(JOIN_BATCH_ROWS + 1) == 3


def test_a_statement_over_few_rows_has_one_session_and_the_server_is_not_asked() -> None:
    assert SessionSharing(cast("Graph", None), most=3).sessions(JOIN_BATCH_ROWS) == 1
