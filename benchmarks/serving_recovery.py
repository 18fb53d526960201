"""How soon `c360 serve` answers again after Neo4j was killed, and writes again after the control database was."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import httpx
import psycopg
from neo4j import Driver, GraphDatabase
from neo4j.exceptions import DriverError, Neo4jError

from benchmarks.target import Target
from c360_graph.errors import SandboxError
from c360_graph.sandbox import servers
from c360_graph.sandbox.state import NEO4J_USER, end

REQUEST_EVERY_SECONDS = 0.1
LOOK_EVERY_SECONDS = 0.02
QUIET_SECONDS = 5.0
"""Between two faults."""
BACK_SECONDS = 180.0
"""A server that takes longer has not recovered."""


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """What came back after a server was killed and started again, counted from its first answer."""

    killed: str
    waited_for: str
    times: int
    p50_seconds: float
    max_seconds: float
    statuses: Mapping[int, int]
    """How many requests were answered with which status, 0 for none, in all of the time."""

    @classmethod
    def of(
        cls, waits: Sequence[float], replies: Sequence[Reply], *, killed: str, waited_for: str
    ) -> Recovery:
        """What several waits come to."""
        return cls(
            killed=killed,
            waited_for=waited_for,
            times=len(waits),
            p50_seconds=round(median(waits), 2),
            max_seconds=round(max(waits), 2),
            statuses=dict(sorted(Counter(each.status for each in replies).items())),
        )


@dataclass(frozen=True, kw_only=True)
class Reply:
    """When a request was answered and with which status, 0 for none."""

    at: float
    status: int


def first_success(replies: Sequence[Reply], *, since: float) -> float | None:
    """When the first 200 came after the first request that failed since a moment; None while there is neither.

    >>> replies = [Reply(at=1.0, status=200), Reply(at=2.0, status=503), Reply(at=4.0, status=200)]
    >>> first_success(replies, since=0.5), first_success(replies, since=3.0)
    (4.0, None)
    """
    later = sorted((each for each in replies if each.at > since), key=lambda each: each.at)
    failing = itertools.dropwhile(lambda each: each.status == 200, later)
    return next((each.at for each in failing if each.status == 200), None)


def measure_recovery(
    target: Target, sandbox: Path, control: str, *, port: int, keys: Sequence[str], times: int
) -> Iterator[Recovery]:
    """Kill each server so many times, and start it again, while customers' views are asked for."""
    if times:
        yield asyncio.run(_neo4j(target, sandbox, port=port, keys=keys, times=times))
        yield asyncio.run(_control(target, sandbox, control, port=port, keys=keys, times=times))


async def _neo4j(
    target: Target, sandbox: Path, *, port: int, keys: Sequence[str], times: int
) -> Recovery:
    process, waits = target.neo4j.process, []
    auth = (NEO4J_USER, target.neo4j.password)
    with GraphDatabase.driver(target.neo4j.uri, auth=auth) as driver:
        async with _asked(port, keys) as replies:
            for _ in range(times):
                await asyncio.sleep(QUIET_SECONDS)
                killed = time.monotonic()
                await asyncio.to_thread(end, process=process, polite=signal.SIGKILL)
                starting = asyncio.create_task(
                    asyncio.to_thread(servers.restart_neo4j, folder=sandbox)
                )
                await _until(
                    lambda: asyncio.to_thread(_answers_bolt, driver), what="answer of Neo4j"
                )
                back = time.monotonic()

                async def succeeded(since: float = killed) -> bool:
                    return first_success(replies, since=since) is not None

                await _until(succeeded, what="200")
                again = first_success(replies, since=killed)
                assert again is not None
                waits.append(again - back)
                process = (await starting).process
    return Recovery.of(waits, replies, killed="Neo4j", waited_for="the first 200")


async def _control(
    target: Target, sandbox: Path, control: str, *, port: int, keys: Sequence[str], times: int
) -> Recovery:
    process, waits = target.postgres.process, []

    def rows(since: datetime) -> int | None:
        """In the access log, of requests since a moment; None while PostgreSQL does not answer."""
        try:
            with target.source_server.connect(control) as opened:
                row = opened.execute(
                    "SELECT count(*) FROM api_access_log WHERE accessed_at > %s", (since,)
                ).fetchone()
        except (SandboxError, psycopg.Error):
            return None
        return int(row[0]) if row else 0

    async with _asked(port, keys) as replies:
        for _ in range(times):
            await asyncio.sleep(QUIET_SECONDS)
            await asyncio.to_thread(end, process=process, polite=signal.SIGKILL)
            ended = datetime.now(UTC)

            async def answers(since: datetime = ended) -> bool:
                return await asyncio.to_thread(rows, since) is not None

            async def wrote(since: datetime = ended) -> bool:
                return bool(await asyncio.to_thread(rows, since))

            starting = asyncio.create_task(
                asyncio.to_thread(servers.restart_postgres, folder=sandbox)
            )
            await _until(answers, what="answer of PostgreSQL")
            back = time.monotonic()
            await _until(wrote, what="row of the access log")
            waits.append(time.monotonic() - back)
            process = (await starting).process
    return Recovery.of(
        waits, replies, killed="control database", waited_for="rows of the access log"
    )


@asynccontextmanager
async def _asked(port: int, keys: Sequence[str]) -> AsyncIterator[list[Reply]]:
    """Replies to requests that are sent at even intervals, whatever was answered before."""
    replies: list[Reply] = []
    pending: set[asyncio.Task[None]] = set()
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=30, limits=httpx.Limits(max_connections=None)
    ) as client:

        async def ask(key: str) -> None:
            try:
                status = (await client.get(f"/v1/customers/{key}")).status_code
            except httpx.TransportError:
                status = 0
            replies.append(Reply(at=time.monotonic(), status=status))

        async def send() -> None:
            for key in itertools.cycle(keys):
                task = asyncio.create_task(ask(key))
                pending.add(task)
                task.add_done_callback(pending.discard)
                await asyncio.sleep(REQUEST_EVERY_SECONDS)

        sending = asyncio.create_task(send())
        try:
            yield replies
        finally:
            sending.cancel()
            await asyncio.gather(sending, *pending, return_exceptions=True)


def _answers_bolt(driver: Driver) -> bool:
    """Whether a statement is answered."""
    try:
        with driver.session(database="neo4j") as session:
            session.run("RETURN 1").consume()
    except (DriverError, Neo4jError, OSError):
        return False
    return True


async def _until(holds: Callable[[], Awaitable[bool]], *, what: str) -> None:
    deadline = time.monotonic() + BACK_SECONDS
    while not await holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"There was no {what} within {BACK_SECONDS:g} seconds.")
        await asyncio.sleep(LOOK_EVERY_SECONDS)
