"""One load at a time for a target, and none that goes on without its lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from c360_graph.control import locks as locking
from c360_graph.control.connection import ControlDatabase, lock_number
from c360_graph.control.locks import LockSession, load_lock
from c360_graph.errors import LoadLockedError
from c360_graph.graph import load_session
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import LoadCallbacks, load_into_empty
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.loader.proxy import ServerSide, faulty_proxy

END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND"
    " database = (SELECT oid FROM pg_database WHERE datname = %s) AND pid <> %s"
)
HOLD = text("SELECT pg_advisory_lock(360, 1)")
HELD = text(
    "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    " WHERE locktype = 'advisory' AND datname = current_database()"
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


def test_a_lock_ends_with_its_session_where_the_other_uses_share_a_connection(
    control: ControlDatabase,
) -> None:
    with control.kept_connected() as kept:
        kept.run(lambda connection: connection.execute(text("SELECT 1")))
        session = LockSession(kept)
        session.run(lambda connection: connection.execute(HOLD))
        assert session.holds((360, 1))
        session.close()
        held = control.run(lambda connection: connection.execute(HELD).scalar_one())
    assert held == 0


def test_loads_of_different_targets_do_not_wait(control: ControlDatabase) -> None:
    with (
        load_lock(control, target="t", identity="1", wait_seconds=0),
        load_lock(control, target="u", identity="2", wait_seconds=0) as held,
    ):
        held.check()


def test_a_lock_that_another_load_took_stops_the_load_in_the_middle_of_a_statement(
    servers: TestServers,
    control: ControlDatabase,
    scratch_db: str,
    graph: Graph,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locking, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(load_session, "CHECK_SECONDS", 0.05)
    endless = "UNWIND range(1, 1000000000) AS i WITH i WHERE i % 999999937 = 0 CREATE (:A {i: i});"
    script = tmp_path / "s.cypher"
    script.write_text(endless)

    over = threading.Event()

    def take_lock() -> None:
        while not running(graph):
            time.sleep(0.02)
        with taken_from(servers, scratch_db, "1"):
            over.wait(60)

    thread = threading.Thread(target=take_lock)
    thread.start()
    with (
        load_lock(control, target="the target", identity="1", wait_seconds=0) as held,
        pytest.raises(LoadLockedError, match="The lock on the target was lost"),
    ):
        load_into_empty(graph, script, listener=LoadCallbacks(check=held.check))
    over.set()
    thread.join()
    assert not running(graph)


def running(graph: Graph) -> list[dict[str, object]]:
    return graph.rows(
        "SHOW TRANSACTIONS YIELD currentQuery WHERE currentQuery STARTS WITH 'UNWIND'"
    )


@contextmanager
def taken_from(servers: TestServers, database: str, identity: str) -> Iterator[None]:
    """End the sessions that hold locks while another one waits for a target's, and so gets it."""
    with servers.postgres.connect(database) as other:
        waiting = threading.Thread(
            target=other.execute,
            args=("SELECT pg_advisory_lock(%s, %s)", (locking._CLASS, lock_number(identity))),
        )
        waiting.start()
        with servers.postgres.connect("postgres") as connection:
            while not connection.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
                time.sleep(0.02)
            connection.execute(END_SESSIONS, (database, other.info.backend_pid))
        waiting.join()
        yield


def test_the_lock_is_asked_for_at_most_once_a_second(
    servers: TestServers, control: ControlDatabase, scratch_db: str
) -> None:
    with (
        load_lock(control, target="t", identity="1", wait_seconds=0) as held,
        taken_from(servers, scratch_db, "1"),
    ):
        held.check()
        time.sleep(locking.CHECK_SECONDS)
        with pytest.raises(LoadLockedError, match="another load has taken it"):
            held.check()


@pytest.mark.parametrize("server_side", ["closed", "left open"])
def test_a_lock_whose_connection_is_lost_is_taken_again(
    servers: TestServers,
    scratch_db: str,
    monkeypatch: pytest.MonkeyPatch,
    server_side: ServerSide,
) -> None:
    monkeypatch.setattr(locking, "CHECK_SECONDS", 0)
    told: list[str] = []
    server = servers.postgres
    with faulty_proxy(server.host, server.port) as proxy:
        far = ControlDatabase(replace(servers.credentials(scratch_db), port=proxy.port))
        near = ControlDatabase(servers.credentials(scratch_db))
        with load_lock(far, target="t", identity="1", wait_seconds=0, waiting=told.append) as held:
            for _ in range(2):
                proxy.cut(server_side=server_side)
                held.check()
                with (
                    pytest.raises(LoadLockedError, match="has been under way"),
                    load_lock(near, target="t", identity="1", wait_seconds=0),
                ):
                    pass
        with load_lock(near, target="t", identity="1", wait_seconds=0):
            pass
    assert (
        told
        == [
            "The lock on t was lost with its connection to the control database, and was taken again."
        ]
        * 2
    )


def test_a_lock_that_cannot_be_taken_again_stops_the_load_with_words(
    servers: TestServers, scratch_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "CHECK_SECONDS", 0)
    server = servers.postgres
    with faulty_proxy(server.host, server.port) as proxy:
        far = ControlDatabase(
            replace(servers.credentials(scratch_db), port=proxy.port), patience_seconds=0.5
        )
        with (
            load_lock(far, target="t", identity="1", wait_seconds=0) as held,
            proxy.refusing(),
            pytest.raises(LoadLockedError, match="could not be taken again: The control database"),
        ):
            held.check()


def test_what_a_load_that_died_left_running_is_ended_before_the_next(
    graph: Graph, tmp_path: Path
) -> None:
    script = tmp_path / "s.cypher"
    script.write_text("CREATE (:A);")
    warnings: list[str] = []
    with graph.transaction({"c360_load": "died"}) as left:
        left.run("CREATE (:Left)").consume()
        load_into_empty(graph, script, listener=LoadCallbacks(warn=warnings.append))
    assert warnings == ["Ended 1 transactions that an earlier load left running."]
    assert graph.rows("MATCH (n) RETURN labels(n) AS l") == [{"l": ["A"]}]
