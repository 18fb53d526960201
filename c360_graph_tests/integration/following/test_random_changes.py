"""Whatever happens to the sources and to the follower, the graph is in the end what SQL says."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.following.followed import following
from c360_graph_tests.integration.following.random_changes import run_sessions
from c360_graph_tests.integration.reconcile.reconciled import contents
from c360_graph_tests.integration.runs import load_graph

SEED = int(os.environ.get("C360_TEST_SEED", "1"))
PATIENCE_SECONDS = 300.0
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


def test_random_changes_of_all_tables_in_side_by_side_sessions_are_all_followed(
    followed: Project, target: Graph
) -> None:
    with following() as running:
        running.await_following()
        run_sessions(followed, seed=SEED, sessions=3, transactions=150)
        await_all(followed, target, "the end")
    assert_equals_a_clear_load(target)


@contextmanager
def killed_now_and_then(log: Path, rng: random.Random, kills: int) -> Iterator[threading.Event]:
    """A follower's process that is killed again and again, and started anew."""
    over = threading.Event()
    killed = threading.Event()
    begun = threading.Event()

    def run() -> None:
        for number in range(kills + 1):
            with log.open("ab") as out:
                process = subprocess.Popen(
                    [sys.executable, "-c", "from c360_graph.cli import app; app()", "follow"],
                    stdout=out,
                    stderr=out,
                )
            if number == 0:
                while b"Following." not in log.read_bytes() and process.poll() is None:
                    time.sleep(0.1)
                begun.set()
            if number < kills and not over.wait(rng.uniform(1.0, 5.0)):
                process.send_signal(signal.SIGKILL)
                process.wait()
                continue
            killed.set()
            over.wait()
            process.terminate()
            process.wait(30)
            return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert begun.wait(PATIENCE_SECONDS), log.read_text()
        yield killed
    finally:
        over.set()
        thread.join(60)


def cut_connections(project: Project, until: threading.Event, rng: random.Random) -> int:
    """End the follower's connections to the sources every so often."""
    cut = 0
    with project.servers.postgres.connect("postgres") as connection:
        while not until.wait(rng.uniform(0.5, 2.0)):
            rows = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'c360_graph%%' AND starts_with(datname, %s)",
                (project.prefix,),
            ).fetchall()
            cut += len(rows)
    return cut


def test_no_change_is_lost_where_the_follower_is_killed_and_its_connections_are_cut(
    followed: Project, target: Graph, tmp_path: Path
) -> None:
    rng = random.Random(SEED)
    kills = int(os.environ.get("C360_TEST_KILLS", "4"))
    over = threading.Event()
    with killed_now_and_then(tmp_path / "follow.log", rng, kills) as killed:
        cutter = threading.Thread(target=cut_connections, args=(followed, over, rng))
        cutter.start()
        round_number = 0
        while not killed.is_set():
            run_sessions(followed, seed=SEED + round_number, sessions=2, transactions=30)
            round_number += 1
        over.set()
        cutter.join()
        try:
            await_all(followed, target, "the end")
        except AssertionError:
            raise AssertionError((tmp_path / "follow.log").read_text()) from None
    assert_equals_a_clear_load(target)


def test_restarting_goes_on_where_the_last_follower_ended(followed: Project, target: Graph) -> None:
    with following() as running:
        running.await_following()
    with followed.connect("profiles_db") as source:
        source.execute("INSERT INTO plans VALUES (55, 'while nobody followed', 1)")
    with following() as running:
        running.await_following()
        running.wait(lambda: target.rows("MATCH (n:Plan {plan_id: 55}) RETURN n.plan_name AS name"))
        # No table was read as a whole again.
        assert not [line for line in running.said if "brought to the state" in line]
