"""Agents read the graph by tools, with the keys and scopes of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import httpx2
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from c360_graph_tests.integration.serving.conftest import Served, server

pytestmark = pytest.mark.servers

T = TypeVar("T")
EMAIL = "john.smith@email.com"


def used(client: httpx.Client, key: str, use: Callable[[ClientSession], Awaitable[T]]) -> T:
    """What a session of an agent made."""

    async def run() -> T:
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            streamable_http_client(f"{client.base_url}/mcp", http_client=http) as streams,
            ClientSession(streams[0], streams[1]) as session,
        ):
            await session.initialize()
            return await use(session)

    return asyncio.run(run())


def content(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


def test_tools_answer_what_the_api_answers_to_the_same_key(served: Served) -> None:
    key, masked = served.key("agent"), served.key("masked agent", unmasked=False)

    async def whole(session: ClientSession) -> tuple[set[str], dict[str, Any], dict[str, Any]]:
        names = {tool.name for tool in (await session.list_tools()).tools}
        found = content(await session.call_tool("find_customer", {"identifier": EMAIL}))
        (one,) = found["customers"]
        journey = await session.call_tool("customer_journey", {"key": one["key"]})
        return names, one, content(journey)

    async def seen(session: ClientSession) -> tuple[dict[str, Any], CallToolResult]:
        found = content(await session.call_tool("find_customer", {"identifier": EMAIL}))
        return found["customers"][0], await session.call_tool("answer", {"name": "no_such"})

    with server() as client:
        names, one, journey = used(client, key, whole)
        masked_one, refused = used(client, masked, seen)
        headers = {"Authorization": f"Bearer {key}"}
        same = client.get("/v1/customers", params={"email": EMAIL}, headers=headers).json()
        without = client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert {"find_customer", "customer_journey", "answer", "list_nodes"} <= names
    assert one == same["customers"][0]
    assert journey["steps"]
    assert EMAIL in str(one)
    assert EMAIL not in str(masked_one)
    assert refused.is_error
    assert "404 Not found" in str(refused.content)
    assert without.status_code == 401
