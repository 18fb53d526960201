"""What a sandbox folder knows about its servers, and their processes, which outlive the one that starts them."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import psutil

from c360_graph.errors import SandboxError
from c360_graph.sandbox.downloads import exclusive

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
_ATTEMPTS = 5

_Server = TypeVar("_Server")

_MARK = ".c360_sandbox"


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


def make_own_folder(folder: Path, *, sandbox: Path) -> None:
    """Make an empty folder of mode 0700 for a server of a sandbox; it replaces an earlier one.

    Raises:
        SandboxError: there is a folder that holds something and was not made here.
    """
    refuse_of_others(folder, sandbox=sandbox)
    shutil.rmtree(folder, ignore_errors=True)
    sandbox.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    mark_own_folder(folder, sandbox=sandbox)


def mark_own_folder(folder: Path, *, sandbox: Path) -> None:
    """Note in a folder that it belongs to a server of this sandbox."""
    (folder / _MARK).write_text(f"{sandbox.resolve()}\n", encoding="utf-8")


def refuse_of_others(folder: Path, *, sandbox: Path) -> None:
    """Make sure that a folder may be taken: it is empty, or is marked as this sandbox's.

    Raises:
        SandboxError: it may be somebody's data.
    """
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not is_empty and _owner(folder) != str(sandbox.resolve()):
        _refuse(folder, sandbox)


def refuse_recorded_of_others(folder: Path, *, sandbox: Path, elsewhere: str = "") -> None:
    """Make sure that a folder that a sandbox's state names may be removed.

    It lies in the sandbox's folder, or is called `elsewhere...`, and no mark says that it belongs to
    another sandbox, as in the copy of a sandbox's folder.

    Raises:
        SandboxError: it may be somebody's data.
    """
    if not folder.exists():
        return
    is_own = folder.parent.resolve() == sandbox.resolve() or (
        elsewhere and folder.name.startswith(elsewhere)
    )
    if not is_own or _owner(folder) not in (None, str(sandbox.resolve())):
        _refuse(folder, sandbox)


def _owner(folder: Path) -> str | None:
    try:
        return (folder / _MARK).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _refuse(folder: Path, sandbox: Path) -> NoReturn:
    raise SandboxError(
        f"{folder} was not made by the sandbox in {sandbox}, so it is left as it is. Use another"
        " --folder, or remove it yourself if nobody needs what it holds."
    )


FILE_NAME = "sandbox.json"
POSTGRES_USER = "postgres"
CONTROL_DATABASE = "etl_control_db"
NEO4J_USER = "neo4j"


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A PostgreSQL of the sandbox: TCP on 127.0.0.1, user ``postgres``, scram-sha-256.

    ``work`` holds its cluster and log; ``ready`` is False while it starts.
    """

    process: Process
    port: int
    password: str
    work: Path
    ready: bool = False

    def environment(self) -> dict[str, str]:
        """The project's settings (``ETL_DB_*``) that reach this server's control database."""
        return {
            "ETL_DB_HOST": HOST,
            "ETL_DB_PORT": str(self.port),
            "ETL_DB_NAME": CONTROL_DATABASE,
            "ETL_DB_USER": POSTGRES_USER,
            "ETL_DB_PASSWORD": self.password,
        }


@dataclass(frozen=True, kw_only=True)
class Neo4jServer:
    """A Neo4j of the sandbox: Bolt on 127.0.0.1, user ``neo4j``, no HTTP.

    ``home`` holds its data, configuration and logs; ``line`` is a key of ``lines.LINES``;
    ``heap_mb`` is its Java heap in MiB; ``ready`` is False while it starts.
    """

    process: Process
    port: int
    password: str
    home: Path
    line: str
    heap_mb: int
    ready: bool = False

    @property
    def uri(self) -> str:
        """The address for drivers and cypher-shell."""
        return f"bolt://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        """The project's settings (``NEO4J_*``) that reach this server."""
        return {
            "NEO4J_URI": self.uri,
            "NEO4J_USERNAME": NEO4J_USER,
            "NEO4J_PASSWORD": self.password,
        }


@dataclass(frozen=True, kw_only=True)
class Servers:
    """The servers of one sandbox folder; None stands for one that was not started."""

    folder: Path
    postgres: PostgresServer | None = None
    neo4j: Neo4jServer | None = None

    def environment(self) -> dict[str, str]:
        """The project's settings that reach these servers, passwords among them."""
        postgres = self.postgres.environment() if self.postgres else {}
        return postgres | (self.neo4j.environment() if self.neo4j else {})


def read_servers(*, folder: Path) -> Servers:
    """What ``folder`` knows; no servers where it has no state file.

    Raises:
        SandboxError: the file cannot be read as a state.
    """
    file = folder / FILE_NAME
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return Servers(
            folder=folder,
            postgres=_postgres(content["postgres"]),
            neo4j=_neo4j(content["neo4j"]),
        )
    except FileNotFoundError:
        return Servers(folder=folder)
    except (ValueError, KeyError, TypeError) as error:
        raise SandboxError(
            f"{file} is damaged, so the servers that it names are not known. End them by hand if "
            "they run, delete the folder and start again."
        ) from error


def write_postgres(*, folder: Path, server: PostgresServer | None) -> None:
    """Keep ``server`` as the folder's PostgreSQL; None forgets it."""
    with exclusive(target=folder / FILE_NAME):
        write_servers(
            servers=Servers(folder=folder, postgres=server, neo4j=read_servers(folder=folder).neo4j)
        )


def write_neo4j(*, folder: Path, server: Neo4jServer | None) -> None:
    """Keep ``server`` as the folder's Neo4j; None forgets it."""
    with exclusive(target=folder / FILE_NAME):
        postgres = read_servers(folder=folder).postgres
        write_servers(servers=Servers(folder=folder, postgres=postgres, neo4j=server))


def write_servers(*, servers: Servers) -> None:
    """Replace the folder's state file as a whole; only its owner can read it (mode 0600)."""
    servers.folder.mkdir(parents=True, exist_ok=True)
    content = {
        "postgres": asdict(servers.postgres) if servers.postgres else None,
        "neo4j": asdict(servers.neo4j) if servers.neo4j else None,
    }
    # mkstemp makes the file with mode 0600: the passwords are never readable by others.
    handle, name = tempfile.mkstemp(prefix=f".{FILE_NAME}.", dir=servers.folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, default=str)
        Path(name).replace(servers.folder / FILE_NAME)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _postgres(content: dict[str, Any] | None) -> PostgresServer | None:
    if content is None:
        return None
    typed = {"process": Process(**content["process"]), "work": Path(content["work"])}
    return PostgresServer(**(content | typed))


def _neo4j(content: dict[str, Any] | None) -> Neo4jServer | None:
    if content is None:
        return None
    typed = {"process": Process(**content["process"]), "home": Path(content["home"])}
    return Neo4jServer(**(content | typed))
