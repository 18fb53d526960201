"""One load at a time for a target, and none that goes on without its lock."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from c360_graph import load_lock as locking
from c360_graph.control_db import ControlDatabase
from c360_graph.errors import LoadLockedError
from c360_graph.load_lock import load_lock
from c360_graph.neo4j_loader import guard
from c360_graph.neo4j_loader.graph import Graph
from c360_graph.neo4j_loader.load import Listener, load_into_empty
from c360_graph_tests.conftest import TestServers

END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <>"
    " pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = %s)"
)


@pytest.fixture
def control(servers: TestServers, scratch_db: str) -> ControlDatabase:
    return ControlDatabase(servers.credentials(scratch_db))


def test_a_second_load_fails_at_once_where_it_must_not_wait(control: ControlDatabase) -> None:
    with (
        load_lock(control, target="bolt://x/neo4j", identity="1", wait_seconds=0),
        pytest.raises(LoadLockedError, match="Another load of bolt://x/neo4j has been under way"),
        load_lock(control, target="bolt://x/neo4j", identity="1", wait_seconds=0),
    ):
        pass


def test_a_second_load_waits_for_the_first_and_says_so_once(
    control: ControlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "POLL_SECONDS", 0.05)
    waiting: list[str] = []
    order: list[str] = []

    def second() -> None:
        with load_lock(control, target="t", identity="1", wait_seconds=30, waiting=waiting.append):
            order.append("second")

    with load_lock(control, target="t", identity="1", wait_seconds=0):
        thread = threading.Thread(target=second)
        thread.start()
        while not waiting:
            time.sleep(0.01)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert len(waiting) == 1


def test_loads_of_different_targets_do_not_wait(control: ControlDatabase) -> None:
    with (
        load_lock(control, target="t", identity="1", wait_seconds=0),
        load_lock(control, target="u", identity="2", wait_seconds=0) as held,
    ):
        held.check()


def test_a_lost_lock_stops_the_load_in_the_middle_of_a_statement(
    servers: TestServers,
    control: ControlDatabase,
    scratch_db: str,
    graph: Graph,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locking, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(guard, "CHECK_SECONDS", 0.05)
    endless = "UNWIND range(1, 1000000000) AS i WITH i WHERE i % 999999937 = 0 CREATE (:A {i: i});"
    script = tmp_path / "s.cypher"
    script.write_text(endless)

    def end_lock() -> None:
        while not running(graph):
            time.sleep(0.02)
        with servers.postgres.connect("postgres") as connection:
            connection.execute(END_SESSIONS, (scratch_db,))

    thread = threading.Thread(target=end_lock)
    thread.start()
    with (
        load_lock(control, target="the target", identity="1", wait_seconds=0) as held,
        pytest.raises(LoadLockedError, match="The lock on the target was lost"),
    ):
        load_into_empty(graph, script, listener=Listener(check=held.check))
    thread.join()
    assert not running(graph)


def running(graph: Graph) -> list[dict[str, object]]:
    return graph.rows(
        "SHOW TRANSACTIONS YIELD currentQuery WHERE currentQuery STARTS WITH 'UNWIND'"
    )


def test_the_lock_is_asked_for_at_most_once_a_second(
    servers: TestServers, control: ControlDatabase, scratch_db: str
) -> None:
    with load_lock(control, target="t", identity="1", wait_seconds=0) as held:
        with servers.postgres.connect("postgres") as connection:
            connection.execute(END_SESSIONS, (scratch_db,))
        held.check()
        time.sleep(locking.CHECK_SECONDS)
        with pytest.raises(LoadLockedError):
            held.check()


def test_what_a_load_that_died_left_running_is_ended_before_the_next(
    graph: Graph, tmp_path: Path
) -> None:
    script = tmp_path / "s.cypher"
    script.write_text("CREATE (:A);")
    warnings: list[str] = []
    with graph.transaction({"c360_load": "died"}) as left:
        left.run("CREATE (:Left)").consume()
        load_into_empty(graph, script, listener=Listener(warn=warnings.append))
    assert warnings == ["Ended 1 transactions that an earlier load left running."]
    assert graph.rows("MATCH (n) RETURN labels(n) AS l") == [{"l": ["A"]}]
