"""What the demo and `c360 dev` leave behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from c360_graph.cli.demo import keep_report
from c360_graph.cli.sandbox import missing_servers
from c360_graph.errors import ScriptError
from c360_graph.report.files import ReportStore
from c360_graph.sandbox import servers
from c360_graph.settings import load_settings


def test_the_demos_report_outlives_its_folder_and_the_pruning_of_others(tmp_path: Path) -> None:
    ReportStore(tmp_path / "gone").write("<p>demo</p>")
    own = ReportStore(tmp_path / "c360_data")
    kept = own.folder / "demo.html"
    keep_report(tmp_path / "gone", kept)
    shutil.rmtree(tmp_path / "gone")
    own.write("<p>mine</p>")
    own.prune(keep=1, rules="others")
    assert kept.read_text(encoding="utf-8") == "<p>demo</p>"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_where_the_demos_report_cannot_be_written_the_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"The report .*/demo\.html cannot be written"):
        keep_report(tmp_path, tmp_path / "demo.html")


def test_servers_that_the_settings_name_are_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[Path] = []
    monkeypatch.setattr(servers, "stop", lambda *, folder: stopped.append(folder))
    monkeypatch.setenv("ETL_DB_HOST", "db.example.com")
    monkeypatch.setenv("NEO4J_URI", "bolt://graph.example.com")
    with missing_servers(tmp_path, load_settings()) as environment:
        assert environment == {}
    assert stopped == []
