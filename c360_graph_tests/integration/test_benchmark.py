"""The benchmark at a size that tells nothing of speed: whatever loads ends with the same graph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.contenders import CONTENDERS
from c360_graph_tests.conftest import REPOSITORY


@pytest.mark.servers
def test_every_contender_ends_with_the_counts_that_postgresql_has(tmp_path: Path) -> None:
    """It starts servers of its own; a wrong count is its failure."""
    options = ["--events", "2000", "--rounds", "1", "--sample-events", "20"]
    # What serves the measuring alone.
    options += ["--no-warm-up", "--no-plot"]
    options += ["--heap-mb", "512", "--page-cache-mb", "64", "--out", str(tmp_path)]
    if line := os.environ.get("C360_SANDBOX_NEO4J"):
        options += ["--line", line]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    report = json.loads((tmp_path / "benchmark.json").read_text(encoding="utf-8"))
    assert {each["contender"] for each in report["measurements"]} == {*CONTENDERS}
