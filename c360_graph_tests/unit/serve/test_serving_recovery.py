"""What the benchmark counts as recovery of `c360 serve`."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from benchmarks.serving_recovery import Recovery, Reply, first_success


def replies(*seen: tuple[float, int]) -> list[Reply]:
    return [Reply(at=at, status=status) for at, status in seen]


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (replies((1, 200), (2, 503), (3, 504), (4, 200), (5, 200)), 4),
        # They are answered in any order.
        (replies((4, 200), (1, 200), (5, 200), (2, 503)), 4),
        # No answer at all is a failure, too.
        (replies((1, 0), (2, 200)), 2),
        # What was answered before the fault was noticed is no recovery.
        (replies((1, 200), (2, 200)), None),
        (replies((1, 200), (2, 503)), None),
    ],
)
def test_the_first_200_after_a_failure_is_the_recovery(
    seen: list[Reply], found: float | None
) -> None:
    assert first_success(seen, since=0.5) == found


def test_a_failure_before_the_fault_is_not_counted() -> None:
    seen = replies((1, 503), (2, 200), (3, 200), (4, 503), (5, 200))
    assert first_success(seen, since=2.5) == 5


def test_a_line_of_json_has_the_times_and_how_many_requests_had_which_status() -> None:
    seen = replies((1, 200), (2, 503), (3, 0), (4, 503), (5, 200))
    made = Recovery.of([1.0, 4.004, 2.0], seen, killed="Neo4j", waited_for="the first 200")
    assert json.loads(json.dumps(asdict(made))) == {
        "killed": "Neo4j",
        "waited_for": "the first 200",
        "times": 3,
        "p50_seconds": 2.0,
        "max_seconds": 4.0,
        "statuses": {"0": 1, "200": 2, "503": 2},
    }
