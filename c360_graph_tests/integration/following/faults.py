"""What goes wrong while a follower's process is at work: kills, cut connections, restarts of both servers."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg

from c360_graph.errors import SandboxError
from c360_graph.sandbox.servers import restart_neo4j, restart_postgres
from c360_graph.sandbox.state import read_servers
from c360_graph_tests.conftest import Project, TestServers
from c360_graph_tests.integration.loader.proxy import COMMIT, FaultyProxy, faulty_proxy

PATIENCE_SECONDS = 400.0
_COMMAND = [sys.executable, "-c", "from c360_graph.cli import app; app()", "follow"]
_OWN = "application_name LIKE 'c360_graph%%' AND pid <> pg_backend_pid()"
_CUT = {
    "all": _OWN,
    "streams": f"{_OWN} AND backend_type = 'walsender'",
    "readers": f"{_OWN} AND backend_type <> 'walsender'",
}


@dataclass(kw_only=True)
class FollowerProcess:
    """`c360 follow` in a process of its own, started again whenever it was killed."""

    log: Path
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    """Beside that of this process."""
    ended_by_itself: list[int | None] = field(default_factory=list)
    """Exit codes of those that nobody ended."""
    _process: subprocess.Popen[bytes] | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _keeper: threading.Thread | None = None

    @contextmanager
    def running(self) -> Iterator[FollowerProcess]:
        """While the block runs; returns once it follows for the first time."""
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()
        try:
            self.wait(lambda: self.begun() > 0)
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """SIGTERM, and nobody starts it again."""
        self._over.set()
        if self._keeper is not None:
            self._keeper.join(120)

    def begun(self) -> int:
        """How many times a stream was read."""
        return self.log.read_bytes().count(b"Following.") if self.log.exists() else 0

    def kill(self) -> None:
        """SIGKILL."""
        process = self._process
        if process is not None:
            process.send_signal(signal.SIGKILL)

    @property
    def memory_bytes(self) -> int:
        """What its process has in memory at the moment, 0 where there is none."""
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss) if self._process else 0
        except psutil.Error:
            return 0

    def wait(self, holds: Callable[[], object], *, seconds: float = PATIENCE_SECONDS) -> None:
        """Until something holds.

        Raises:
            AssertionError: it did not; says the end of the log.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.log.read_text()[-5_000:]
            time.sleep(0.1)

    def _keep(self) -> None:
        while not self._over.is_set():
            with self.log.open("ab") as out:
                process = subprocess.Popen(
                    [*_COMMAND, *self.options],
                    stdout=out,
                    stderr=out,
                    env=os.environ | self.environment,
                )
            self._process = process
            while process.poll() is None and not self._over.is_set():
                time.sleep(0.05)
            if self._over.is_set():
                process.terminate()
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    self.ended_by_itself.append(None)
            elif process.returncode != -signal.SIGKILL:
                self.ended_by_itself.append(process.returncode)
                time.sleep(1)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much goes wrong."""

    kills: int
    cuts: int
    neo4j_restarts: int
    postgres_restarts: int


@dataclass(kw_only=True)
class Faults:
    """Does it all in a random order, by seed, with pauses of random length."""

    project: Project
    follower: FollowerProcess
    proxy: FaultyProxy
    folder: Path
    """Of the sandbox that the servers are of."""
    rng: random.Random
    done: Counter[str] = field(default_factory=Counter)

    def run(self, sizes: Sizes, *, most_pause: float = 3.0, most_seconds: float = math.inf) -> None:
        """Do it all, or as much as there is time for."""
        deadline = time.monotonic() + most_seconds
        events = [self._kill] * sizes.kills + [self._cut] * sizes.cuts
        events += [self._restart_neo4j] * sizes.neo4j_restarts
        events += [self._restart_postgres] * sizes.postgres_restarts
        self.rng.shuffle(events)
        for event in events:
            if time.monotonic() > deadline:
                return
            event()
            time.sleep(self.rng.uniform(0.2, most_pause))

    def _kill(self) -> None:
        """At work in most cases, and in others while it begins."""
        if self.rng.random() < 0.7:
            self._await_following()
            time.sleep(self.rng.uniform(0.0, 2.0))
        self.follower.kill()
        self.done["kills"] += 1

    def _await_following(self) -> None:
        begun = self.follower.begun()
        deadline = time.monotonic() + 20
        while self.follower.begun() == begun and time.monotonic() < deadline:
            if self._is_at_work():
                return
            time.sleep(0.1)

    def _is_at_work(self) -> bool:
        try:
            with self.project.servers.postgres.connect("postgres") as connection:
                rows = connection.execute(
                    "SELECT bool_and(active) FROM pg_replication_slots WHERE starts_with(database, %s)",
                    (self.project.prefix,),
                ).fetchall()
            return rows == [(True,)]
        except (psycopg.Error, SandboxError):
            return False

    def _cut(self) -> None:
        if self.rng.random() < 0.5:
            self._cut_neo4j()
        else:
            self._cut_postgres()

    def _cut_postgres(self) -> None:
        """Backends of the sources and of the control database, or of one of them."""
        which = self.rng.choice([*_CUT])
        share = self.rng.choice([1.0, 0.3])
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                with self.project.servers.postgres.connect("postgres") as connection:
                    cut = connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                        f" {_CUT[which]} AND starts_with(datname, %s) AND random() < %s".encode(),
                        (self.project.prefix, share),
                    ).fetchall()
            except (psycopg.Error, SandboxError):
                cut = []
            if cut:
                self.done["cuts"] += 1
                self.done[f"cuts of {which} in PostgreSQL"] += 1
                return
            time.sleep(0.1)

    def _cut_neo4j(self) -> None:
        """At once, or at the next COMMIT: before it comes to the server, or before its answer does."""
        before = self.proxy.failed
        kind = self.rng.randrange(4)
        side = self.rng.choice(("closed", "left open"))
        if kind == 0:
            self.proxy.cut(server_side=side)  # type: ignore[arg-type]
        elif kind == 1:
            self.proxy.fail_once(COMMIT, server_side=side)  # type: ignore[arg-type]
        elif kind == 2:
            self.proxy.fail_once(COMMIT, moment="when it is answered", server_side=side)  # type: ignore[arg-type]
        else:
            with self.proxy.refusing():
                time.sleep(self.rng.uniform(0.5, 2.0))
        deadline = time.monotonic() + 20
        while self.proxy.failed == before and time.monotonic() < deadline:
            time.sleep(0.05)
        self.done["cuts"] += 1
        self.done["cuts of Neo4j"] += 1

    def _restart_neo4j(self) -> None:
        if self.rng.random() < 0.5:
            known = read_servers(folder=self.folder).neo4j
            assert known is not None
            psutil.Process(known.process.pid).kill()
        restart_neo4j(folder=self.folder)
        self.done["restarts of Neo4j"] += 1

    def _restart_postgres(self) -> None:
        if self.rng.random() < 0.5:
            known = read_servers(folder=self.folder).postgres
            assert known is not None
            process = psutil.Process(known.process.pid)
            # As if it had crashed: no checkpoint, and recovery from the log.
            process.send_signal(signal.SIGQUIT)
            process.wait(60)
        restart_postgres(folder=self.folder)
        self.done["restarts of PostgreSQL"] += 1


@contextmanager
def behind_proxy(servers: TestServers) -> Iterator[FaultyProxy]:
    """A proxy before Neo4j."""
    address = urlsplit(servers.neo4j_uri)
    with faulty_proxy(address.hostname or "", address.port or 7687) as proxy:
        yield proxy
