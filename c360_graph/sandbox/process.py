"""Server processes that outlive the one that starts them, known by pid and start time, and free ports for them."""

import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from c360_graph.errors import SandboxError

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
_ATTEMPTS = 5

_Server = TypeVar("_Server")


class PortTakenError(SandboxError):
    """Another program took the port between its choice and the server's start."""


def free_port() -> int:
    """A TCP port that nobody listens at just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def on_free_port(*, launch: Callable[[int], _Server]) -> _Server:
    """What ``launch(port)`` returns, tried with another port where one was taken meanwhile.

    Raises:
        SandboxError: what ``launch`` raised, the fifth lost port in a row included.
    """
    for _ in range(_ATTEMPTS - 1):
        port = free_port()
        try:
            return launch(port)
        except PortTakenError:
            _log.info("Port %d was taken meanwhile, trying another one", port)
    return launch(free_port())


# A start time is computed from the clock, which may be set right between two readings of it.
_START_TIME_TOLERANCE_SECONDS = 2.0
_POLL_SECONDS = 0.05
_POLITE_SECONDS = 60.0
_KILL_SECONDS = 10.0

# The shell leaves at once, so the server is nobody's child: it never becomes a zombie of a long
# test run, and Python has no child to warn about. The server's output goes to the shell's stderr.
_DETACH = '"$@" </dev/null >&2 & echo $!'


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process: a pid alone may belong to another one by now. ``started`` is in epoch seconds."""

    pid: int
    started: float


@dataclass(frozen=True, kw_only=True)
class Account:
    """The system account that a server runs as, by its numbers."""

    uid: int
    gid: int


def spawn(
    *,
    command: Sequence[str],
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    account: Account | None = None,
) -> Process:
    """Start ``command`` in ``folder``, in a session of its own, its output appended to ``log``.

    ``environment`` is its whole environment; ``account`` None means the caller's own.

    Raises:
        SandboxError: the process ended before it could be looked at; the log's end is shown.
    """
    with log.open("ab") as output:
        shell = subprocess.run(
            ["/bin/sh", "-c", _DETACH, "sh", *command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            check=True,
            text=True,
        )
    pid = int(shell.stdout)
    try:
        return Process(pid=pid, started=psutil.Process(pid).create_time())
    except psutil.NoSuchProcess as error:
        raise SandboxError(
            f"{Path(command[0]).name} ended at once.\n{last_lines(file=log)}"
        ) from error


def is_alive(*, process: Process) -> bool:
    """Whether exactly this process is still running; a zombie is not."""
    return _find(process=process) is not None


def end(*, process: Process, polite: signal.Signals) -> None:
    """End ``process`` and wait until it is gone: ``polite`` first, SIGKILL after a minute.

    Nothing happens where it is gone already or its pid belongs to another process now.

    Raises:
        SandboxError: it is still there after SIGKILL.
    """
    for number, seconds in ((polite, _POLITE_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
        found = _find(process=process)
        if found is None:
            return
        try:
            found.send_signal(number)
        except psutil.NoSuchProcess:
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not is_alive(process=process):
                return
            time.sleep(_POLL_SECONDS)
    raise SandboxError(f"The process {process.pid} does not end, not even by SIGKILL.")


def holds_port(*, process: Process, port: int) -> bool:
    """Whether it is this process that listens at TCP ``port``, and not somebody else's.

    True as well where the system does not let us look.
    """
    found = _find(process=process)
    if found is None:
        return False
    try:
        connections = found.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False
    return any(
        connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        for connection in connections
    )


def base_environment() -> dict[str, str]:
    """What a server needs of the environment; the user's PG* and JAVA* settings stay out of it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def last_lines(*, file: Path, count: int = 20) -> str:
    """The file's name and its last lines, for an error message; says so where there are none."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    except OSError:
        lines = []
    if not lines:
        return f"{file} is empty or missing."
    return f"The end of {file}:\n" + "\n".join(lines)


def _find(*, process: Process) -> psutil.Process | None:
    try:
        found = psutil.Process(process.pid)
        started = found.create_time()
        if abs(started - process.started) > _START_TIME_TOLERANCE_SECONDS:
            return None
        return None if found.status() == psutil.STATUS_ZOMBIE else found
    except psutil.NoSuchProcess:
        return None
