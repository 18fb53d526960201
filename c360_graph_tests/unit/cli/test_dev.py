"""`c360 dev` prepares a folder for Dagster, and writes over nothing of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360_graph.cli.dev import dagster_environment, own_dagster_home
from c360_graph.new_project import project_file
from c360_graph.settings import load_settings
from c360_graph_tests.conftest import REPOSITORY


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return tmp_path


def test_outside_of_a_checkout_dagster_is_configured_as_this_version_wants(here: Path) -> None:
    home = own_dagster_home(here / "home")
    assert (home / "dagster.yaml").read_text() == (REPOSITORY / "dagster.yaml").read_text()
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_configuration_of_the_current_folder_is_taken_and_taken_anew(here: Path) -> None:
    for text in ("telemetry: {enabled: false}\n", "telemetry: {enabled: true}\n"):
        (here / "dagster.yaml").write_text(text)
        assert (own_dagster_home(here / "home") / "dagster.yaml").read_text() == text


def test_a_configuration_that_somebody_changed_stays(here: Path) -> None:
    home = own_dagster_home(here / "home")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    own_dagster_home(here / "home")
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_the_home_that_the_environment_names_is_used_as_it_is(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(here / "mine"))
    made = dagster_environment({}, load_settings(), url="http://localhost:1")
    assert made["DAGSTER_HOME"] == str(here / "mine")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", ["dagster.yaml", "workspace.yaml", "sql"])
def test_what_a_wheel_holds_are_the_files_of_the_checkout(name: str) -> None:
    packaged = REPOSITORY / "c360_graph" / "project" / name
    assert packaged.resolve() == project_file(name).resolve() == REPOSITORY / name
