"""A real S3 server for tests: SeaweedFS, from a package."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

KEY, SECRET = "c360key", "c360secret-of-the-tests"
_CONFIG = (
    '{"identities": [{"name": "test", "credentials": [{"accessKey": "%s", "secretKey": "%s"}],'
    ' "actions": ["Admin"]}]}'
)
_PORTS = (
    "s3.port",
    "s3.port.grpc",
    "s3.port.iceberg",
    "s3.port.lance",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
)


@dataclass(kw_only=True)
class S3Server:
    """Where it is, and how it is used."""

    endpoint: str
    environment: dict[str, str] = field(repr=False)
    folder: Path
    command: list[str]

    def start(self) -> None:
        """Start it, and wait until it takes something."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log)
        _wait(self.endpoint, self._process, self.folder / "log")

    def end(self) -> None:
        """End it; what it has stays in its folder."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A server with the bucket `bucket` that keeps its data in a folder, for as long as the block runs."""
    (folder / "data").mkdir(parents=True)
    (folder / "config.json").write_text(_CONFIG % (KEY, SECRET), encoding="utf-8")
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    program = shutil.which("weed", path=str(Path(sys.executable).parent)) or "weed"
    command = [
        program,
        "-logtostderr=true",
        "mini",
        f"-dir={folder / 'data'}",
        f"-s3.config={folder / 'config.json'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-bucket=bucket",
        "-webdav=false",
        "-admin.ui=false",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    server = S3Server(endpoint=endpoint, environment=environment, folder=folder, command=command)
    server.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            yield server
    finally:
        server.end()


def _wait(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-2000:]
        with suppress(BaseError):
            S3Store(
                "bucket",
                endpoint=endpoint,
                access_key_id=KEY,
                secret_access_key=SECRET,
                region="us-east-1",
                client_options={"allow_http": True, "timeout": "3s"},
                retry_config={"max_retries": 0},
            ).put("ready", b"")
            return
        time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8", errors="replace")[-2000:])


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(s.getsockname()[1]) for s in sockets]
    for each in sockets:
        each.close()
    return ports
