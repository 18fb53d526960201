"""`c360 init` writes a project to start from and overwrites nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from dotenv import dotenv_values
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.questions import read_question_set
from c360_graph.settings import Settings
from c360_graph_tests.conftest import REPOSITORY, SQL_DIR

FILES = {
    ".env.example",
    ".github/workflows/graph.yml",
    ".gitignore",
    "README.md",
    "dagster.yaml",
    "queries/nodes_by_label.cypher",
    "requirements.txt",
    "sql/control_rows.sql",
    "sql/etl_control_db_schema.sql",
    "workspace.yaml",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = CliRunner().invoke(app, ["init", str(tmp_path / "mine")])
    assert made.exit_code == 0, made.output
    return tmp_path / "mine"


def test_everything_that_a_project_needs_is_written(folder: Path) -> None:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == FILES
    schema = "etl_control_db_schema.sql"
    assert (folder / "sql" / schema).read_text() == (SQL_DIR / schema).read_text()
    for name in ("dagster.yaml", "workspace.yaml"):
        assert (folder / name).read_text() == (REPOSITORY / name).read_text()
    assert read_question_set(folder / "queries").problems == ()


def test_each_variable_is_a_setting_or_the_password_of_the_source(folder: Path) -> None:
    named = {name.lower() for name in dotenv_values(folder / ".env.example")}
    assert named - set(Settings.model_fields) == {"shop_password"}
    assert "'env:SHOP_PASSWORD'" in (folder / "sql/control_rows.sql").read_text()
    workflow = yaml.safe_load((folder / ".github/workflows/graph.yml").read_text())
    assert {*map(str.lower, workflow["jobs"]["build"]["env"])} - set(Settings.model_fields) == {
        "shop_password"
    }


def test_a_file_that_is_there_stays_and_is_named(folder: Path) -> None:
    (folder / "README.md").write_text("mine")
    (folder / "dagster.yaml").unlink()
    (folder / "workspace.yaml").unlink()
    (folder / "workspace.yaml").symlink_to("nowhere")
    again = CliRunner().invoke(app, ["init", str(folder), "--json"])
    assert again.exit_code == 0
    told = json.loads(again.stdout)
    assert told["written"] == ["dagster.yaml"]
    assert {*told["kept"]} == FILES - {"dagster.yaml"}
    assert (folder / "README.md").read_text() == "mine"
    assert not (folder / "nowhere").exists()
    assert "README.md exists and stays as it is." in again.stderr


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, ["init", str(tmp_path / "file")])
    assert done.exit_code == 1
    assert "file is a file." in done.stderr.replace("\n", " ")
