"""Tells clients when the graph has changed: server-sent events at `/v1/changes`."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from c360_graph.serve.clients import Client
from c360_graph.serve.descriptions import freshness
from c360_graph.serve.problems import Problem
from c360_graph.serve.service import Service
from c360_graph.serve.values import json_bytes
from c360_graph.serve.watch import LOOK_SECONDS

NAME = "/v1/changes"
MOST_STREAMS = 20
"""Of one client at once."""
BEAT_SECONDS = 15.0
"""As often something is sent, and the client's key is looked at again."""


def add_changes(router: APIRouter, service: Service) -> None:
    """The stream of changes. No part of the document, whose tools expect that a response ends."""
    streams: Counter[str] = Counter()

    async def changes(request: Request) -> Response:
        client = await service.client(request)
        if streams[client.name] >= MOST_STREAMS:
            raise Problem(429, f"At most {MOST_STREAMS} streams of a client are open at once.")
        service.record(client.name, NAME, 200)

        async def events() -> AsyncIterator[bytes]:
            streams[client.name] += 1
            try:
                async for event in _events(service, client, request):
                    yield event
            finally:
                streams[client.name] -= 1

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events(), media_type="text/event-stream", headers=headers)

    router.add_api_route(NAME, changes, methods=["GET"], include_in_schema=False)


async def _events(service: Service, client: Client, request: Request) -> AsyncIterator[bytes]:
    """One event at first, so that a client knows where it begins; then one for each other state or version."""
    told: tuple[str, str] | None = None
    beaten = time.monotonic()
    while True:
        snapshot = service.watch.current
        if (snapshot.state, snapshot.version) != told:
            told = (snapshot.state, snapshot.version)
            yield _event(snapshot.version, json_bytes(freshness(snapshot, client)))
        if time.monotonic() - beaten >= BEAT_SECONDS:
            beaten = time.monotonic()
            try:
                await service.client(request)
            except Problem:
                return
            yield b": still there\n\n"
        await asyncio.sleep(LOOK_SECONDS)


def _event(version: str, data: bytes) -> bytes:
    r"""An event; JSON has no line breaks.

    >>> _event("a1", b"{}")
    b'event: changed\nid: a1\ndata: {}\n\n'
    """
    return b"event: changed\nid: " + version.encode() + b"\ndata: " + data + b"\n\n"
