"""The benchmark's own client, for HTTP and for Bolt alike: the same code asks whatever is compared.

At a steady rate, latency counts from the moment that a request was due, so that a server that stalls is not
spared the requests that come meanwhile.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from benchmarks.answer_times import AnswerTimes

MOST_AT_ONCE = 32
GENERATOR = "own"

Ask = Callable[[str], Awaitable[None]]


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


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Connection]:
    """A connection to a server of this machine."""
    opened = Connection(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield opened
    finally:
        opened.close()


@asynccontextmanager
async def connections(port: int) -> AsyncIterator[Ask]:
    """Ask for a path, on one of several connections."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    opened = [
        Connection(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(MOST_AT_ONCE)
    ]
    for each in opened:
        free.put_nowait(each)

    async def get(path: str) -> None:
        used = await free.get()
        try:
            await used.get(path)
        except (EOFError, ConnectionError):
            # The server closes a connection on which nothing has come for 30 seconds.
            used = Connection(*await asyncio.open_connection("127.0.0.1", port))
            opened.append(used)
            await used.get(path)
        finally:
            free.put_nowait(used)

    yield get
    for each in opened:
        each.close()


async def steady(
    what: str, ask: Ask, keys: Sequence[str], *, rate: int, seconds: float
) -> AnswerTimes:
    """Ask for keys by chance, so many a second at even intervals, whatever was answered before."""
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
    return AnswerTimes.of(took, what=what, generator=GENERATOR, seconds=elapsed, asked_rate=rate)


async def closed(
    what: str, ask: Ask, keys: Sequence[str], *, clients: int, seconds: float
) -> AnswerTimes:
    """Ask for keys by chance, by clients that each ask again at once."""
    took: list[float] = []
    begun = time.perf_counter()

    async def client(number: int) -> None:
        chosen = random.Random(number)
        while (at := time.perf_counter()) - begun < seconds:
            await ask(chosen.choice(keys))
            took.append((time.perf_counter() - at) * 1_000)

    await asyncio.gather(*map(client, range(clients)))
    elapsed = time.perf_counter() - begun
    return AnswerTimes.of(took, what=what, generator=GENERATOR, seconds=elapsed, clients=clients)
