"""The same read operations as tools for agents (Model Context Protocol, streamable HTTP), on the same server.

Each tool is a request to the API with the key of the caller, so that scopes, limits, errors and the access
log are those of the API. There is no tool for Cypher.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import quote, urlencode

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import ToolAnnotations
from starlette.requests import Request

App = Callable[[Any, Any, Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_PASSED_ON = (b"authorization", b"x-api-key", b"cookie", b"host", b"x-forwarded-proto")
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_INSTRUCTIONS = (
    "Reads a graph of customers. Begin with find_customer, or with schema and list_answers. Keys of nodes"
    " come from other tools; a key of several columns is a JSON array of texts."
)


class McpTools:
    """The tools of one server; `api` answers the requests that they are."""

    def __init__(self, api: App, *, path: str) -> None:
        self._api = api
        self._server = MCPServer("c360_graph", instructions=_INSTRUCTIONS)
        for tool in (
            self.find_customer,
            self.customer,
            self.customer_journey,
            self.neighbourhood,
            self.node,
            self.list_nodes,
            self.list_answers,
            self.answer,
            self.schema,
            self.freshness,
        ):
            self._server.tool(annotations=_READS)(tool)
        self.app: App = self._server.streamable_http_app(
            streamable_http_path=path,
            json_response=True,
            stateless_http=True,
            # Hosts are looked at before.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )

    def running(self) -> AbstractAsyncContextManager[None]:
        """Answers while the block runs."""
        return self._server.session_manager.run()

    async def find_customer(self, identifier: str, context: Context[Any, Any]) -> dict[str, Any]:
        """Find customers by any identifier, such as an e-mail address, as it is, normalised or hashed."""
        return await self._get(context, "/v1/customers", q=identifier)

    async def customer(self, key: str, context: Context[Any, Any]) -> dict[str, Any]:
        """A customer's profile, how much there is around it, and when each kind happened last."""
        return await self._get(context, f"/v1/customers/{_segment(key)}")

    async def customer_journey(self, key: str, context: Context[Any, Any]) -> dict[str, Any]:
        """What happened to a customer, the earliest first."""
        return await self._get(context, f"/v1/customers/{_segment(key)}/journey")

    async def neighbourhood(
        self, label: str, key: str, context: Context[Any, Any], hops: int = 2, limit: int = 50
    ) -> dict[str, Any]:
        """Nodes and relationships around a node. `label` is a path that schema lists."""
        path = f"/v1/{_segment(label)}/{_segment(key)}/neighbourhood"
        return await self._get(context, path, hops=hops, limit=limit)

    async def node(self, label: str, key: str, context: Context[Any, Any]) -> dict[str, Any]:
        """The properties of a node. `label` is a path that schema lists."""
        return await self._get(context, f"/v1/{_segment(label)}/{_segment(key)}")

    async def list_nodes(
        self,
        label: str,
        context: Context[Any, Any],
        filters: dict[str, str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        """Nodes of a label by filters such as {"status": "active", "price.lt": "10"}.

        `cursor` is `next` of the page before.
        """
        given: dict[str, Any] = {**(filters or {}), "limit": limit}
        if cursor is not None:
            given["cursor"] = cursor
        return await self._get(context, f"/v1/{_segment(label)}", **given)

    async def list_answers(self, context: Context[Any, Any]) -> dict[str, Any]:
        """The questions that may be asked, with their parameters."""
        return await self._get(context, "/v1/answers")

    async def answer(
        self, name: str, context: Context[Any, Any], parameters: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The answer to a question that list_answers names."""
        return await self._get(context, f"/v1/answers/{_segment(name)}", **(parameters or {}))

    async def schema(self, context: Context[Any, Any]) -> dict[str, Any]:
        """Labels, properties with their types, and relationship types."""
        return await self._get(context, "/v1/schema")

    async def freshness(self, context: Context[Any, Any]) -> dict[str, Any]:
        """What the graph was made from, and how far it is behind its sources."""
        return await self._get(context, "/v1/freshness")

    async def _get(self, context: Context[Any, Any], path: str, **query: Any) -> dict[str, Any]:
        request = context.request_context.request
        assert isinstance(request, Request)
        headers = [(name, value) for name, value in request.headers.raw if name in _PASSED_ON]
        status, body = await answered(self._api, path, urlencode(query), headers)
        document: dict[str, Any] = json.loads(body)
        if status != 200:
            said = " ".join(filter(None, (document.get("title"), document.get("detail"))))
            wrong = "; ".join(
                f"{one['parameter']}: {one['detail']}" for one in document.get("errors", ())
            )
            raise ToolError(" ".join(filter(None, (f"{status}", said, wrong))))
        return document


def _segment(text: str) -> str:
    """A text as one segment of a path.

    >>> _segment('["eu","4/5"]')
    '%5B%22eu%22%2C%224%2F5%22%5D'
    """
    return quote(text, safe="")


async def answered(api: App, path: str, query: str, headers: Headers) -> tuple[int, bytes]:
    """Status and body of a GET that an ASGI application answers in this process."""
    status = 500
    parts: list[bytes] = []
    sent = False

    async def receive() -> MutableMapping[str, Any]:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [*headers, (b"accept", b"application/json")],
        "server": ("127.0.0.1", 0),
        "client": ("127.0.0.1", 0),
    }
    await api(scope, receive, send)
    return status, b"".join(parts)
