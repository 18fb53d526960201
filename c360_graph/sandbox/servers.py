"""Start and stop the sandbox's servers, both or each alone, and the file that says how they are reached.

The file with their addresses lies in the sandbox's folder and has only the lines that were written here; lines that
somebody added are kept. `.env` is the user's and is never touched.

::

    servers = start(folder=Path(".sandbox"))
    os.environ.update(servers.environment())
    ...
    stop(folder=Path(".sandbox"))

The servers outlive the process that starts them. What runs is written down in the folder's
``sandbox.json``, so that any other process can ask for it, use it and stop it.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from c360_graph.errors import SandboxError
from c360_graph.sandbox import neo4j, postgres
from c360_graph.sandbox.downloads import exclusive
from c360_graph.sandbox.neo4j import DEFAULT_LINE, find_line
from c360_graph.sandbox.state import (
    FILE_NAME,
    Neo4jServer,
    PostgresServer,
    Servers,
    end,
    is_alive,
    read_servers,
    write_neo4j,
    write_postgres,
)

ENVIRONMENT_FILE = "sandbox.env"
_HEAD = "# How the servers of `c360 sandbox up` are reached. Put settings of your own into .env."

__all__ = [
    "Neo4jServer",
    "PostgresServer",
    "Servers",
    "Status",
    "restart_neo4j",
    "restart_postgres",
    "start",
    "start_neo4j",
    "start_postgres",
    "status",
    "stop",
]

DEFAULT_HEAP_MB = 512
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


def write_environment(*, folder: Path, environment: Mapping[str, str]) -> Path:
    """Write the lines of an environment; they replace those written before.

    Raises:
        SandboxError: the file cannot be written.
    """
    path = folder.resolve() / ENVIRONMENT_FILE
    lines = [_signed(f"{name}='{value}'") for name, value in environment.items()]
    try:
        _write_private(path, [_HEAD, *lines, *_lines_of_others(path)])
    except OSError as error:
        raise SandboxError(f"{path} cannot be written: {error.strerror}.") from None
    return path


def remove_environment(*, folder: Path) -> None:
    """Remove the lines that were written here, and the file once it holds nothing else."""
    path = folder.resolve() / ENVIRONMENT_FILE
    if not path.is_file():
        return
    others = _lines_of_others(path)
    if any(line.strip() for line in others):
        _write_private(path, others)
    elif _HEAD in path.read_text(encoding="utf-8").splitlines():
        path.unlink()


def link_environment(*, target: Path, name: Path) -> bool:
    """Let `name` lead to a sandbox's file; False where somebody else has a file of that name.

    A link to another sandbox's file is replaced.

    Raises:
        OSError: the folder cannot be written.
    """
    if os.path.lexists(name) and not _leads_to_a_sandbox(name):
        return False
    temporary = name.with_name(f"{name.name}.{os.getpid()}")
    temporary.symlink_to(target)
    temporary.replace(name)
    return True


def unlink_environment(*, folder: Path, name: Path) -> None:
    """Remove the link to a folder's file once that is gone."""
    target = folder.resolve() / ENVIRONMENT_FILE
    if name.is_symlink() and name.readlink() == target and not target.exists():
        name.unlink()


def _leads_to_a_sandbox(name: Path) -> bool:
    return name.is_symlink() and name.readlink().name == ENVIRONMENT_FILE


def _signed(line: str) -> str:
    """A line with a digest of itself, by which one that somebody changed is told apart."""
    return f"{line} # c360:{sha256(line.encode()).hexdigest()[:12]}"


def _lines_of_others(path: Path) -> list[str]:
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        line for line in lines if line != _HEAD and line != _signed(line.rpartition(" # c360:")[0])
    ]


def _write_private(path: Path, lines: list[str]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    temporary.replace(path)


@dataclass(frozen=True, kw_only=True)
class Status:
    """Which servers of a folder are running and ready."""

    postgres_up: bool
    neo4j_up: bool


def start(
    *,
    folder: Path,
    neo4j_line: str = DEFAULT_LINE,
    heap_mb: int = DEFAULT_HEAP_MB,
    neo4j_settings: Mapping[str, str] = NO_SETTINGS,
) -> Servers:
    """Start PostgreSQL and Neo4j side by side; those of ``folder`` that run already are kept.

    ``neo4j_line`` is ``"2026"`` or ``"5.26"``, ``heap_mb`` Neo4j's heap in MiB, and
    ``neo4j_settings`` are further lines of neo4j.conf. The first start on a machine downloads
    about 230 MB into the user's cache.

    Raises:
        SandboxError: one of them cannot be started; then neither is left running.
    """
    find_line(name=neo4j_line)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(start_postgres, folder=folder)
        second = pool.submit(
            start_neo4j,
            folder=folder,
            neo4j_line=neo4j_line,
            heap_mb=heap_mb,
            settings=neo4j_settings,
        )
        try:
            return Servers(folder=folder, postgres=first.result(), neo4j=second.result())
        except BaseException:
            # A start that is under way notices that its process is gone and gives up.
            _end_recorded(folder=folder)
            pool.shutdown(cancel_futures=True)
            stop(folder=folder)
            raise


def start_postgres(*, folder: Path) -> PostgresServer:
    """Start PostgreSQL alone, or return the one of ``folder`` that is running.

    Raises:
        SandboxError: it cannot be started; the message shows the end of its log.
    """
    folder = folder.resolve()
    with _explained(folder=folder), exclusive(target=folder / "postgres"):
        known = read_servers(folder=folder).postgres
        if known and known.ready and is_alive(process=known.process):
            return known
        if known:
            _forget_postgres(folder=folder, server=known)
        return postgres.launch_postgres(
            folder=folder, record=lambda server: write_postgres(folder=folder, server=server)
        )


def start_neo4j(
    *,
    folder: Path,
    neo4j_line: str = DEFAULT_LINE,
    heap_mb: int = DEFAULT_HEAP_MB,
    settings: Mapping[str, str] = NO_SETTINGS,
    java_options: Sequence[str] = (),
) -> Neo4jServer:
    """Start Neo4j alone, or return the one of ``folder`` that is running.

    ``settings`` are further lines of neo4j.conf, and ``java_options`` further options of Java.

    Raises:
        SandboxError: it cannot be started, or one of another line is running in this folder.
    """
    folder = folder.resolve()
    with _explained(folder=folder), exclusive(target=folder / "neo4j"):
        known = read_servers(folder=folder).neo4j
        if known and known.ready and is_alive(process=known.process):
            if known.line != neo4j_line:
                raise SandboxError(
                    f"Neo4j of the line {known.line} is running in {folder}, asked for was "
                    f"{neo4j_line}. Stop that sandbox first, or use another folder."
                )
            return known
        if known:
            _forget_neo4j(folder=folder, server=known)
        return neo4j.launch_neo4j(
            home=folder / "neo4j",
            line=neo4j_line,
            heap_mb=heap_mb,
            settings=settings,
            java_options=java_options,
            record=lambda server: write_neo4j(folder=folder, server=server),
        )


def restart_neo4j(*, folder: Path) -> Neo4jServer:
    """Start Neo4j of ``folder`` again with its data, port and password, whether it runs or not.

    Raises:
        SandboxError: ``folder`` has no Neo4j, or it does not come up again.
    """
    folder = folder.resolve()
    with _explained(folder=folder), exclusive(target=folder / "neo4j"):
        known = read_servers(folder=folder).neo4j
        if known is None:
            raise SandboxError(f"{folder} has no Neo4j to restart; start one first.")
        return neo4j.restart(
            server=known, record=lambda server: write_neo4j(folder=folder, server=server)
        )


def restart_postgres(*, folder: Path) -> PostgresServer:
    """Start PostgreSQL of ``folder`` again with its data, port and password, whether it runs or not.

    Raises:
        SandboxError: ``folder`` has no PostgreSQL, or it does not come up again.
    """
    folder = folder.resolve()
    with _explained(folder=folder), exclusive(target=folder / "postgres"):
        known = read_servers(folder=folder).postgres
        if known is None:
            raise SandboxError(f"{folder} has no PostgreSQL to restart; start one first.")
        return postgres.relaunch_postgres(
            server=known, record=lambda server: write_postgres(folder=folder, server=server)
        )


def stop(*, folder: Path, postgres: bool = True, neo4j: bool = True) -> None:
    """End the folder's servers, or one of them, ask politely first, and remove their data.

    Only processes that the folder's state names, by pid and start time, are touched. A folder
    without servers is left as it is.

    Raises:
        SandboxError: a server does not end.
    """
    folder = folder.resolve()
    tasks = [*([_stop_postgres] if postgres else []), *([_stop_neo4j] if neo4j else [])]
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(task, folder=folder) for task in tasks]
        for future in futures:
            future.result()
    known = read_servers(folder=folder)
    if folder.is_dir() and known.postgres is None and known.neo4j is None:
        (folder / FILE_NAME).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            shutil.rmtree(folder)


def status(*, folder: Path) -> Status:
    """Which servers of ``folder`` are running and ready."""
    known = read_servers(folder=folder.resolve())
    return Status(
        postgres_up=bool(
            known.postgres and known.postgres.ready and is_alive(process=known.postgres.process)
        ),
        neo4j_up=bool(known.neo4j and known.neo4j.ready and is_alive(process=known.neo4j.process)),
    )


@contextmanager
def _explained(*, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SandboxError(
            f"The sandbox in {folder} cannot be set up: {error}. Check that there is room on the "
            "disk and that the folder is yours to write."
        ) from error


def _forget_postgres(*, folder: Path, server: PostgresServer) -> None:
    postgres.remove_postgres(server=server, folder=folder)
    write_postgres(folder=folder, server=None)


def _forget_neo4j(*, folder: Path, server: Neo4jServer) -> None:
    neo4j.remove_neo4j(server=server, folder=folder)
    write_neo4j(folder=folder, server=None)


def _stop_postgres(*, folder: Path) -> None:
    with exclusive(target=folder / "postgres"):
        known = read_servers(folder=folder).postgres
        if known:
            _forget_postgres(folder=folder, server=known)


def _stop_neo4j(*, folder: Path) -> None:
    with exclusive(target=folder / "neo4j"):
        known = read_servers(folder=folder).neo4j
        if known:
            _forget_neo4j(folder=folder, server=known)


def _end_recorded(*, folder: Path) -> None:
    # Without the locks, as the starts that are to be ended hold them.
    known = read_servers(folder=folder.resolve())
    for server in (known.postgres, known.neo4j):
        if server:
            end(process=server.process, polite=signal.SIGTERM)
