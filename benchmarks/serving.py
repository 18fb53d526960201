"""`python -m benchmarks.serving`: how long `c360 serve` takes for a customer's view, beside the bare driver.

Clients, server and Neo4j share the machine. What is asked by HTTP is asked by two generators: by autocannon, and
by the client that asks the bare driver, too, so that HTTP and Bolt can be compared.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from benchmarks.answer_times import AnswerTimes
from benchmarks.generator import generate
from benchmarks.load_generator import (
    MOST_CONNECTIONS,
    LoadError,
    LoadGenerator,
    install_load_generator,
)
from benchmarks.measurement import C360
from benchmarks.node_packages import NodePackagesError
from benchmarks.own_client import Ask, closed, connection, connections, steady
from benchmarks.serving_recovery import measure_recovery
from benchmarks.target import Memory, Target, temporary_target
from c360_graph.cypher import serving as text
from c360_graph.graph.read_only import AsyncGraph, open_async_graph
from c360_graph.sandbox.state import free_port

PROJECT = Path(__file__).parent.parent
CUSTOMERS = 1_000
WARM_UP = 2_000
_ARMS = (
    ("HAS_PAYMENT_METHOD", "PaymentMethod", None),
    ("HAS_SUBSCRIPTION", "Subscription", "starts_at"),
    ("SUBMITTED", "Ticket", "created_at"),
    ("WATCHED", "PlayEvent", "event_timestamp"),
)

_PATHS: Mapping[str, Callable[[str, str], str]] = {
    "view by HTTP": lambda key, _: f"/v1/customers/{key}",
    "search by HTTP": lambda _, email: f"/v1/customers?email={email}",
    "kept answer by HTTP": lambda _, __: "/v1/answers/revenue_by_plan",
}
"""What is asked by HTTP, for a customer's key and email."""

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(
    events: Annotated[int, typer.Option(help="Play events in the graph.")] = 1_000_000,
    rate: Annotated[int, typer.Option(help="Requests a second.", min=1, max=MOST_CONNECTIONS)] = 50,
    seconds: Annotated[float, typer.Option(help="How long each is measured.")] = 20.0,
    clients: Annotated[
        int,
        typer.Option(help="Clients that ask as fast as they can.", min=1, max=MOST_CONNECTIONS),
    ] = 8,
    workers: Annotated[int, typer.Option(help="Processes of the server.")] = 1,
    minutes: Annotated[
        int, typer.Option(help="Then ask for so long, and tell the server's memory each minute.")
    ] = 0,
    recovery: Annotated[
        int, typer.Option(help="Then kill Neo4j, and the control database, so many times.")
    ] = 0,
    heap_mb: Annotated[int, typer.Option(help="Neo4j's heap.")] = 1_024,
    page_cache_mb: Annotated[int, typer.Option(help="Neo4j's page cache.")] = 512,
) -> None:
    """Measure the latency of a customer's view, and how many a second there can be."""
    memory = Memory(heap_mb=heap_mb, page_cache_mb=page_cache_mb)
    with temporary_target(line="2026", memory=memory) as (target, folder):
        try:
            # First, since without it the rest is in vain.
            load = install_load_generator(folder=folder)
        except NodePackagesError as error:
            raise SystemExit(str(error)) from error
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
            measured = _measure(
                target, port, process, load, rate=rate, seconds=seconds, clients=clients
            )
            try:
                found = asyncio.run(measured)
            except LoadError as error:
                raise SystemExit(str(error)) from error
            for result in found:
                typer.echo(json.dumps(asdict(result)))
            asyncio.run(_soak(target, port, process, rate=rate, minutes=minutes))
            keys = [*_emails(target)]
            recovered = measure_recovery(
                target, folder / "sandbox", databases.control, port=port, keys=keys, times=recovery
            )
            for each in recovered:
                typer.echo(json.dumps(asdict(each)))


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
            [*C360, "serve", "--port", str(port), "--unmasked", "--workers", str(workers)],
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
            async with connection(port) as opened:
                await opened.get("/readyz")
                return
        except OSError:
            await asyncio.sleep(0.2)


async def _measure(
    target: Target,
    port: int,
    process: psutil.Process,
    load: LoadGenerator,
    *,
    rate: int,
    seconds: float,
    clients: int,
) -> list[AnswerTimes]:
    emails = _emails(target)
    keys = [*emails]
    paths = {what: [path(*each) for each in emails.items()] for what, path in _PATHS.items()}
    async with (
        open_async_graph(
            uri=target.neo4j.uri,
            username="neo4j",
            password=target.neo4j.password,
            database="neo4j",
        ) as graph,
        connections(port) as over_http,
    ):

        async def one(_: str) -> None:
            await graph.rows("RETURN 1", timeout_seconds=10)

        asked = {
            "RETURN 1 by Bolt": one,
            "view by Bolt": _bare_view(graph),
            **_requests(over_http, emails),
        }
        found = []
        for what, ask in asked.items():
            for number in range(WARM_UP):
                await ask(keys[number % len(keys)])
            found.append(await steady(what, ask, keys, rate=rate, seconds=seconds))
            if what in paths:
                ran = partial(load.steady, what, paths[what], port=port, rate=rate, seconds=seconds)
                found.append(await asyncio.to_thread(ran))
        for what in ("view by Bolt", "view by HTTP", "kept answer by HTTP"):
            found.append(await closed(what, asked[what], keys, clients=clients, seconds=seconds))
            if what in paths:
                ran = partial(
                    load.closed, what, paths[what], port=port, clients=clients, seconds=seconds
                )
                found.append(await asyncio.to_thread(ran))
        return [*found[:-1], replace(found[-1], server_mb=_megabytes(process))]


def _emails(target: Target) -> dict[str, str]:
    """Of some customers, by their keys."""
    rows = target.graph.rows(
        "MATCH (a:Account) RETURN a.account_id AS id, a.email AS email ORDER BY id LIMIT $n",
        n=CUSTOMERS,
    )
    return {str(row["id"]): str(row["email"]) for row in rows}


def _requests(over_http: Ask, emails: Mapping[str, str]) -> dict[str, Ask]:
    def asking(path: Callable[[str, str], str]) -> Ask:
        async def ask(key: str) -> None:
            await over_http(path(key, emails[key]))

        return ask

    return {what: asking(path) for what, path in _PATHS.items()}


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
    async with connections(port) as over_http:
        asks = [*_requests(over_http, emails).values()]

        async def any_of_them(key: str) -> None:
            await random.choice(asks)(key)

        for minute in range(1, minutes + 1):
            found = await steady("soak", any_of_them, [*emails], rate=rate, seconds=60)
            told = {"minute": minute, "server_mb": _megabytes(process), "p99_ms": found.p99_ms}
            typer.echo(json.dumps(told))


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


if __name__ == "__main__":
    app()
