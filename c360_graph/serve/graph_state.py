"""What the server says of the graph itself: its schema, how fresh it is, and events when it has changed."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from c360_graph.mapping.graph_manifest import pattern_name
from c360_graph.serve.clients import Client
from c360_graph.serve.customers import identifier_names
from c360_graph.serve.reading import Reader
from c360_graph.serve.schema import ServedProperty
from c360_graph.serve.service import Service
from c360_graph.serve.values import Problem, json_bytes
from c360_graph.serve.watch import LOOK_SECONDS, Snapshot

NAME = "/v1/changes"
MOST_STREAMS = 20
"""Of one client at once."""
BEAT_SECONDS = 15.0
"""As often something is sent, and the client's key is looked at again."""


def served_schema(reader: Reader) -> dict[str, Any]:
    """The labels, properties and relationships that a client may see."""
    served, client = reader.served, reader.client
    return {
        "customer": served.customer if client.sees(served.customer or "") else None,
        "identifiers": list(identifier_names(served)) if client.sees(served.customer or "") else [],
        "labels": [
            {
                "label": label.label,
                "path": label.path,
                "extra_labels": [one.label for one in label.extra],
                "key": list(label.key),
                "properties": _properties(label.properties),
            }
            for label in served.labels.values()
            if client.sees(label.label)
        ],
        "relationships": [
            {
                "relationship": kind,
                "start": start,
                "end": end,
                "properties": _properties(
                    served.edge_properties.get(pattern_name((kind, start, end)), ())
                ),
            }
            for kind, start, end in served.edges
            if client.sees(start) and client.sees(end)
        ],
    }


def _properties(found: Iterable[ServedProperty]) -> list[dict[str, Any]]:
    return [{"name": p.name, "type": p.type, "is_personal": p.is_personal} for p in found]


def freshness(snapshot: Snapshot, client: Client) -> dict[str, Any]:
    """The state of the graph, the extracts it was made from, and the follower's position and lag."""
    follow = snapshot.follow
    rates = follow.rates if follow else None
    manifest = snapshot.manifest
    return {
        "state": snapshot.state,
        "version": snapshot.version,
        "changed_at": snapshot.changed_at,
        # Those of relationships have names with tabs.
        "extracts": {name: d for name, d in manifest.digests.items() if "\t" not in name},
        "nodes": {label: n for label, n in manifest.nodes.items() if client.sees(label)},
        "is_followed": snapshot.is_followed and follow is not None,
        "sources": [
            {"source": name, "lsn": slot.lsn}
            for name, slot in (follow.slots if follow else {}).items()
        ],
        "lag_p50_ms": rates.lag_p50_ms if rates else None,
        "lag_p99_ms": rates.lag_p99_ms if rates else None,
        "measured_at": rates.moment if rates else None,
        "held": sorted(follow.held) if follow else [],
    }


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
