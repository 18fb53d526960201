"""What the demo leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360_graph.cli.demo import keep_report
from c360_graph.errors import ScriptError
from c360_graph.report.files import ReportStore


def test_the_demos_report_outlives_its_folder_and_the_pruning_of_others(tmp_path: Path) -> None:
    ReportStore(tmp_path / "gone").write("<p>demo</p>")
    own = ReportStore(tmp_path / "c360_data")
    kept = own.folder / "demo.html"
    keep_report(tmp_path / "gone", kept)
    own.write("<p>mine</p>")
    own.prune(keep=1, rules="others")
    assert kept.read_text(encoding="utf-8") == "<p>demo</p>"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_where_the_demos_report_cannot_be_written_the_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"The report .*/demo\.html cannot be written"):
        keep_report(tmp_path, tmp_path / "demo.html")
