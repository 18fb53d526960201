"""One load at a time for a target, whichever control database or machine it is started from."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from c360_graph.errors import LoadLockedError
from c360_graph.graph import attempts, load_session
from c360_graph.graph import target_lock as locking
from c360_graph.graph.connection import ERRORS, Graph
from c360_graph.graph.load import LoadCallbacks, clear_and_load, graph_counts, load_into_empty
from c360_graph.graph.target_lock import Claim, target_lock
from c360_graph.mapping.graph_manifest import Owner
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.loader.proxy import FaultyProxy
from c360_graph_tests.integration.loader.scripts import PATIENT, patients, write

A = Claim(owner=Owner(id="a", name="control database A"))
B = Claim(owner=Owner(id="b", name="control database B"))
ENDLESS = "UNWIND range(1, 1000000000) AS i WITH i WHERE i % 999999937 = 0 CREATE (:A {i: i});"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(locking, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(locking, "VERIFIED_SECONDS", 0.3)
    monkeypatch.setattr(load_session, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.1)


@contextmanager
def other_process(servers: TestServers, claim: Claim, *, uri: str | None = None) -> Iterator[int]:
    """A process that holds the lock until it is killed; its id."""
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with servers.open_graph(uri) as graph, target_lock(graph, claim):
                os.write(tell, b"1")
                time.sleep(600)
        finally:
            os._exit(1)
    try:
        assert os.read(ready, 1) == b"1"
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def locks(graph: Graph) -> list[dict[str, object]]:
    return graph.rows("MATCH (l:_C360Lock) RETURN l.name AS name, l.holds AS holds")


def test_a_second_load_is_refused_at_once_and_says_whose_the_first_is(graph: Graph) -> None:
    with (
        target_lock(graph, A),
        pytest.raises(LoadLockedError, match=r"Another load of .* has been .*control database A"),
        target_lock(graph, B),
    ):
        pass
    assert locks(graph) == []


def test_a_load_with_clear_leaves_a_live_load_of_another_alone(
    servers: TestServers, graph: Graph, tmp_path: Path
) -> None:
    endless = tmp_path / "endless.cypher"
    endless.write_text(ENDLESS)
    script = write(tmp_path / "s.cypher", [(PATIENT, patients(3))])
    stopped = threading.Event()
    ended: list[BaseException] = []

    def stop() -> None:
        if stopped.is_set():
            raise LoadLockedError("enough")

    def load() -> None:
        with servers.open_graph() as own:
            try:
                load_into_empty(own, endless, listener=LoadCallbacks(check=stop), claim=A)
            except LoadLockedError as error:
                ended.append(error)

    thread = threading.Thread(target=load)
    thread.start()
    while not running(graph):
        time.sleep(0.02)
    with pytest.raises(LoadLockedError, match="control database A"):
        clear_and_load(graph, script, claim=B)
    assert running(graph)
    assert not ended
    stopped.set()
    thread.join()
    assert str(ended[0]) == "enough"
    assert locks(graph) == []


def running(graph: Graph) -> list[dict[str, object]]:
    return graph.rows(
        "SHOW TRANSACTIONS YIELD currentQuery WHERE currentQuery STARTS WITH 'UNWIND range'"
    )


def test_a_waiting_load_begins_when_the_first_ends_and_says_once_that_it_waits(
    graph: Graph,
) -> None:
    told: list[str] = []
    order: list[str] = []

    def second() -> None:
        with target_lock(graph, Claim(owner=B.owner, wait_seconds=60), warn=told.append):
            order.append("second")

    with target_lock(graph, A):
        thread = threading.Thread(target=second)
        thread.start()
        while not told:
            time.sleep(0.01)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert len(told) == 1
    assert "(of control database A, since " in told[0]


def test_of_many_that_ask_at_once_one_has_the_lock_at_any_time(servers: TestServers) -> None:
    inside: list[int] = []
    most: list[int] = []

    def load() -> None:
        with servers.open_graph() as own, target_lock(own, Claim(wait_seconds=60)):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=load) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


def test_the_lock_of_a_killed_process_is_taken_without_waiting_for_its_lease(
    servers: TestServers, graph: Graph
) -> None:
    with other_process(servers, A) as child:
        with pytest.raises(LoadLockedError), target_lock(graph, B):
            pass
        os.kill(child, signal.SIGKILL)
        with target_lock(graph, B):
            assert locks(graph) == [{"name": "control database B", "holds": True}]


def test_who_has_the_session_lock_of_the_holder_takes_its_lock_at_once(graph: Graph) -> None:
    with (
        target_lock(graph, Claim(keeper="the control database")),
        target_lock(graph, Claim(owner=B.owner, keeper="the control database")),
    ):
        assert locks(graph) == [{"name": "control database B", "holds": True}]


def test_a_holder_that_shows_no_life_loses_its_lock_and_stops_before_it_sends_more(
    servers: TestServers, graph: Graph, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(locking, "BEAT_SECONDS", 60.0)
    with servers.open_graph(proxy.uri) as far, target_lock(far, A) as held:
        with target_lock(graph, Claim(owner=B.owner, wait_seconds=60)):
            with pytest.raises(LoadLockedError, match="took it for dead"):
                held.verify()
            with pytest.raises(LoadLockedError):
                held.check()
        # Released by the other load: still not ours.
        with pytest.raises(LoadLockedError):
            held.beat()


def test_cut_connections_do_not_cost_a_living_load_its_lock(
    servers: TestServers, graph: Graph, proxy: FaultyProxy
) -> None:
    with servers.open_graph(proxy.uri) as far, target_lock(far, A) as held:
        for _ in range(3):
            proxy.cut()
            with pytest.raises(LoadLockedError), target_lock(graph, B):
                pass
            _until(lambda: _beats(held))
    assert locks(graph) == []


def _beats(held: locking.TargetLock) -> bool:
    try:
        held.beat()
    except ERRORS:
        return False
    return True


def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.05)


def test_a_load_that_was_killed_is_followed_by_the_next_one_at_once(
    servers: TestServers, graph: Graph, tmp_path: Path
) -> None:
    endless = tmp_path / "endless.cypher"
    endless.write_text(ENDLESS)
    child = os.fork()
    if child == 0:
        try:
            with servers.open_graph() as own:
                load_into_empty(own, endless, claim=A)
        finally:
            os._exit(1)
    while not running(graph):
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    script = write(tmp_path / "s.cypher", [(PATIENT, patients(3))])
    clear_and_load(graph, script, claim=A)
    assert graph_counts(graph) == ({"Patient": 3}, {})
    assert not running(graph)
