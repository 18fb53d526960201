"""`python -m benchmarks.following`: how long after a COMMIT in a source the graph shows it.

Play events are inserted at a steady rate while `c360 follow` runs beside; each has its relationships
WATCHED and PLAYED. A third client looks at the graph again and again, and notes when it first sees an
event with both.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer

from benchmarks.generator import Databases, generate
from benchmarks.target import Memory, Target, running_target
from c360_graph.following.lag import percentile
from c360_graph.graph.connection import Graph

FIRST_EVENT = 8_000_000_000
_POLL_SECONDS = 0.01
_CATCH_UP_SECONDS = 300.0
_SEEN = (
    "MATCH (e:PlayEvent) WHERE e.event_id > $last AND EXISTS { (:Account)-[:WATCHED]->(e) }"
    " AND EXISTS { (e)-[:PLAYED]->(:Media) } RETURN max(e.event_id) AS event_id"
)
_INSERT = (
    "INSERT INTO play_events SELECT s, 's-' || s, c.account_id, c.media_id, now(), 'play', '10.0.0.1', 'phone-1'"
    " FROM generate_series(%s::bigint, %s::bigint) AS s JOIN chosen AS c ON c.number = s %% 1000"
)
_CHOSEN = (
    "CREATE TEMP TABLE chosen AS SELECT n - 1 AS number, (%s::uuid[])[n] AS account_id,"
    " 'M-' || lpad((1 + n %% %s)::text, 5, '0') AS media_id FROM generate_series(1, 1000) AS n"
)

app = typer.Typer(pretty_exceptions_enable=False)


@dataclass(frozen=True, kw_only=True)
class Result:
    """One rate: lag of each transaction from its COMMIT to where the graph shows its last event."""

    asked_rate: int
    rate: float
    changes: int
    seconds: float
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
    rate: Annotated[list[int] | None, typer.Option(help="Changes a second.")] = None,
    seconds: Annotated[float, typer.Option(help="How long, at each rate.")] = 60.0,
    heap_mb: Annotated[int, typer.Option(help="Neo4j's heap.")] = 1_024,
    page_cache_mb: Annotated[int, typer.Option(help="Neo4j's page cache.")] = 512,
    line: Annotated[str, typer.Option(help="Line of Neo4j: 2026 or 5.26.")] = "2026",
) -> None:
    """Measure the lag of following."""
    with tempfile.TemporaryDirectory(prefix="c360_bench_") as name:
        folder = Path(name)
        (folder / "imports").mkdir()
        memory = Memory(heap_mb=heap_mb, page_cache_mb=page_cache_mb)
        with running_target(
            folder / "sandbox", line=line, memory=memory, imports=folder / "imports"
        ) as target:
            databases = generate(target.source_server, events=events, seed=360)
            with _following(target, databases, folder) as process:
                first = FIRST_EVENT
                for asked in rate or [1_000]:
                    result = _measured(target, databases, process, asked, seconds, first)
                    first += result.changes
                    typer.echo(json.dumps(asdict(result), indent=2))


@contextmanager
def _following(
    target: Target, databases: Databases, folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    log = folder / "follow.log"
    environment = os.environ | target.environment(databases.control)
    environment |= {"C360_DATA_DIR": str(folder / "data")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", "from c360_graph.cli import app; app()", "follow"],
            env=environment,
            stdout=out,
            stderr=out,
            cwd=folder,
        )
    try:
        while b"Following." not in log.read_bytes():
            if process.poll() is not None:
                raise SystemExit(log.read_text())
            time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(60)
        typer.echo(log.read_text(), err=True)


class _Watcher:
    """Notes when the graph first shows an event of at least some number."""

    def __init__(self, graph: Graph, first: int) -> None:
        self._graph = graph
        self._last = first - 1
        self.events: list[int] = []
        self.moments: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(_POLL_SECONDS):
            found = self._graph.rows(_SEEN, last=self._last)[0]["event_id"]
            if found is not None:
                self._last = found
                self.events.append(found)
                self.moments.append(time.monotonic())

    def await_event(self, event: int) -> None:
        """Until an event is there."""
        deadline = time.monotonic() + _CATCH_UP_SECONDS
        while self._last < event:
            if time.monotonic() > deadline:
                raise SystemExit(f"event {event} did not come in {_CATCH_UP_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)

    def seen(self, event: int) -> float:
        """When an event was there."""
        return self.moments[bisect_left(self.events, event)]

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()


def _measured(
    target: Target,
    databases: Databases,
    process: subprocess.Popen[bytes],
    rate: int,
    seconds: float,
    first: int,
) -> Result:
    follower = psutil.Process(process.pid)
    neo4j_before, postgres_before = target.cpu_seconds()
    cpu_before = sum(follower.cpu_times()[:2])
    watcher = _Watcher(target.graph, first)
    peak = 0
    commits: list[tuple[int, float]] = []
    each = max(1, rate // 200)
    with (
        databases.server.connect(databases.source("profiles_db")) as profiles,
        databases.server.connect(databases.source("streaming_db")) as streaming,
    ):
        accounts = [str(row[0]) for row in profiles.execute("SELECT account_id FROM accounts")]
        accounts = random.Random(7).choices(accounts, k=1_000)
        media = streaming.execute("SELECT count(*) FROM media_content").fetchone()
        assert media is not None
        streaming.execute(_CHOSEN, (accounts, media[0]))
        begun = time.monotonic()
        event = first
        while (now := time.monotonic()) - begun < seconds:
            due = begun + (event - first) / rate
            if due > now:
                time.sleep(due - now)
            last = event + each - 1
            streaming.execute(_INSERT, (event, last))
            commits.append((last, time.monotonic()))
            event = last + 1
            peak = max(peak, follower.memory_info().rss)
        written = time.monotonic() - begun
    watcher.await_event(event - 1)
    caught_up = watcher.seen(event - 1) - commits[-1][1]
    watcher.end()
    lags = sorted((watcher.seen(last) - moment) * 1_000 for last, moment in commits)
    neo4j_after, postgres_after = target.cpu_seconds()
    return Result(
        asked_rate=rate,
        rate=round((event - first) / written, 1),
        changes=event - first,
        seconds=round(written, 1),
        p50_ms=round(percentile(lags, 50), 1),
        p99_ms=round(percentile(lags, 99), 1),
        max_ms=round(lags[-1], 1),
        caught_up_seconds=round(caught_up, 2),
        follower_cpu_seconds=round(sum(follower.cpu_times()[:2]) - cpu_before, 1),
        follower_peak_mb=round(peak / 1_000_000, 1),
        neo4j_cpu_seconds=round(neo4j_after - neo4j_before, 1),
        postgres_cpu_seconds=round(postgres_after - postgres_before, 1),
    )


if __name__ == "__main__":
    app()
