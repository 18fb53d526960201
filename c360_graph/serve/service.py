"""From a request to its response: who asks, what is known already, the statement, the record of the access, and counts for a monitor.

Where there are several workers, each request for `/metrics` is answered by one, and its counts have its process id.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_left
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from typing import Any

from fastapi import Request, Response

from c360_graph.control.api_clients import Access
from c360_graph.errors import GraphError, GraphTimeoutError, GraphUnavailableError
from c360_graph.graph.read_only import AsyncGraph
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.questions import Question, QuestionSet
from c360_graph.serve.answering import JSON, QuestionGraph
from c360_graph.serve.audit import ControlLink, CustomerHash
from c360_graph.serve.clients import COOKIE, Client, Clients
from c360_graph.serve.limits import Admission
from c360_graph.serve.reading import REBUILDING, Reader
from c360_graph.serve.values import Problem, unavailable
from c360_graph.serve.watch import GraphWatch, Snapshot
from c360_graph.settings import Settings

BOUNDS = (0.002, 0.004, 0.006, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets, in seconds."""

MOST_BYTES = 64 * 1024 * 1024
MOST_ENTRIES = 5_000

NOBODY = "(refused)"
MOST_ASKED = 4
"""Questions that are asked at once, each in a thread."""
_LOG = logging.getLogger("c360_graph.serve")

STATES = {
    "rebuilding": REBUILDING,
    "absent": "The graph was not loaded yet. Run the pipeline first.",
    "unreachable": "Neo4j cannot be reached.",
}


class ServeMetrics:
    """Requests by route and status, and how long they took by route."""

    def __init__(self, *, worker: str = "") -> None:
        self._of = f',worker="{worker}"' if worker else ""
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests[route, status] += 1
        buckets = self._buckets.setdefault(route, [0] * (len(BOUNDS) + 1))
        buckets[bisect_left(BOUNDS, seconds)] += 1
        # Counter is typed for integers, and adds floats as well.
        self._seconds[route] += seconds  # type: ignore[assignment]

    def text(self, *, state: str, is_ready: bool) -> str:
        """All of it."""
        lines = ["# TYPE c360_serve_ready gauge", f"c360_serve_ready {int(is_ready)}"]
        lines += ["# TYPE c360_serve_graph_state gauge"]
        for name in ("whole", "rebuilding", "absent", "unreachable"):
            lines.append(f'c360_serve_graph_state{{state="{name}"}} {int(name == state)}')
        lines.append("# TYPE c360_serve_requests_total counter")
        for (route, status), count in sorted(self._requests.items()):
            lines.append(
                f'c360_serve_requests_total{{route="{route}",status="{status}"{self._of}}} {count}'
            )
        lines.append("# TYPE c360_serve_request_seconds histogram")
        for route, buckets in sorted(self._buckets.items()):
            total = 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
                total += count
                lines.append(
                    f'c360_serve_request_seconds_bucket{{route="{route}",le="{bound}"{self._of}}} {total}'
                )
            lines.append(
                f'c360_serve_request_seconds_sum{{route="{route}"{self._of}}} {self._seconds[route]}'
            )
            lines.append(f'c360_serve_request_seconds_count{{route="{route}"{self._of}}} {total}')
        return "\n".join((*lines, ""))


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What an operation made. `about` are the nodes (label, key) that the access log names by their hashes."""

    body: bytes
    rows: int = 1
    media: str = JSON
    about: tuple[tuple[str, str], ...] = ()


Operation = Callable[[Reader], Awaitable[Reply]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """What is asked for. `lasts` says for how many seconds an answer stays true of the same graph, None forever."""

    name: str
    media: str = JSON
    about: tuple[tuple[str, str], ...] = ()
    is_kept: bool = False
    lasts: float | None = None
    needs_graph: bool = True


@dataclass(frozen=True, kw_only=True)
class Cached:
    """A reply, and the version of the graph and of the rules that it was made with."""

    reply: Reply
    version: str
    rules: str
    made: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> int:
        """Seconds since it was made."""
        return int(time.monotonic() - self.made)

    def is_fresh(self, lasts: float | None) -> bool:
        """Whether it is not older than its kind lasts."""
        return lasts is None or time.monotonic() - self.made < lasts


class ResponseCache:
    """The replies that were used last, within a number of bytes."""

    def __init__(self, *, most_bytes: int = MOST_BYTES, most_entries: int = MOST_ENTRIES) -> None:
        self._most_bytes, self._most_entries = most_bytes, most_entries
        self._kept: OrderedDict[str, Cached] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> Cached | None:
        """What was answered last to a request."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: str, reply: Reply, *, version: str, rules: str) -> None:
        """Keep a reply, and forget the ones that were not used for longest."""
        size = len(reply.body) + len(key)
        if size > self._most_bytes // 8:
            return
        old = self._kept.pop(key, None)
        if old is not None:
            self._bytes -= len(old.reply.body) + len(key)
        self._kept[key] = Cached(reply=reply, version=version, rules=rules)
        self._bytes += size
        while self._bytes > self._most_bytes or len(self._kept) > self._most_entries:
            forgotten, entry = self._kept.popitem(last=False)
            self._bytes -= len(entry.reply.body) + len(forgotten)


@dataclass(kw_only=True)
class Service:
    """All that requests share within a process."""

    settings: Settings
    graph: AsyncGraph
    watch: GraphWatch
    clients: Clients
    link: ControlLink
    hashes: CustomerHash
    questions: QuestionSet
    question_graph: QuestionGraph
    cache: ResponseCache
    metrics: ServeMetrics
    admission: Admission
    identify_token: Callable[[str], Awaitable[Client]] | None = None
    asking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_ASKED))
    _kept: dict[Any, Any] = field(default_factory=dict)
    _fitting: tuple[GraphManifest, tuple[Question, ...]] | None = None

    async def respond(self, request: Request, route: Route, operation: Operation) -> Response:
        """Answer a request; whatever goes wrong becomes a problem document."""
        started = time.perf_counter()
        name, rows, about = NOBODY, 0, route.about
        try:
            client = await self.client(request)
            name = client.name
            response, reply = await self._answered(request, client, route, operation)
            if reply is not None:
                rows, about = reply.rows, reply.about or about
        except Problem as problem:
            response = problem.response()
        seconds = time.perf_counter() - started
        self.record(name, route.name, response.status_code, about=about, rows=rows, seconds=seconds)
        return response

    def fitting_questions(self) -> tuple[Question, ...]:
        """The questions that the graph can answer."""
        manifest = self.watch.current.manifest
        if self._fitting is None or self._fitting[0] is not manifest:
            self._fitting = (manifest, self.questions.fitting(manifest.names).questions)
        return self._fitting[1]

    def known_question(self, name: str) -> Question | None:
        """The question of a name; None where there is none, or the graph cannot answer it."""
        return next((q for q in self.fitting_questions() if q.name == name), None)

    async def client(self, request: Request) -> Client:
        """Who asks.

        Raises:
            Problem: 401 or 429; 503, the control database has been away for too long.
        """
        self.link.refuse_unknown()
        key = key_of(request)
        if key is not None and self.identify_token is not None and key.count(".") == 2:
            client = await self.identify_token(key)
        else:
            client = self.clients.identify(key)
        self.clients.admit(client)
        return client

    async def _answered(
        self, request: Request, client: Client, route: Route, operation: Operation
    ) -> tuple[Response, Reply | None]:
        snapshot = self.watch.current
        cache_key = f"{client.scope}\n{route.media}\n{request.url.path}?{request.url.query}"
        tag = _tag(snapshot, cache_key)
        try:
            if route.needs_graph and snapshot.state != "whole":
                raise unavailable(STATES[snapshot.state])
            if route.lasts is None and _is_known(request, snapshot, tag):
                return Response(status_code=304, headers=_validators(snapshot, tag)), None
            kept = self.cache.get(cache_key) if route.is_kept else None
            if kept is not None and kept.version == snapshot.version and kept.is_fresh(route.lasts):
                return self._response(kept.reply, snapshot, tag, route), kept.reply
            async with self.admission.admitted() if route.needs_graph else nullcontext():
                reply = await self._performed(operation, client, snapshot)
        except Problem as problem:
            stale = self._stale(problem, cache_key, snapshot)
            if stale is None:
                raise
            return stale
        if route.needs_graph and (route.is_kept or self._keeps_all):
            self.cache.put(
                cache_key, reply, version=snapshot.version, rules=snapshot.served.fingerprint
            )
        return self._response(reply, snapshot, tag, route), reply

    @property
    def _keeps_all(self) -> bool:
        return self.settings.c360_serve_while_loading == "stale"

    async def _performed(self, operation: Operation, client: Client, snapshot: Snapshot) -> Reply:
        try:
            return await operation(self.reader(client, snapshot))
        except GraphTimeoutError:
            raise Problem(504, "Neo4j ended the query. Ask for less, such as fewer hops.") from None
        except GraphUnavailableError as error:
            _LOG.warning("%s", error)
            raise unavailable(STATES["unreachable"]) from None
        except GraphError as error:
            _LOG.error("%s", error)
            raise Problem(502, "Neo4j refused the query. The server's log says why.") from None

    def reader(self, client: Client, snapshot: Snapshot) -> Reader:
        """What the client's requests are answered from."""
        return Reader(
            graph=self.graph,
            served=snapshot.served,
            client=client,
            timeout_seconds=self.settings.c360_serve_timeout_seconds,
            max_degree=self.settings.c360_serve_max_degree,
            loads=snapshot.loads,
            kept=self._kept,
        )

    def _stale(
        self, problem: Problem, cache_key: str, snapshot: Snapshot
    ) -> tuple[Response, Reply] | None:
        """What was answered last, where the graph is not to be had and the setting permits it."""
        kept = self.cache.get(cache_key) if problem.status == 503 and self._keeps_all else None
        # Rules that came since may exclude what is in there.
        if kept is None or kept.rules != snapshot.served.fingerprint:
            return None
        headers = {"C360-Stale": "true", "Age": str(kept.age), "Cache-Control": "no-store"}
        return Response(kept.reply.body, headers=headers, media_type=kept.reply.media), kept.reply

    def _response(self, reply: Reply, snapshot: Snapshot, tag: str, route: Route) -> Response:
        known = route.lasts is None and route.needs_graph
        headers = _validators(snapshot, tag) if known else {"Cache-Control": "no-store"}
        return Response(reply.body, headers=headers, media_type=reply.media)

    def record(
        self,
        name: str,
        route: str,
        status: int,
        *,
        about: tuple[tuple[str, str], ...] = (),
        rows: int = 0,
        seconds: float = 0.0,
    ) -> None:
        """Count an access, and have it written into the access log."""
        self.metrics.answered(route, status, seconds)
        now = datetime.now(UTC)
        hashes: list[str | None] = [self.hashes.of(*node) for node in about]
        for hashed in hashes or [None]:
            self.link.record(
                Access(
                    accessed_at=now,
                    client_name=name,
                    route=route,
                    status=status,
                    customer_hash=hashed,
                    rows_served=rows,
                    duration_ms=round(seconds * 1000, 3),
                )
            )


def key_of(request: Request) -> str | None:
    """The key or the token that a request has; that of the page is in a cookie."""
    sent = request.headers.get("authorization")
    if sent is not None:
        scheme, _, token = sent.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""
    return request.headers.get("x-api-key") or request.cookies.get(COOKIE) or None


def _tag(snapshot: Snapshot, cache_key: str) -> str:
    said = "\n".join((snapshot.version, cache_key))
    return f'"{sha256(said.encode()).hexdigest()[:24]}"'


def _validators(snapshot: Snapshot, tag: str) -> dict[str, str]:
    moment = format_datetime(snapshot.changed_at, usegmt=True)
    return {
        "ETag": tag,
        # A client that has two versions of one second could not tell them apart.
        **({"Last-Modified": moment} if snapshot.is_settled else {}),
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, X-API-Key, Cookie, Accept",
    }


def _is_known(request: Request, snapshot: Snapshot, tag: str) -> bool:
    """Whether the client has what it would be sent."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return any(one.strip().removeprefix("W/") in (tag, "*") for one in tags.split(","))
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        # No other moment than the one that was sent: workers see changes of the rules one after the other.
        return parsedate_to_datetime(since) == snapshot.changed_at
    except (TypeError, ValueError):
        return False
