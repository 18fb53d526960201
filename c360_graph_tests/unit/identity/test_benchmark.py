"""The benchmark of identity resolution, at a small size."""

from __future__ import annotations

from pathlib import Path

from benchmarks.identity import measure


def test_it_resolves_records_twice_with_the_same_ids(tmp_path: Path) -> None:
    found = measure(4_000, tmp_path)
    assert found.records == 4_000
    # Of 2,000 people that the records are drawn from, a few never come up.
    assert 1_500 < found.entities < 2_500
