"""The wheel, built and installed in an environment that knows nothing of this checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from c360_graph_tests.conftest import REPOSITORY, Project

PACKAGED = ("c360_graph", "pyproject.toml", "README.md", "LICENSE")


@dataclass(frozen=True, kw_only=True)
class Installed:
    """The wheel, and the environment it is installed in."""

    wheel: Path
    environment: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in an empty folder, away from this checkout."""
        clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DAGSTER_HOME")}
        folder = self.environment.parent / "elsewhere"
        folder.mkdir(exist_ok=True)
        program = str(self.environment / "bin" / command[0])
        return subprocess.run(
            [program, *command[1:]],
            cwd=folder,
            env=clean | {"COLUMNS": "120"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in PACKAGED:
        place = REPOSITORY / name
        copy = shutil.copytree if place.is_dir() else shutil.copyfile
        copy(place, source / name)
    tool(folder, "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=source)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = str(environment / "bin" / "python")
    tool(folder, "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", str(wheel))
    (packages,) = environment.glob("lib/python*/site-packages")
    # Everything else comes from here. Files that would lead to this checkout are not read there.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return Installed(wheel=wheel, environment=environment)


def tool(folder: Path, *command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd or folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_holds_every_file_of_the_package_and_the_licence(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        held = set(archive.namelist())
    package = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "c360_graph").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package <= held
    assert {path.rpartition(".")[2] for path in package} >= {"py", "cypher", "txt"}
    assert [name for name in held if name.endswith("licenses/LICENSE")]


def test_the_command_and_its_data_are_there(installed: Installed) -> None:
    shown = installed.run("c360", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Siloed PostgreSQL databases become one Neo4j graph" in shown.stdout
    code = (
        "import c360_graph; from c360_graph.questions import read_question_set;"
        " from c360_graph.sandbox import downloads; from c360_graph.sandbox.neo4j import LINES;"
        " [downloads.read_jar_list(name=line.jar_list) for line in LINES.values()];"
        " print(c360_graph.__file__); print(len(read_question_set(None).questions) > 0)"
    )
    found = installed.run("python", "-c", code)
    assert found.returncode == 0, found.stderr
    place, has_questions = found.stdout.split()
    assert Path(place).is_relative_to(installed.environment)
    assert has_questions == "True"


def test_demo_dev_and_sandbox_find_their_files_away_from_a_checkout(installed: Installed) -> None:
    code = (
        "from pathlib import Path; from c360_graph.new_project import project_file, sql_folder;"
        " from c360_graph.cli.dev import own_dagster_home;"
        " print(*(path.name for path in sorted(sql_folder().glob('*_schema.sql'))));"
        " print(project_file('workspace.yaml').is_file(), own_dagster_home(Path('home')).name)"
    )
    found = installed.run("python", "-c", code)
    assert found.stdout.splitlines() == [
        "etl_control_db_schema.sql profiles_db_schema.sql streaming_db_schema.sql support_db_schema.sql",
        "True home",
    ], found.stderr
    made = installed.run("c360", "init", "mine", "--json")
    assert made.returncode == 0, made.stderr
    assert {".gitignore", "sql/etl_control_db_schema.sql"} <= {*json.loads(made.stdout)["written"]}


def test_the_definitions_load(installed: Installed, project: Project) -> None:
    (packages,) = installed.environment.glob("lib/python*/site-packages")
    workspace = packages / "c360_graph" / "project" / "workspace.yaml"
    done = installed.run("python", "-m", "dagster", "definitions", "validate", "-w", str(workspace))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "validation successful" in (done.stdout + done.stderr).lower()
