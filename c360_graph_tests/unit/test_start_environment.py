"""Which variables of `.env` are set back to what a Dagster process was started with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from c360_graph.errors import SettingsError
from c360_graph.start_environment import (
    is_dagster,
    overridden,
    refuse_storage_of_env_file,
    restore_start_environment,
)


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        ([{"NEO4J_URI": "mine"}], {"NEO4J_URI": "mine"}),
        ([{}], {}),
        ([{"NEO4J_URI": ""}], {}),
        ([{"NEO4J_URI": "of .env"}], {}),
        # A child process inherits what was overridden in its parent.
        ([{"NEO4J_URI": "of .env"}, {"NEO4J_URI": "mine"}], {"NEO4J_URI": "mine"}),
        ([{"NEO4J_URI": "of .env"}] * 2 + [{"NEO4J_URI": "mine"}], {"NEO4J_URI": "mine"}),
        # The nearest process that was started with another value says what is meant.
        ([{"NEO4J_URI": "inner"}, {"NEO4J_URI": "outer"}], {"NEO4J_URI": "inner"}),
        # A setting is the same in whatever letter case it was given.
        ([{"neo4j_uri": "mine"}], {"NEO4J_URI": None}),
    ],
)
def test_a_variable_is_set_back_to_what_the_process_was_started_with(
    started: list[dict[str, str]], expected: dict[str, str | None]
) -> None:
    lines = {"NEO4J_URI": "of .env"}
    assert overridden(dict(lines), injected=lines, started=tuple(started)) == expected


def test_an_empty_line_does_not_unset_what_the_process_was_started_with() -> None:
    found = overridden({"A": ""}, injected={"A": ""}, started=({"A": "mine"},))
    assert found == {"A": "mine"}


def test_a_value_that_a_parent_gave_its_child_on_purpose_stays() -> None:
    found = overridden(
        {"A": "given"}, injected={"A": "of .env"}, started=({"A": "given"}, {"A": "other"})
    )
    assert found == {}


@pytest.mark.parametrize(
    "command",
    [
        "/venv/bin/python /venv/bin/dagster asset materialize",
        "/venv/bin/dagster-daemon run",
        "/venv/bin/python /venv/bin/dg launch",
        "python -m dagster dev",
        "python -X dev -m dagster._daemon run",
        "python -m dagster_webserver",
    ],
)
def test_commands_of_dagster_are_known(command: str) -> None:
    assert is_dagster(command.split())


@pytest.mark.parametrize(
    "command",
    ["python -m pytest -k dagster", "/venv/bin/c360 dev", "bash -c dagster", "python -m c360"],
)
def test_other_commands_are_not_taken_for_dagsters(command: str) -> None:
    assert not is_dagster(command.split())


def test_outside_of_dagster_nothing_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("PATH=elsewhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "elsewhere")
    restore_start_environment()
    assert os.environ["PATH"] == "elsewhere"


def _as_dagster(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code under Dagster's name, `.env` put over the environment as Dagster does it."""
    program = folder / "dagster"
    program.write_text(
        "import os\nfrom dotenv import dotenv_values\nos.environ.update(dotenv_values('.env'))\n"
        "from c360_graph.start_environment import restore_start_environment\n"
        "restore_start_environment()\n" + code
    )
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, str(program)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_operating_system_knows_what_a_process_was_started_with(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=of .env\nB=of .env\nC=${A} again\nneo4j_uri=of .env\n")
    done = _as_dagster(
        tmp_path,
        "print([os.environ.get(name) for name in ('A', 'B', 'C', 'neo4j_uri')])",
        A="mine",
        C="my own",
        NEO4J_URI="bolt://mine",
    )
    assert (done.stdout, done.stderr) == ("['mine', 'of .env', 'my own', None]\n", "")


def test_another_home_of_dagster_is_refused_with_both_names(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DAGSTER_HOME=/of/env\n")
    done = _as_dagster(tmp_path, "", DAGSTER_HOME="/mine")
    assert done.returncode == 1
    assert "started with DAGSTER_HOME=/mine, and Dagster has used /of/env of .env" in done.stderr


def test_a_storage_that_env_file_has_named_is_refused_with_both_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("ETL_DB_HOST=a\nETL_DB_PASSWORD=secret\nETL_DB_PORT=1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETL_DB_HOST", "b")
    monkeypatch.setenv("ETL_DB_PASSWORD", "hidden")
    monkeypatch.setenv("ETL_DB_PORT", "1")
    with pytest.raises(
        SettingsError, match=r"takes ETL_DB_HOST .* has put 'a', not 'b' with which"
    ):
        refuse_storage_of_env_file({"postgres_db": {"hostname": {"env": "ETL_DB_HOST"}}})
    with pytest.raises(SettingsError, match="takes ETL_DB_PASSWORD") as refused:
        refuse_storage_of_env_file({"postgres_db": {"password": {"env": "ETL_DB_PASSWORD"}}})
    assert "secret" not in str(refused.value)
    assert "hidden" not in str(refused.value)
    refuse_storage_of_env_file({"postgres_db": {"port": {"env": "ETL_DB_PORT"}}})
