"""Help that teaches: every command has examples, and the whole says what exit codes mean."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest
import typer
from typer.testing import CliRunner

from c360_graph.assets.neo4j_graph import Neo4jGraphConfig
from c360_graph.cli import app

RUNNER = CliRunner()
ROOT = typer.main.get_command(app)


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    found = getattr(group, "commands", None)
    if found is None:
        yield path
        return
    for name, command in found.items():
        yield from commands(command, (*path, name))


COMMANDS = sorted(commands(ROOT))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_command_shows_an_example_of_itself(path: tuple[str, ...]) -> None:
    shown = RUNNER.invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    _, _, examples = shown.stdout.partition("Example")
    assert f"c360 {' '.join(path)}" in examples


def test_exit_codes_are_documented() -> None:
    shown = " ".join(RUNNER.invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout.split())
    assert "Exit codes: 0 done · 1 something failed or was refused" in shown
    assert "2 the command line is wrong, or c360 plan found that a load would destroy" in shown


def test_colours_are_off_when_nobody_watches() -> None:
    environment = {k: v for k, v in os.environ.items() if "COLOR" not in k}
    done = subprocess.run(
        [sys.executable, "-c", "from c360_graph.cli import app; app()", "load"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 2
    assert "Missing argument" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_the_plan_is_for_the_way_that_a_run_loads_by_default() -> None:
    command = ROOT.commands["plan"]  # type: ignore[attr-defined]
    (option,) = (parameter for parameter in command.params if parameter.name == "clear")
    assert option.default == Neo4jGraphConfig().clear_database


def test_the_command_prints_its_version() -> None:
    shown = RUNNER.invoke(app, ["--version"])
    assert shown.exit_code == 0
    assert shown.stdout == f"c360_graph {version('c360-graph')}\n"
