"""autocannon against a server whose times are known."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.load_generator import LoadError, LoadGenerator, install_load_generator
from benchmarks.node_packages import NodePackagesError

pytestmark = pytest.mark.servers

SECONDS = 0.02


class Patient(BaseHTTPRequestHandler):
    """Answers after a fixed time: 200, or the status that the path names."""

    protocol_version = "HTTP/1.1"
    arrivals: list[tuple[float, str]]

    def do_GET(self) -> None:
        self.arrivals.append((time.monotonic(), self.path))
        time.sleep(SECONDS)
        self.send_response(503 if self.path == "/503" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, its name in the standard library
        """Nothing."""


@contextmanager
def listening() -> Iterator[tuple[int, list[tuple[float, str]]]]:
    """A port, and when which path was asked for."""
    arrivals: list[tuple[float, str]] = []
    handler = type("Recording", (Patient,), {"arrivals": arrivals})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], arrivals
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> LoadGenerator:
    try:
        return install_load_generator(folder=tmp_path_factory.mktemp("load"))
    except NodePackagesError as error:
        pytest.fail(f"{error}, or leave it out by -k 'not load_generator'.", pytrace=False)


def test_at_a_steady_rate_requests_are_spread_over_the_second_and_over_the_paths(
    installed: LoadGenerator,
) -> None:
    paths = [f"/{number}" for number in range(40)]
    with listening() as (port, arrivals):
        found = installed.steady("view", paths, port=port, rate=20, seconds=3)
    assert (found.generator, found.asked_rate, found.clients) == ("autocannon", 20, None)
    # The correction of autocannon would make 12 ms of 20.
    assert SECONDS * 1_000 <= found.p50_ms < 3 * SECONDS * 1_000
    assert found.requests_per_second == pytest.approx(20, abs=20 / 3)
    assert {path for _, path in arrivals} == {*paths}
    # Each fifth of a second has its share of the requests.
    begun = arrivals[0][0]
    fifths = Counter(int((at - begun) % 1 * 5) for at, _ in arrivals)
    assert min(fifths[part] for part in range(5)) > len(arrivals) / 10


def test_clients_that_ask_again_at_once_are_held_up_by_the_server_alone(
    installed: LoadGenerator,
) -> None:
    with listening() as (port, _):
        found = installed.closed("answer", ["/answer"], port=port, clients=4, seconds=2)
    assert (found.generator, found.asked_rate, found.clients) == ("autocannon", None, 4)
    assert found.p50_ms >= SECONDS * 1_000
    assert 40 < found.requests_per_second <= 4 / SECONDS


def test_an_answer_that_is_not_200_fails_the_benchmark(installed: LoadGenerator) -> None:
    with listening() as (port, _), pytest.raises(LoadError, match="answers with status 503"):
        installed.closed("answer", ["/", "/503"], port=port, clients=2, seconds=1)


def test_a_server_that_is_not_there_fails_the_benchmark(installed: LoadGenerator) -> None:
    with listening() as (port, _):
        pass
    with pytest.raises(LoadError, match="connection errors"):
        installed.closed("answer", ["/"], port=port, clients=1, seconds=1)
