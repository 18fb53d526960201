"""Clients of others: agents with their tools, and clients that are generated from the OpenAPI document."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import httpx2
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from benchmarks.node_packages import NodePackagesError, install_node_packages
from c360_graph_tests.integration.serving.conftest import Served, server

pytestmark = pytest.mark.servers

T = TypeVar("T")
EMAIL = "john.smith@email.com"


def used(client: httpx.Client, key: str, use: Callable[[ClientSession], Awaitable[T]]) -> T:
    """What a session of an agent made."""

    async def run() -> T:
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
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


PYTHON_CLIENT = """
import json, os
from customer_360_client import AuthenticatedClient
from customer_360_client.api.default import (
    answers, customers, customers_key, customers_key_journey, customers_key_neighbourhood, plan,
)
from customer_360_client.models import CustomerView, ProblemDocument

with AuthenticatedClient(base_url=os.environ["C360_URL"], token=os.environ["C360_KEY"]) as client:
    (view,) = customers.sync(client=client, email=os.environ["C360_EMAIL"]).customers
    assert isinstance(view, CustomerView)
    around = customers_key_neighbourhood.sync(view.key, client=client, hops=1)
    journey = customers_key_journey.sync(view.key, client=client)
    plans = plan.sync(client=client).nodes
    missing = customers_key.sync("nobody", client=client)
    assert isinstance(missing, ProblemDocument)
    print(json.dumps({
        "email": view.properties.email,
        "nodes": len(around.nodes),
        "steps": len(journey.steps),
        "fees": len([one.properties.monthly_fee for one in plans]),
        "missing": missing.status,
    }))
"""
TOLD = {"email": EMAIL, "nodes": 53, "steps": 56, "fees": 5, "missing": 404}
TYPESCRIPT = Path(__file__).parent / "typescript"


def ran(*command: str | Path, folder: Path, **environment: str) -> str:
    """What a command said on standard output."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def document(api: httpx.Client, folder: Path) -> Path:
    """The OpenAPI document as a file."""
    path = folder / "openapi.json"
    path.write_text(api.get("/v1/openapi.json").text, encoding="utf-8")
    return path


def test_a_python_client_is_generated_and_reads_the_graph(served: Served, tmp_path: Path) -> None:
    key = served.key("python")
    with server(key=key) as api:
        (tmp_path / "config.yml").write_text("post_hooks: []\n", encoding="utf-8")
        command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
        command += ["--path", str(document(api, tmp_path)), "--config", "config.yml"]
        said = ran(*command, "--output-path", "customer_360_client", folder=tmp_path)
        assert "arning" not in said, said
        told = ran(
            sys.executable,
            "-c",
            PYTHON_CLIENT,
            folder=tmp_path,
            C360_URL=str(api.base_url),
            C360_KEY=key,
            C360_EMAIL=EMAIL,
        )
    assert json.loads(told) == TOLD


def test_a_typescript_client_is_generated_and_reads_the_graph(
    served: Served, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(TYPESCRIPT, tmp_path / "client"))
    try:
        install_node_packages(folder=folder)
    except NodePackagesError as error:
        pytest.fail(f"{error}, or leave it out by pytest -k 'not typescript'.", pytrace=False)
    key = served.key("typescript")
    with server(key=key) as api:
        made = document(api, folder)
        ran("npx", "--no-install", "openapi-typescript", made, "-o", "schema.d.ts", folder=folder)
        ran("npx", "--no-install", "tsc", "-p", ".", folder=folder)
        told = ran(
            "node",
            folder / "out" / "use.js",
            folder=folder,
            C360_URL=str(api.base_url),
            C360_KEY=key,
            C360_EMAIL=EMAIL,
        )
    assert json.loads(told) == TOLD
