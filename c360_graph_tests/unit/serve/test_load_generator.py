"""What the benchmark of `c360 serve` makes of a load generator's report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.answer_times import AnswerTimes
from benchmarks.load_generator import LoadError, refuse_failures, with_omitted
from benchmarks.node_packages import NodePackagesError, install_node_packages

SOUND: dict[str, Any] = {
    "errors": 0,
    "timeouts": 0,
    "statuses": {"200": 2},
    "milliseconds": [1.5, 2.5],
}


@pytest.mark.parametrize(
    ("differs", "said"),
    [
        ({"statuses": {"200": 1, "503": 2}}, "2 answers with status 503"),
        ({"statuses": {"200": 1, "204": 1}}, "1 answers with status 204"),
        ({"errors": 3, "timeouts": 1}, "2 connection errors, 1 timeouts"),
        ({"statuses": {}, "milliseconds": []}, "no answer"),
    ],
)
def test_a_request_that_is_not_answered_with_200_fails_the_benchmark_with_words(
    differs: dict[str, Any], said: str
) -> None:
    refuse_failures(SOUND)
    with pytest.raises(LoadError, match=rf"^autocannon had {said}\.$"):
        refuse_failures(SOUND | differs)


def test_requests_that_a_stalled_server_kept_from_being_sent_count_with_the_time_they_waited() -> (
    None
):
    assert [*with_omitted([999.0, 2_300.0, 1_000.0], interval=1_000)] == [
        999.0,
        2_300.0,
        1_300.0,
        300.0,
        1_000.0,
    ]


def test_times_are_told_to_a_hundredth_of_a_millisecond_with_who_measured_them() -> None:
    made = AnswerTimes.of(
        [4.0, 1.004, 2.006, 3.0], what="view", generator="autocannon", seconds=2, asked_rate=2
    )
    assert made == AnswerTimes(
        what="view",
        generator="autocannon",
        asked_rate=2,
        clients=None,
        requests_per_second=2.0,
        p50_ms=3.0,
        p99_ms=4.0,
    )
    assert AnswerTimes.of([2.006], what="", generator="", seconds=1).p50_ms == 2.01


def test_without_nodejs_it_says_what_is_missing_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodePackagesError, match=r"node and npm not found.*apt-get install nodejs"):
        install_node_packages(folder=tmp_path)
    (tmp_path / "node").write_text("#!/bin/sh\n")
    (tmp_path / "node").chmod(0o700)
    with pytest.raises(NodePackagesError, match=r"^npm not found"):
        install_node_packages(folder=tmp_path)


def test_packages_that_cannot_be_installed_are_an_error_with_what_npm_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, text in (("node", "exit 0"), ("npm", "echo no such version; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o700)
    with pytest.raises(NodePackagesError, match="npm install failed:\nno such version"):
        install_node_packages(folder=tmp_path)
