"""How far a load is: lines where nobody watches, a bar on a terminal."""

from __future__ import annotations

import threading
from io import StringIO

import pytest
from rich.console import Console

from c360_graph.cli.demo import steps_done
from c360_graph.cli.output import shown_progress
from c360_graph.graph import progress as progress_of_loads
from c360_graph.graph.progress import (
    LIVE_SECONDS,
    REPORT_SECONDS,
    LiveReport,
    Progress,
    ProgressMeter,
    reporting,
)


def progress(
    *, done: int, total: int | None, seconds: float = 10.0, phase: str = "nodes"
) -> Progress:
    return Progress(phase=phase, unit="rows", done=done, total=total, seconds=seconds)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (progress(done=0, total=None), "nodes: 0 rows"),
        (progress(done=0, total=50), "nodes: 0/50 (0%) rows"),
        (progress(done=5_000, total=None), "nodes: 5,000 rows, 500 rows/s"),
        (
            progress(done=20_000, total=100_000),
            "nodes: 20,000/100,000 (20%) rows, 2,000 rows/s, 40 s left",
        ),
        (progress(done=10, total=200), "nodes: 10/200 (5%) rows, 1 rows/s, 3 min left"),
        (progress(done=10, total=4_000), "nodes: 10/4,000 (0%) rows, 1 rows/s, 1 h 6 min left"),
        (progress(done=60, total=50), "nodes: 60/50 (100%) rows, 6 rows/s, 0 s left"),
    ],
)
def test_a_line_has_rate_and_time_left(moment: Progress, text: str) -> None:
    assert str(moment) == text


def test_without_a_terminal_each_report_is_a_line() -> None:
    file = StringIO()
    with shown_progress(Console(file=file, width=20)) as report:
        report(progress(done=20_000, total=100_000))
    assert file.getvalue() == "nodes: 20,000/100,000 (20%) rows, 2,000 rows/s, 40 s left\n"


def test_on_a_terminal_a_bar_shows_the_phase_at_hand_and_is_gone_at_the_end() -> None:
    file = StringIO()
    console = Console(file=file, width=120, force_terminal=True, color_system=None)
    with shown_progress(console) as report:
        assert isinstance(report, LiveReport)
        report(progress(done=20_000, total=100_000))
        report(progress(done=7, total=None, phase="WATCHED"))
    shown = file.getvalue()
    assert "20000/100000 2,000 rows/s, 40 s left" in shown
    assert "WATCHED" in shown.rpartition("nodes")[2]
    assert "7/?" in shown
    assert shown.endswith("\x1b[2K")


def test_what_moves_is_told_more_often_than_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LIVE_SECONDS < REPORT_SECONDS
    # So far apart that no busy machine brings the second before the first.
    monkeypatch.setattr(progress_of_loads, "LIVE_SECONDS", 0.001)
    monkeypatch.setattr(progress_of_loads, "REPORT_SECONDS", 3_600.0)
    told: list[Progress] = []
    lines: list[Progress] = []
    told_twice = threading.Event()

    def tell(moment: Progress) -> None:
        told.append(moment)
        if len(told) == 2:
            told_twice.set()

    with (
        reporting(ProgressMeter(), lines.append),
        reporting(ProgressMeter(), LiveReport(tell)),
    ):
        assert told_twice.wait(60)
    assert lines == []


def test_the_demo_says_which_step_runs() -> None:
    log = (
        "2026-11-22 - dagster - DEBUG - __ASSET_JOB - 29-35 - 67 - profiles_db__plans - STEP_START - x\n"
        "2026-11-22 - dagster - DEBUG - __ASSET_JOB - 29-35 - 67 - profiles_db__plans - STEP_SUCCESS - x\n"
        "2026-11-22 - dagster - DEBUG - __ASSET_JOB - 29-35 - 67 - neo4j_graph - STEP_START - x\n"
    )
    assert steps_done("") == "0 steps done"
    assert steps_done(log) == "1 steps done, now neo4j_graph"
