"""A follower in this process, and what it has brought into the graph."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from c360_graph.following.given import Callbacks, Flushed
from c360_graph.following.service import follow
from c360_graph.graph.connection import Graph
from c360_graph.sandbox.sample import Server
from c360_graph.settings import load_settings
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.reconcile.reconciled import contents
from c360_graph_tests.integration.runs import load_graph

PATIENCE_SECONDS = 180.0
_SENTINELS = {
    "profiles_db": (
        "INSERT INTO plans VALUES (7777, 'sentinel', 1) ON CONFLICT (plan_id) DO UPDATE SET plan_name = %s",
        "MATCH (n:Plan {plan_id: 7777}) RETURN n.plan_name AS said",
    ),
    "streaming_db": (
        "INSERT INTO media_content VALUES ('sentinel', 's') ON CONFLICT (media_id) DO UPDATE SET title = %s",
        "MATCH (n:Media {media_id: 'sentinel'}) RETURN n.title AS said",
    ),
    "support_db": (
        "INSERT INTO ticket_tags VALUES (7777, 'sentinel') ON CONFLICT (tag_id) DO UPDATE SET tag_name = %s",
        "MATCH (n:Tag {tag_id: 7777}) RETURN n.tag_name AS said",
    ),
}
OF_LAST_CHANGES = ("Media", "Plan", "Tag")
"""Labels that `await_all` looks at, one of each source."""


@dataclass(kw_only=True)
class Running:
    """A follower in a thread."""

    stop: threading.Event = field(default_factory=threading.Event)
    said: list[str] = field(default_factory=list)
    flushed: list[Flushed] = field(default_factory=list)
    begun: int = 0
    error: BaseException | None = None

    def await_following(self, times: int = 1) -> None:
        """Until the stream is read, for the so-manieth time."""
        self.wait(lambda: self.begun >= times)

    def wait(self, holds: Callable[[], object]) -> None:
        """Until something holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if self.error is not None:
                raise self.error
            assert time.monotonic() < deadline, f"it never held; said: {self.said}"
            time.sleep(0.02)


@contextmanager
def following(**options: Any) -> Iterator[Running]:
    """A follower while the block runs."""
    running = Running()

    def begin() -> None:
        running.begun += 1

    def run() -> None:
        try:
            follow(
                load_settings(),
                stop=running.stop,
                callbacks=Callbacks(
                    say=running.said.append,
                    warn=running.said.append,
                    flushed=running.flushed.append,
                    following=begin,
                ),
                **options,
            )
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            running.error = error

    thread = threading.Thread(target=run, name="follower", daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.stop.set()
        thread.join(60)
    if running.error is not None:
        raise running.error


def drop_slots(server: Server, prefix: str) -> None:
    """Drop the slots of databases whose names begin so: a database with a slot cannot be dropped."""
    with server.connect("postgres") as connection:
        for _ in range(100):
            rows = connection.execute(
                "SELECT slot_name, active FROM pg_replication_slots WHERE starts_with(database, %s)",
                (prefix,),
            ).fetchall()
            if not rows:
                return
            for name, is_active in rows:
                if not is_active:
                    with suppress(psycopg.Error):
                        connection.execute("SELECT pg_drop_replication_slot(%s)", (name,))
            time.sleep(0.1)


def await_all(project: Project, graph: Graph, said: str) -> None:
    """Until the last change of each source is in the graph."""
    for source, (statement, _) in _SENTINELS.items():
        with project.connect(source) as connection:
            connection.execute(statement.encode(), (said,))
            connection.execute(statement.encode(), (said,))
    deadline = time.monotonic() + PATIENCE_SECONDS
    for _, question in _SENTINELS.values():
        while not any(row["said"] == said for row in graph.rows(question)):
            assert time.monotonic() < deadline, "the last change never came"
            time.sleep(0.1)


def assert_equals_a_clear_load(graph: Graph) -> None:
    followed = contents(graph)
    assert load_graph().success
    loaded = contents(graph)
    assert followed[0] == loaded[0]
    assert followed[1] == loaded[1]


def await_quiet(server: Server, prefix: str, running: Running) -> None:
    """Until every source's log was followed to where it is now; the databases' names begin with `prefix`."""
    behind = (
        "SELECT count(*) FROM pg_replication_slots WHERE starts_with(database, %s)"
        " AND confirmed_flush_lsn < %s::pg_lsn"
    )
    with server.connect("postgres") as admin:
        ((now,),) = admin.execute("SELECT pg_current_wal_lsn()::text").fetchall()
        running.wait(lambda: admin.execute(behind, (prefix, now)).fetchall() == [(0,)])
