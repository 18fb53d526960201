"""PgBouncer before the tests' PostgreSQL, in transaction mode."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from c360_graph.sandbox.sample import Server

_READY_SECONDS = 20
_NOT_ROOT = "nobody"


@contextmanager
def pgbouncer(server: Server, *, pool_mode: str, pool_size: int = 2, **more: str) -> Iterator[int]:
    """Run it while the block runs; yields its port on the loopback.

    It refuses to run as root, so that root has it run as nobody.
    """
    with tempfile.TemporaryDirectory(prefix="c360-pgbouncer-") as name:
        folder, port = Path(name), _free_port()
        config = _configure(folder, server, port, pool_mode=pool_mode, pool_size=pool_size, **more)
        user = None
        if os.geteuid() == 0:
            user = _NOT_ROOT
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, user)
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        log = (folder / "log").open("wb")
        process = subprocess.Popen([program, str(config)], user=user, stdout=log, stderr=log)
        try:
            _await(port, process, folder / "log")
            yield port
        finally:
            process.terminate()
            process.wait(20)
            log.close()


def _configure(
    folder: Path, server: Server, port: int, *, pool_mode: str, pool_size: int, **more: str
) -> Path:
    # Clients come without a password; PgBouncer knows the server's.
    options = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": pool_mode,
        "default_pool_size": str(pool_size),
        "server_lifetime": "3600",
        **more,
    }
    lines = "\n".join(f"{name} = {value}" for name, value in options.items())
    config = folder / "pgbouncer.ini"
    config.touch(mode=0o600)
    config.write_text(
        f"[databases]\n* = host={server.host} port={server.port} user={server.user}"
        f" password='{server.password or ''}'\n[pgbouncer]\n{lines}\n"
    )
    return config


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"PgBouncer did not start: {log.read_text()[-2000:]}")
