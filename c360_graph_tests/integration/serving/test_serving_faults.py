"""Servers and workers die, a load runs, and clients are many or slow: whoever is answered is answered rightly."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from c360_graph.sandbox.servers import restart_neo4j
from c360_graph.sandbox.state import free_port
from c360_graph.serve import listening
from c360_graph_tests.conftest import REPOSITORY, TestServers, sample_project
from c360_graph_tests.integration.runs import load_graph, until
from c360_graph_tests.integration.server_process import server_process
from c360_graph_tests.integration.serving.conftest import Served, server

JOHN = "john.smith@email.com"
BACK_SECONDS = 120.0
"""Until every path is answered after a fault: 10 s on a machine of its own, more beside other tests."""


@pytest.fixture(scope="module")
def served(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A few labels, so that a load takes little time."""
    folder = tmp_path_factory.mktemp("faults")
    with sample_project(servers, folder) as project, servers.open_graph() as graph:
        project.map_only("Account", "PaymentMethod", "Plan", "Subscription")
        assert load_graph().success
        yield Served(project=project, graph=graph)


@pytest.fixture(scope="module")
def api(served: Served) -> Iterator[httpx.Client]:
    with server(key=served.key("traffic")) as client:
        yield client


def paths(api: httpx.Client) -> tuple[str, ...]:
    """A way to read of each kind."""
    (view,) = api.get("/v1/customers", params={"email": JOHN}).json()["customers"]
    return (
        "/v1/Plan",
        "/v1/Account?limit=500",
        f"/v1/customers?q={JOHN}",
        f"/v1/customers/{view['key']}",
        f"/v1/customers/{view['key']}/journey",
        f"/v1/customers/{view['key']}/neighbourhood",
        "/v1/answers/shared_cards",
        "/v1/schema",
    )


@dataclass
class Traffic:
    """What was answered to clients that ask without a pause: (path, status, told) in the order of time."""

    answers: list[tuple[str, int, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def statuses(self) -> set[int]:
        return {status for _, status, _ in self.answers}


@contextmanager
def traffic(
    api: httpx.Client, asked: tuple[str, ...], *, key: str | None = None
) -> Iterator[Traffic]:
    """Clients, one for each path, that send the ETag of their last answer each other time."""
    seen, over = Traffic(), threading.Event()

    headers = httpx.Headers(api.headers)
    if key is not None:
        headers["X-API-Key"] = key

    def ask(path: str) -> None:
        last: httpx.Response | None = None
        with httpx.Client(base_url=api.base_url, headers=headers, timeout=30) as client:
            while not over.wait(0.05):
                sent = {}
                if last is not None and len(seen.answers) % 2:
                    sent = {"If-None-Match": last.headers["ETag"]}
                answer = client.get(path, headers=sent)
                if answer.status_code == 503 and int(answer.headers["Retry-After"]) < 1:
                    seen.wrong.append(f"{path}: no time to ask again")
                if answer.status_code == 304:
                    assert last is not None
                    seen.answers.append((path, 304, told(last)))
                else:
                    last = answer if answer.status_code == 200 else last
                    text = told(answer) if answer.status_code == 200 else answer.text
                    seen.answers.append((path, answer.status_code, text))

    threads = [threading.Thread(target=ask, args=(path,)) for path in asked]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def told(answer: httpx.Response) -> str:
    """What an answer says, without the ids that are valid within it only."""
    document = answer.json()
    if "centre" not in document:
        return answer.text
    nodes = [[node["label"], node["properties"]] for node in document["nodes"]]
    return json.dumps([sorted(map(json.dumps, nodes)), len(document["edges"])])


def state(api: httpx.Client, asked: tuple[str, ...]) -> dict[str, str]:
    """What each path says now."""
    answers = {path: api.get(path) for path in asked}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {path: told(answer) for path, answer in answers.items()}


def wait_until_answered(api: httpx.Client, asked: tuple[str, ...]) -> None:
    """Wait until every path is answered."""
    until(lambda: all(api.get(path).status_code == 200 for path in asked), seconds=BACK_SECONDS)


def changed(served: Served) -> None:
    """Every answer is another one after the next load."""
    with served.project.connect("profiles_db") as connection:
        connection.execute("UPDATE plans SET plan_name = plan_name || ' II'")
        connection.execute("UPDATE accounts SET created_at = created_at + interval '1 day'")
        connection.execute("UPDATE subscriptions SET starts_at = starts_at + interval '1 day'")


@pytest.mark.parametrize("clear", [True, False], ids=["by clear", "by differences"])
def test_a_load_beneath_traffic_shows_the_graph_before_or_after_it_and_nothing_between(
    served: Served, api: httpx.Client, monkeypatch: pytest.MonkeyPatch, clear: bool
) -> None:
    monkeypatch.setenv("C360_CLEAR_DATABASE", str(clear).lower())
    asked = paths(api)
    before = state(api, asked)
    changed(served)
    with traffic(api, asked) as seen:
        until(lambda: len(seen.answers) > 50)
        assert load_graph().success
        wait_until_answered(api, asked)
        after = state(api, asked)
        count = len(seen.answers)
        until(lambda: len(seen.answers) > count + 50)
    assert seen.wrong == []
    assert seen.statuses() <= {200, 304, 503}
    for path in asked:
        said = [text for of, status, text in seen.answers if of == path and status != 503]
        assert set(said) <= {before[path], after[path]}, path
        # Who has seen the graph of now sees that of before no more.
        assert said == sorted(said, key=lambda text: text == after[path]), path
        assert before[path] == after[path] or said[-1] == after[path], path
    assert before["/v1/Plan"] != after["/v1/Plan"]
    if clear:
        assert 503 in seen.statuses()
        assert any("being rebuilt" in text for _, status, text in seen.answers if status == 503)


def test_a_neo4j_that_is_killed_and_started_again_is_answered_from_within_seconds(
    served: Served, api: httpx.Client
) -> None:
    process, folder = server_process(served.project.servers)
    asked = paths(api)
    before = state(api, asked)
    with traffic(api, asked) as seen:
        until(lambda: len(seen.answers) > 50)
        process.send_signal(signal.SIGKILL)
        until(lambda: api.get("/readyz").status_code == 503)
        assert api.get("/v1/freshness").json()["state"] == "unreachable"
        restart_neo4j(folder=folder)
        wait_until_answered(api, asked)
        count = len(seen.answers)
        until(lambda: len(seen.answers) > count + 50)
    assert seen.wrong == []
    assert seen.statuses() >= {200, 503}
    # The first statements of a server that has just started may take too long.
    assert seen.statuses() <= {200, 304, 503, 504}
    assert {(path, text) for path, status, text in seen.answers if status < 500} <= {
        *before.items()
    }
    assert state(api, asked) == before


def test_a_control_database_that_is_killed_and_back_costs_no_answer_and_no_row_of_the_access_log(
    served: Served, api: httpx.Client
) -> None:
    asked = paths(api)
    key = served.key("logged")
    until(lambda: api.get("/v1/schema", headers={"X-API-Key": key}).status_code == 200)
    logged(served, until_there_are=1)
    with traffic(api, asked, key=key) as seen:
        until(lambda: len(seen.answers) > 50)
        crash(served)
        count = len(seen.answers)
        until(lambda: len(seen.answers) > count + 50)
        # What is written there is known again within seconds.
        until(lambda: known(served), seconds=BACK_SECONDS)
        late = served.key("late")
        until(
            lambda: api.get("/v1/schema", headers={"X-API-Key": late}).status_code == 200,
            seconds=BACK_SECONDS,
        )
    assert seen.statuses() <= {200, 304}
    logged(served, until_there_are=1 + len(seen.answers))


def crash(served: Served) -> None:
    """Kill a process of PostgreSQL, which ends all connections and recovers."""
    with served.project.connect() as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        if not psutil.pid_exists(row[0]) or "postgres" not in psutil.Process(row[0]).name():
            pytest.skip("the server is not on this machine")
        os.kill(row[0], signal.SIGKILL)


def known(served: Served) -> bool:
    """Whether the control database answers."""
    try:
        with served.project.connect() as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except Exception:  # noqa: BLE001, it recovers
        return False


def logged(served: Served, *, until_there_are: int) -> None:
    """Wait until the access log has as many rows of the client, and not more."""
    try:
        until(lambda: rows(served) >= until_there_are, seconds=BACK_SECONDS)
    finally:
        assert rows(served) == until_there_are


def rows(served: Served) -> int:
    with served.project.connect() as connection:
        row = connection.execute(
            "SELECT count(*) FROM api_access_log WHERE client_name = 'logged'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_thousand_idle_clients_and_slow_ones_keep_nobody_out_and_are_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "REQUEST_SECONDS", 5.0)
    listening.permit_open_files()
    begun = (
        b"",
        b"GET /v1/Plan HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nq=",
    )
    with ExitStack() as stack:
        api = stack.enter_context(server(key=served.key("beside")))
        address = (api.base_url.host, api.base_url.port or 0)
        slow = [stack.enter_context(socket.create_connection(address)) for _ in range(1_000)]
        for number, connection in enumerate(slow):
            connection.sendall(begun[number % 20] if number % 20 < len(begun) else b"")
        assert api.get("/v1/Plan").status_code == 200
        for connection in slow:
            connection.settimeout(BACK_SECONDS)
            assert connection.recv(1) == b""
        assert api.get("/v1/Plan").status_code == 200


def test_workers_share_the_rate_of_a_client_and_one_that_dies_is_replaced(
    served: Served, tmp_path: Path
) -> None:
    key, rated = served.key("workers"), served.key("rated", rate_per_minute=20)
    port = free_port()
    command = [sys.executable, "-c", "from c360_graph.cli import app; app()", "serve"]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [*command, "--port", str(port), "--workers", "2"],
            cwd=REPOSITORY,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: status(f"{url}/v1/Plan", key) == 200, seconds=BACK_SECONDS)
            until(lambda: len(workers(url, key)) == 2, seconds=BACK_SECONDS)
            codes = [status(f"{url}/v1/Plan", rated) for _ in range(60)]
            assert 20 <= codes.count(200) < 40, codes
            assert {*codes} == {200, 429}
            (killed, *_) = workers(url, key)
            # Stopped first, so that its parent waits for an answer of it when it dies.
            os.kill(killed, signal.SIGSTOP)
            time.sleep(2)
            os.kill(killed, signal.SIGKILL)
            until(
                lambda: len(found := workers(url, key)) == 2 and killed not in found,
                seconds=BACK_SECONDS,
            )
        finally:
            process.terminate()
        assert process.wait(timeout=BACK_SECONDS) == 0


def status(url: str, key: str) -> int:
    """Of a request on a connection of its own; 0 where nobody listens."""
    try:
        return httpx.get(url, headers={"X-API-Key": key}, timeout=30).status_code
    except httpx.TransportError:
        return 0


def workers(url: str, key: str) -> set[int]:
    """The processes that answer requests of which many come at once, so that one process cannot take all."""

    def answering(_: int) -> list[str]:
        if status(f"{url}/v1/schema", key) != 200:
            return []
        text = httpx.get(f"{url}/metrics", timeout=30).text
        return re.findall(r'worker="(\d+)"', text)

    with ThreadPoolExecutor(10) as pool:
        return {int(number) for found in pool.map(answering, range(30)) for number in found}
