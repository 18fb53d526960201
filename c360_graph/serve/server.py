"""The server: its parts are opened and closed, and each request is guarded before any route sees it."""

from __future__ import annotations

import asyncio
import gc
import os
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Match

from c360_graph.control.api_clients import ApiClients, ClientRow
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.errors import SettingsError
from c360_graph.graph.read_only import AsyncGraph, open_async_graph
from c360_graph.questions import read_question_set
from c360_graph.serve.answering import QuestionGraph
from c360_graph.serve.api import create_app
from c360_graph.serve.audit import KNOWN_SECONDS, ControlLink, CustomerHash
from c360_graph.serve.clients import ANONYMOUS, Client, Clients, is_loopback, tokens_of
from c360_graph.serve.limits import Admission, Buckets
from c360_graph.serve.schema import ServedRule
from c360_graph.serve.service import STATES, ResponseCache, ServeMetrics, Service
from c360_graph.serve.values import Problem, split_path, unavailable
from c360_graph.serve.watch import GraphWatch
from c360_graph.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MOST_BODY_BYTES = 16_384
MCP_PATH = "/mcp"

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self' data:;"
        b" form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Binding:
    """Where the server listens, and whether requests without a key are answered there."""

    host: str
    is_open: bool
    unmasked: bool = False


def bind(host: str, rows: tuple[ClientRow, ...], settings: Settings, *, unmasked: bool) -> Binding:
    """Decide whether to listen at an address.

    Raises:
        SettingsError: it is beyond loopback, and nobody has a key.
    """
    has_keys = any(row.revoked_at is None for row in rows) or bool(settings.c360_serve_oidc_issuer)
    if not is_loopback(host) and not has_keys:
        raise SettingsError(
            f"c360 serve does not listen at {host}, which other machines reach, while nobody has a key."
            " Make one with `c360 serve key create NAME`, or set C360_SERVE_OIDC_ISSUER."
        )
    is_open = is_loopback(host) and not rows and not settings.c360_serve_oidc_issuer
    return Binding(host=host, is_open=is_open, unmasked=unmasked)


@asynccontextmanager
async def opened_service(
    settings: Settings, binding: Binding, buckets: Buckets | None
) -> AsyncIterator[Service]:
    """The parts of a server, and the tasks that keep them up to date, while the block runs.

    Args:
        settings: those of the process.
        binding: whether requests without a key are answered.
        buckets: those that several workers share; None for one process.

    Raises:
        ControlDatabaseError: the clients and the rules cannot be read.
        GraphError: the address of Neo4j cannot be used.
    """
    key = settings.c360_hash_key.get_secret_value() if settings.c360_hash_key else None
    tokens = tokens_of(settings)
    clients = Clients(
        anonymous=(Client(name=ANONYMOUS, unmasked=binding.unmasked) if binding.is_open else None),
        rate_per_minute=settings.c360_serve_rate_per_minute,
        buckets=buckets,
    )
    async with AsyncExitStack() as stack:
        graph = await stack.enter_async_context(_open_graph(settings))
        watched = await stack.enter_async_context(_open_graph(settings))
        admission = Admission()
        question_graph = QuestionGraph(settings)
        stack.push_async_callback(asyncio.to_thread, question_graph.close)
        watch = GraphWatch(
            watched,
            customer_label=settings.c360_serve_customer_label,
            renew=partial(_renew, graph, watched, question_graph),
            on_return=admission.begin_anew,
        )

        def use(rows: tuple[ClientRow, ...], rules: tuple[ServedRule, ...]) -> None:
            clients.replace(rows)
            watch.use_rules(rules)

        link = ControlLink(
            ApiClients(ControlDatabase(control_credentials(settings), patience_seconds=1.0)),
            use=use,
        )
        await link.read()
        await watch.look()
        await stack.enter_async_context(_running(watch, link))
        yield Service(
            settings=settings,
            graph=graph,
            watch=watch,
            clients=clients,
            link=link,
            hashes=CustomerHash(key),
            questions=read_question_set(settings.c360_queries_dir),
            question_graph=question_graph,
            cache=ResponseCache(),
            admission=admission,
            metrics=ServeMetrics(worker=str(os.getpid()) if buckets else ""),
            identify_token=tokens.identify if tokens else None,
        )


def _open_graph(settings: Settings) -> AbstractAsyncContextManager[AsyncGraph]:
    return open_async_graph(
        uri=settings.neo4j_uri,
        username=settings.neo4j_username,
        password=settings.neo4j_password.get_secret_value(),
        database=settings.neo4j_database,
    )


def _renew(graph: AsyncGraph, watched: AsyncGraph, question_graph: QuestionGraph) -> None:
    graph.renew()
    watched.renew()
    # A thread may hold its lock while it connects.
    asyncio.get_running_loop().run_in_executor(None, question_graph.renew)


@asynccontextmanager
async def _running(watch: GraphWatch, link: ControlLink) -> AsyncIterator[None]:
    stop = asyncio.Event()
    looking = asyncio.create_task(watch.run())
    keeping = asyncio.create_task(link.run(stop))
    try:
        yield
    finally:
        looking.cancel()
        stop.set()
        await asyncio.gather(looking, keeping, return_exceptions=True)


class Application:
    """The ASGI application. The routes are made anew when a load changed what is served."""

    def __init__(
        self, settings: Settings, binding: Binding, *, buckets: Buckets | None = None
    ) -> None:
        # FastAPI keeps it quiet, but not in threads.
        warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)
        self._settings = settings
        self._binding = binding
        self._buckets = buckets
        self._service: Service | None = None
        self._app: Any = None
        self._routes: Sequence[BaseRoute] = ()
        self._tools = _tools(self)
        self._making: asyncio.Task[None] | None = None
        self._made_for: str | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with AsyncExitStack() as stack:
                service = await stack.enter_async_context(
                    opened_service(self._settings, self._binding, self._buckets)
                )
                if self._tools is not None:
                    await stack.enter_async_context(self._tools.running())
                self._service = service
                await self._make(service)
                # What is there now stays. Looking through it for garbage would stop all requests for 0.1 s.
                gc.collect()
                gc.freeze()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                self._service = None
        except Exception as error:  # noqa: BLE001, uvicorn prints it and ends
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        service = self._service
        assert service is not None
        headers = dict(scope["headers"])
        guarded = _with_headers(send)
        refused = self._refused(headers)
        plain = None if refused else self._plain(scope["path"], service)
        if refused or plain:
            await (refused or plain)(scope, receive, guarded)  # type: ignore[misc]
            return
        if self._tools is not None and scope["path"] == MCP_PATH:
            await self._use_tools(self._tools, service, scope, receive, guarded)
            return
        if service.watch.current.served.fingerprint != self._made_for and self._making is None:
            self._making = asyncio.create_task(self._make(service))
        raw = scope.get("raw_path") or scope["path"].encode()
        split = {**scope, "path": split_path(raw)}
        if self._making is not None and not any(
            route.matches(split)[0] is Match.FULL for route in self._routes
        ):
            # It may be a path of a label that has just come.
            await asyncio.shield(self._making)
        await self._app(split, receive, guarded)

    async def _use_tools(
        self, tools: Any, service: Service, scope: Message, receive: Receive, send: Send
    ) -> None:
        # What the tools are is for clients only; each of their requests is looked at for itself.
        try:
            await service.client(Request(scope))
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        await tools.app(scope, receive, send)

    def _refused(self, headers: dict[bytes, bytes]) -> Response | None:
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MOST_BODY_BYTES or b"transfer-encoding" in headers:
            return Problem(413, "", headers={"Connection": "close"}).response()
        # A page of the web could have its name point to this machine.
        host = headers.get(b"host", b"").decode("latin-1").rpartition("@")[2]
        if self._binding.is_open and not is_loopback(_without_port(host)):
            return Problem(
                403, "Without keys, only the names of this machine are answered."
            ).response()
        return None

    def _plain(self, path: str, service: Service) -> Response | None:
        """The answers to monitors, and to everybody while nothing is known of the graph yet."""
        state = service.watch.current.state
        is_ready = state == "whole" and service.link.known_seconds < KNOWN_SECONDS
        if path == "/healthz":
            return Response("alive\n", media_type="text/plain")
        if path == "/readyz":
            retry = {} if is_ready else {"Retry-After": "2"}
            return Response(
                f"{state}\n", 200 if is_ready else 503, headers=retry, media_type="text/plain"
            )
        if path == "/metrics":
            text = service.metrics.text(state=state, is_ready=is_ready)
            return Response(text, media_type="text/plain; version=0.0.4")
        if (
            not service.watch.current.version
            and path.startswith("/v1/")
            and path != "/v1/freshness"
        ):
            return unavailable(STATES[state]).response()
        return None

    async def _make(self, service: Service) -> None:
        """Make the routes, in a thread: many labels take seconds. Those of before answer meanwhile."""
        try:
            served = service.watch.current.served
            app = await asyncio.to_thread(create_app, service, served)
            self._app, self._made_for = self._with_cors(app), served.fingerprint
            self._routes = app.routes
        finally:
            self._making = None

    def _with_cors(self, app: FastAPI) -> Any:
        origins = [o.strip() for o in (self._settings.c360_serve_origins or "").split(",")]
        if not any(origins):
            return app
        return CORSMiddleware(
            app,
            allow_origins=[o for o in origins if o],
            allow_methods=["GET"],
            allow_headers=["Authorization", "X-API-Key", "If-None-Match"],
            expose_headers=["ETag", "Last-Modified", "Retry-After", "C360-Stale"],
        )


def _tools(server: Application) -> Any:
    """The tools for agents; None where the extra `mcp` is not installed."""
    if find_spec("mcp") is None:
        return None
    from c360_graph.serve.mcp_tools import McpTools

    return McpTools(server, path=MCP_PATH)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await send(message)

    return sending
