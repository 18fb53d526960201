"""What a view tells of what was read."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Any, cast

from c360_graph.graph.read_only import AsyncGraph
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.serve.clients import Client
from c360_graph.serve.customers import customer_view
from c360_graph.serve.reading import Reader
from c360_graph.serve.schema import served_graph

BOUGHT = datetime(2025, 11, 3, 10, 0, 0, 123456, tzinfo=UTC)
MANIFEST = GraphManifest(
    labels=dict.fromkeys(("Customer", "Order", "Visit", "Call"), ("id", "at")),
    keys={"Customer": ("id",)},
    key_types={"Customer": ("INTEGER",)},
    property_types={name: {"at": "ZONED DATETIME"} for name in ("Order", "Visit", "Call")},
    edges=tuple(("DID", "Customer", label) for label in ("Order", "Visit", "Call")),
)


class _Graph:
    def __init__(self, around: list[dict[str, Any]]) -> None:
        self._around = around

    async def rows(self, *_: object, **__: object) -> list[dict[str, Any]]:
        found = {"id": "n", "labels": ["Customer"], "properties": {"id": 7}, "similar": ()}
        return [{"states": ["whole"], "loads": [], "found": [{**found, "around": self._around}]}]


def test_the_newest_moment_is_told_whatever_type_it_has_and_what_python_cannot_hold_is_left_out() -> (
    None
):
    microseconds = int(BOUGHT.timestamp()) * 1_000_000 + BOUGHT.microsecond
    around: list[dict[str, Any]] = [
        {"arm": 0, "degree": 2, "last": microseconds},
        {"arm": 1, "degree": 1, "last": date(2025, 11, 2)},
        {"arm": 2, "degree": 1, "last": 10**18},
    ]
    reader = Reader(
        graph=cast(AsyncGraph, _Graph(around)),
        served=served_graph(MANIFEST, ()),
        client=Client(name="all"),
        timeout_seconds=1.0,
        max_degree=10,
    )
    view = asyncio.run(customer_view(reader, "7"))
    assert [one["last"] for one in view["activity"]] == [BOUGHT, date(2025, 11, 2), None]
    assert view["last_activity"] == BOUGHT
