"""How soon a server that is back is seen, by a clock that does not wait."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Sequence
from typing import Any, cast

import pytest

from c360_graph.cypher.following import read_mark
from c360_graph.errors import GraphUnavailableError
from c360_graph.graph.read_only import CONNECT_SECONDS, GRACE_SECONDS, AsyncGraph
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.serve.watch import LOOK_SECONDS, PATIENCE_SECONDS, GraphWatch

MARK: dict[str, Any] = {
    "state": "whole",
    "content": GraphManifest().model_dump_json(),
    "follower": None,
    "follow": None,
    "loaded_at": "2026-01-01T00:00:00Z",
    "moments": [],
}
BOUND_SECONDS = LOOK_SECONDS + PATIENCE_SECONDS + CONNECT_SECONDS


class _Clock(selectors.SelectSelector):
    """Where nothing happens until a time, it is that time at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen"
            self.now += timeout
        return ready


class _FailingGraph:
    """A graph that is away from one moment to another; connections of before stay dead where it was silent."""

    server = "bolt://graph/neo4j"

    def __init__(self, *, gone: float, back: float, fails_after: float, is_silent: bool) -> None:
        self._gone, self._back = gone, back
        self._fails_after, self._is_silent = fails_after, is_silent
        self._connected = 0.0

    def renew(self) -> None:
        self._connected = asyncio.get_running_loop().time()

    async def rows(self, statement: str, *, timeout_seconds: float) -> Sequence[dict[str, Any]]:
        now = asyncio.get_running_loop().time()
        is_dead = self._is_silent and self._connected < self._back and now >= self._gone
        if is_dead:
            await asyncio.sleep(timeout_seconds + GRACE_SECONDS)
        elif self._gone <= now < self._back:
            await asyncio.sleep(self._fails_after)
        else:
            return [MARK] if statement == read_mark() else []
        raise GraphUnavailableError("It does not answer.")


@pytest.mark.parametrize("away_seconds", [0.3, 2.1, 7.7, 23.4, 61.9])
@pytest.mark.parametrize(
    ("fails_after", "is_silent"),
    [(0.0, False), (CONNECT_SECONDS, False), (CONNECT_SECONDS, True)],
    ids=["refused", "nobody there", "silent"],
)
def test_a_server_that_is_back_is_seen_within_seconds(
    away_seconds: float, fails_after: float, is_silent: bool
) -> None:
    back = 1.2 + away_seconds
    graph = _FailingGraph(gone=1.2, back=back, fails_after=fails_after, is_silent=is_silent)
    watch = GraphWatch(
        cast(AsyncGraph, graph), customer_label=None, renew=graph.renew, on_return=lambda: None
    )
    clock = _Clock()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]

    async def seen() -> float:
        watching = asyncio.create_task(watch.run())
        await asyncio.sleep(back)
        while watch.current.state != "whole":
            await asyncio.sleep(0.01)
        watching.cancel()
        return clock.now - back

    try:
        # Where it is away for less than a look, nobody notices.
        assert loop.run_until_complete(seen()) <= BOUND_SECONDS
    finally:
        loop.close()
    assert BOUND_SECONDS <= 6
