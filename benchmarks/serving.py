"""`python -m benchmarks.serving`: how long `c360 serve` takes for a customer's view, beside the bare driver.

Client, server and Neo4j share the machine. At a steady rate, latency counts from the moment that a request
was due, so that a server that stalls is not spared the requests that come meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from benchmarks.generator import generate
from benchmarks.target import Memory, Target, temporary_target
from c360_graph.cypher import serving as text
from c360_graph.following.lag import percentile
from c360_graph.graph.read_only import AsyncGraph, open_async_graph
from c360_graph.sandbox.process import free_port

PROJECT = Path(__file__).parent.parent
CUSTOMERS = 1_000
WARM_UP = 2_000
MOST_AT_ONCE = 32
_CLI = [sys.executable, "-c", "from c360_graph.cli import app; app()"]
_ARMS = (
    ("HAS_PAYMENT_METHOD", "PaymentMethod", None),
    ("HAS_SUBSCRIPTION", "Subscription", "starts_at"),
    ("SUBMITTED", "Ticket", "created_at"),
    ("WATCHED", "PlayEvent", "event_timestamp"),
)

app = typer.Typer(pretty_exceptions_enable=False)
Ask = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One way to ask, at a steady rate or by clients that each ask again at once."""

    what: str
    asked_rate: int | None
    clients: int | None
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    server_mb: float | None = None


class Connection:
    """One keep-alive connection; the least that an HTTP client can do, since it shares the cores."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def get(self, path: str) -> None:
        """Ask, and read the whole answer."""
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in head[:16]:
            raise SystemExit(head.decode())
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await self._reader.readexactly(int(length))

    def close(self) -> None:
        """End it."""
        self._writer.close()


@app.command()
def main(
    events: Annotated[int, typer.Option(help="Play events in the graph.")] = 1_000_000,
    rate: Annotated[int, typer.Option(help="Requests a second.")] = 50,
    seconds: Annotated[float, typer.Option(help="How long each is measured.")] = 20.0,
    clients: Annotated[int, typer.Option(help="Clients that ask as fast as they can.")] = 8,
    workers: Annotated[int, typer.Option(help="Processes of the server.")] = 1,
    minutes: Annotated[
        int, typer.Option(help="Then ask for so long, and tell the server's memory each minute.")
    ] = 0,
    heap_mb: Annotated[int, typer.Option(help="Neo4j's heap.")] = 1_024,
    page_cache_mb: Annotated[int, typer.Option(help="Neo4j's page cache.")] = 512,
) -> None:
    """Measure the latency of a customer's view, and how many a second there can be."""
    memory = Memory(heap_mb=heap_mb, page_cache_mb=page_cache_mb)
    with temporary_target(line="2026", memory=memory) as (target, folder):
        databases = generate(target.source_server, events=events, seed=360)
        environment = os.environ | target.environment(databases.control)
        environment |= {
            "C360_DATA_DIR": str(folder / "data"),
            "C360_SERVE_RATE_PER_MINUTE": "1000000",
        }
        _load(environment, folder)
        with _serving(environment, folder, workers=workers) as (port, process):
            load_1, load_5, _ = os.getloadavg()
            typer.echo(f"load averages before: {load_1:.1f}, {load_5:.1f}", err=True)
            found = asyncio.run(
                _measure(target, port, process, rate=rate, seconds=seconds, clients=clients)
            )
            for result in found:
                typer.echo(json.dumps(asdict(result)))
            asyncio.run(_soak(target, port, process, rate=rate, minutes=minutes))


def _load(environment: Mapping[str, str], folder: Path) -> None:
    command = "-m dagster asset materialize --select *neo4j_graph -m c360_graph.definitions"
    subprocess.run(  # noqa: S603
        [sys.executable, *command.split()],
        env=environment,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def _serving(
    environment: Mapping[str, str], folder: Path, *, workers: int
) -> Iterator[tuple[int, psutil.Process]]:
    port = free_port()
    log = folder / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603
            [*_CLI, "serve", "--port", str(port), "--unmasked", "--workers", str(workers)],
            env=environment,
            cwd=folder,
            stdout=out,
            stderr=out,
        )
    try:
        asyncio.run(_until_it_answers(port, process, log))
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


async def _until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    while True:
        if process.poll() is not None:
            raise SystemExit(log.read_text())
        try:
            async with _connection(port) as connection:
                await connection.get("/readyz")
                return
        except OSError:
            await asyncio.sleep(0.2)


@asynccontextmanager
async def _connection(port: int) -> AsyncIterator[Connection]:
    opened = Connection(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield opened
    finally:
        opened.close()


async def _measure(
    target: Target,
    port: int,
    process: psutil.Process,
    *,
    rate: int,
    seconds: float,
    clients: int,
) -> list[Result]:
    emails = _emails(target)
    keys = [*emails]
    async with (
        open_async_graph(
            uri=target.neo4j.uri,
            username="neo4j",
            password=target.neo4j.password,
            database="neo4j",
        ) as graph,
        _pool(port) as over_http,
    ):

        async def one(_: str) -> None:
            await graph.rows("RETURN 1", timeout_seconds=10)

        asked = {
            "RETURN 1 by Bolt": one,
            "view by Bolt": _bare_view(graph),
            **_requests(over_http, emails),
        }
        results = []
        for what, ask in asked.items():
            for number in range(WARM_UP):
                await ask(keys[number % len(keys)])
            results.append(await _steady(what, ask, keys, rate=rate, seconds=seconds))
        for what in ("view by Bolt", "view by HTTP", "kept answer by HTTP"):
            made = await _closed(what, asked[what], keys, clients=clients, seconds=seconds)
            results.append(made)
        size = _megabytes(process)
        return [*results[:-1], Result(**{**asdict(results[-1]), "server_mb": size})]


def _emails(target: Target) -> dict[str, str]:
    """Of some customers, by their keys."""
    rows = target.graph.rows(
        "MATCH (a:Account) RETURN a.account_id AS id, a.email AS email ORDER BY id LIMIT $n",
        n=CUSTOMERS,
    )
    return {str(row["id"]): str(row["email"]) for row in rows}


def _requests(
    over_http: Callable[[str], Awaitable[None]], emails: Mapping[str, str]
) -> dict[str, Ask]:
    async def view(key: str) -> None:
        await over_http(f"/v1/customers/{key}")

    async def search(key: str) -> None:
        await over_http(f"/v1/customers?email={emails[key]}")

    async def answer(_: str) -> None:
        await over_http("/v1/answers/revenue_by_plan")

    return {"view by HTTP": view, "search by HTTP": search, "kept answer by HTTP": answer}


def _megabytes(process: psutil.Process) -> float:
    """Memory of the server, of all workers together."""
    processes = (process, *process.children(recursive=True))
    total: int = sum(one.memory_info().rss for one in processes)
    return round(total / 1_000_000, 1)


async def _soak(
    target: Target, port: int, process: psutil.Process, *, rate: int, minutes: int
) -> None:
    """Ask for views, searches and answers in turn, and print the server's memory each minute."""
    emails = _emails(target)
    async with _pool(port) as over_http:
        asks = [*_requests(over_http, emails).values()]

        async def any_of_them(key: str) -> None:
            await random.choice(asks)(key)

        for minute in range(1, minutes + 1):
            found = await _steady("soak", any_of_them, [*emails], rate=rate, seconds=60)
            told = {"minute": minute, "server_mb": _megabytes(process), "p99_ms": found.p99_ms}
            typer.echo(json.dumps(told))


@asynccontextmanager
async def _pool(port: int) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    free: asyncio.Queue[Connection] = asyncio.Queue()
    opened = [
        Connection(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(MOST_AT_ONCE)
    ]
    for connection in opened:
        free.put_nowait(connection)

    async def get(path: str) -> None:
        connection = await free.get()
        try:
            await connection.get(path)
        except (EOFError, ConnectionError):
            # The server closes a connection on which nothing has come for 30 seconds.
            connection = Connection(*await asyncio.open_connection("127.0.0.1", port))
            opened.append(connection)
            await connection.get(path)
        finally:
            free.put_nowait(connection)

    yield get
    for connection in opened:
        connection.close()


def _bare_view(graph: AsyncGraph) -> Ask:
    """The statement of a customer's view, sent by the driver alone."""
    names = ("account_id", "email", "full_name", "created_at")
    arms = tuple(
        text.Arm(
            at="Account",
            relationship_type=kind,
            outward=True,
            label=label,
            names=(),
            moment=moment,
            is_alone=True,
        )
        for kind, label, moment in _ARMS
    )
    statement = text.read_views(text.by_key("Account", ("account_id",)), names, arms, records=None)
    bounds: dict[str, Any] = {"most": 1, "guard": 20_000, "most_records": 50}

    async def ask(key: str) -> None:
        await graph.rows(statement, {**bounds, "key0": key}, timeout_seconds=10)

    return ask


async def _steady(what: str, ask: Ask, keys: list[str], *, rate: int, seconds: float) -> Result:
    took: list[float] = []
    tasks = []
    chosen = random.Random(360)

    async def timed(due: float) -> None:
        await ask(chosen.choice(keys))
        took.append((time.perf_counter() - due) * 1_000)

    begun = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(timed(due)))
    await asyncio.gather(*tasks)
    elapsed = time.perf_counter() - begun
    return _result(what, took, elapsed, asked_rate=rate, clients=None)


async def _closed(what: str, ask: Ask, keys: list[str], *, clients: int, seconds: float) -> Result:
    took: list[float] = []
    begun = time.perf_counter()

    async def client(number: int) -> None:
        chosen = random.Random(number)
        while (at := time.perf_counter()) - begun < seconds:
            await ask(chosen.choice(keys))
            took.append((time.perf_counter() - at) * 1_000)

    await asyncio.gather(*map(client, range(clients)))
    return _result(what, took, time.perf_counter() - begun, asked_rate=None, clients=clients)


def _result(
    what: str, took: list[float], elapsed: float, *, asked_rate: int | None, clients: int | None
) -> Result:
    took.sort()
    return Result(
        what=what,
        asked_rate=asked_rate,
        clients=clients,
        requests_per_second=round(len(took) / elapsed, 1),
        p50_ms=round(percentile(took, 50), 2),
        p99_ms=round(percentile(took, 99), 2),
    )


if __name__ == "__main__":
    app()
