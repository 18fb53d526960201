"""Processes that outlive the one that starts them."""

import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from c360_graph.sandbox.state import (
    PortTakenError,
    Process,
    base_environment,
    end,
    holds_port,
    is_alive,
    last_lines,
    on_free_port,
    spawn,
)


def spawn_shell(folder: Path, *, script: str) -> Process:
    return spawn(
        command=["/bin/sh", "-c", script],
        folder=folder,
        log=folder / "log",
        environment=base_environment(),
    )


def test_a_spawned_process_has_a_session_of_its_own_and_ends_when_asked(tmp_path: Path) -> None:
    process = spawn_shell(tmp_path, script="exec sleep 60")
    try:
        assert is_alive(process=process)
        assert os.getsid(process.pid) != os.getsid(0)
    finally:
        end(process=process, polite=signal.SIGTERM)
    assert not is_alive(process=process)


def test_a_process_of_another_start_time_is_not_ours_and_is_left_alone(tmp_path: Path) -> None:
    process = spawn_shell(tmp_path, script="exec sleep 60")
    try:
        stranger = replace(process, started=process.started - 3600)

        assert not is_alive(process=stranger)
        end(process=stranger, polite=signal.SIGKILL)

        assert is_alive(process=process)
    finally:
        end(process=process, polite=signal.SIGKILL)


def test_ending_a_process_that_is_gone_does_nothing(tmp_path: Path) -> None:
    process = spawn_shell(tmp_path, script="exec sleep 60")

    end(process=process, polite=signal.SIGTERM)
    end(process=process, polite=signal.SIGTERM)

    assert not is_alive(process=process)


def test_what_a_process_says_goes_to_its_log(tmp_path: Path) -> None:
    process = spawn_shell(tmp_path, script="echo out; echo err >&2; exec sleep 60")
    try:
        text = ""
        while "err" not in text:
            text = last_lines(file=tmp_path / "log", count=2)
    finally:
        end(process=process, polite=signal.SIGKILL)

    assert text == f"The end of {tmp_path / 'log'}:\nout\nerr"


def test_a_missing_log_is_said_to_be_missing(tmp_path: Path) -> None:
    assert last_lines(file=tmp_path / "log") == f"{tmp_path / 'log'} is empty or missing."


def test_a_port_that_another_process_listens_at_is_not_held(tmp_path: Path) -> None:
    process = spawn_shell(tmp_path, script="exec sleep 60")
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            assert not holds_port(process=process, port=listener.getsockname()[1])
    finally:
        end(process=process, polite=signal.SIGKILL)


def test_settings_of_the_users_own_servers_are_kept_from_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PGPORT", "PGDATA", "JAVA_TOOL_OPTIONS", "CLASSPATH", "NEO4J_CONF"):
        monkeypatch.setenv(name, "anything")

    assert set(base_environment()) <= {"PATH", "HOME", "TMPDIR", "LC_ALL", "TZ"}


def test_a_lost_port_is_replaced_by_another_one() -> None:
    tried: list[int] = []

    def launch(port: int) -> str:
        tried.append(port)
        if len(tried) < 3:
            raise PortTakenError("taken")
        return "up"

    assert on_free_port(launch=launch) == "up"
    assert len(tried) == 3


def test_losing_every_port_is_an_error() -> None:
    tried: list[int] = []

    def launch(port: int) -> None:
        tried.append(port)
        raise PortTakenError("taken")

    with pytest.raises(PortTakenError):
        on_free_port(launch=launch)
    assert len(tried) == 5
