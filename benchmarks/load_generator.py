"""autocannon, a load generator for HTTP, installed from npm into a folder of the benchmark.

Its own reports are not used, for three reasons that its version 9 has: `overallRate` sends the requests of a
second all at its beginning, its correction for coordinated omission expects a request every millisecond
whatever the rate is, and its histogram counts whole milliseconds. So `autocannon/load.js` takes from it the
time of each answer, and gives each request of a second a connection of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.answer_times import AnswerTimes
from benchmarks.node_packages import install_node_packages

AUTOCANNON = Path(__file__).parent / "autocannon"
MOST_CONNECTIONS = 1_000
"""A server worker answers 503 beyond 2,000."""
_PERIOD_SECONDS = 1
"""At a steady rate, each connection sends one request in so many seconds."""
_WARM_UP_SECONDS = 2
"""A connection's first answer includes the time to connect, so it is not counted."""
_GRACE_SECONDS = 12
"""An answer may come so long after the last request that is counted: autocannon waits for ten seconds."""
_STARTING_SECONDS = 60


class LoadError(Exception):
    """Requests were not answered with 200, or not at all."""


@dataclass(frozen=True, kw_only=True)
class LoadGenerator:
    """autocannon in a folder, for servers of this machine."""

    node: Path
    folder: Path

    def steady(
        self, what: str, paths: Sequence[str], *, port: int, rate: int, seconds: float
    ) -> AnswerTimes:
        """Ask for paths in turn, so many a second at even intervals.

        Raises:
            LoadError: a request was not answered with 200.
        """
        report = self._run(paths, port=port, connections=rate, is_steady=True, seconds=seconds)
        took = [*with_omitted(report["milliseconds"], interval=_PERIOD_SECONDS * 1_000)]
        if len(took) < rate * (seconds - _PERIOD_SECONDS):
            raise LoadError(
                f"autocannon, {what}: {len(took)} of {rate * seconds:g} requests were answered in time."
            )
        return AnswerTimes.of(
            took, what=what, generator="autocannon", seconds=seconds, asked_rate=rate
        )

    def closed(
        self, what: str, paths: Sequence[str], *, port: int, clients: int, seconds: float
    ) -> AnswerTimes:
        """Ask for paths in turn, by clients that each ask again at once.

        Raises:
            LoadError: a request was not answered with 200.
        """
        report = self._run(paths, port=port, connections=clients, is_steady=False, seconds=seconds)
        return AnswerTimes.of(
            report["milliseconds"],
            what=what,
            generator="autocannon",
            seconds=seconds,
            clients=clients,
        )

    def _run(
        self, paths: Sequence[str], *, port: int, connections: int, is_steady: bool, seconds: float
    ) -> Mapping[str, Any]:
        if connections > MOST_CONNECTIONS:
            raise LoadError(f"autocannon would need more than {MOST_CONNECTIONS} connections.")
        asked = {
            "url": f"http://127.0.0.1:{port}",
            "paths": paths,
            "connections": connections,
            "isSteady": is_steady,
            "warmUpSeconds": _WARM_UP_SECONDS,
            "seconds": seconds,
            "graceSeconds": _GRACE_SECONDS,
        }
        done = subprocess.run(  # noqa: S603
            [self.node, self.folder / "load.js"],
            cwd=self.folder,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
            timeout=_WARM_UP_SECONDS + seconds + _GRACE_SECONDS + _STARTING_SECONDS,
        )
        if done.returncode != 0:
            raise LoadError(f"autocannon ended with an error:\n{done.stderr[-3_000:]}")
        report: dict[str, Any] = json.loads(done.stdout)
        refuse_failures(report)
        return report


def install_load_generator(*, folder: Path) -> LoadGenerator:
    """Install autocannon below a folder.

    Raises:
        NodePackagesError: Node.js or npm is missing, or npm cannot install.
    """
    own = Path(shutil.copytree(AUTOCANNON, folder / "autocannon"))
    return LoadGenerator(node=install_node_packages(folder=own), folder=own)


def refuse_failures(report: Mapping[str, Any]) -> None:
    """Make sure that every request of a report was answered with 200.

    Raises:
        LoadError: one was not, or there was no answer at all.
    """
    statuses = {status: count for status, count in report["statuses"].items() if status != "200"}
    said = [f"{count} answers with status {status}" for status, count in statuses.items()]
    # A timeout is one of the errors, too.
    if lost := report["errors"] - report["timeouts"]:
        said.append(f"{lost} connection errors")
    if report["timeouts"]:
        said.append(f"{report['timeouts']} timeouts")
    if not said and not report["milliseconds"]:
        said.append("no answer")
    if said:
        raise LoadError(f"autocannon had {', '.join(said)}.")


def with_omitted(milliseconds: Sequence[float], *, interval: float) -> Iterator[float]:
    """Times of answers, and those of requests that were due meanwhile on the same connection.

    A connection that waits for an answer sends nothing. The requests that it leaves out would have waited
    for the rest of the time, so a server that stalls is not spared them.

    >>> [*with_omitted([5.0, 2_300.0], interval=1_000)]
    [5.0, 2300.0, 1300.0, 300.0]
    """
    for took in milliseconds:
        left = took
        while left > 0:
            yield left
            left -= interval
