"""The sample databases on a PostgreSQL server: made, filled, and mapped by the sample control rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from c360_graph.errors import SandboxError

SOURCES = ("profiles_db", "streaming_db", "support_db")
CONTROL = "etl_control_db"
LABELS = frozenset(
    (
        "Account",
        "Media",
        "PaymentMethod",
        "Plan",
        "PlayEvent",
        "Subscription",
        "Tag",
        "Ticket",
        "TicketTagLink",
    )
)
"""Labels of the sample's graph: what a demo or a test may remove."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A PostgreSQL server and a role that may create databases."""

    host: str
    port: int
    user: str
    password: str | None = field(repr=False)

    def connect(self, database: str) -> psycopg.Connection:
        """An autocommit connection.

        Raises:
            SandboxError: the server cannot be reached; no password in the message.
        """
        try:
            return psycopg.connect(
                host=self.host,
                port=self.port,
                user=self.user,
                password=self.password,
                dbname=database,
                connect_timeout=10,
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            said = next(iter(str(error).splitlines()), "")
            raise SandboxError(
                f"PostgreSQL at {self.host}:{self.port}/{database} cannot be used: {said}"
            ) from None


def load_sample(server: Server, *, control_db: str, sql_dir: Path, prefix: str = "") -> None:
    """Make and fill the four databases; a database that is there and not empty is left as it is.

    Args:
        server: where.
        control_db: name of the control database.
        sql_dir: the folder of the SQL files.
        prefix: put before the sources' database names, so that several samples fit on one server.

    Raises:
        SandboxError: the server or a file cannot be used.
    """
    for source in SOURCES:
        fill_database(
            server,
            name=prefix + source,
            files=(sql_dir / f"{source}_schema.sql", sql_dir / f"{source}_sample_data.sql"),
        )
    fill_database(
        server,
        name=control_db,
        files=(sql_dir / f"{CONTROL}_schema.sql", sql_dir / f"{CONTROL}_sample_data.sql"),
    )
    if prefix:
        with server.connect(control_db) as connection:
            connection.execute(
                "UPDATE source_databases SET db_name = %s || source_name WHERE db_name = source_name",
                (prefix,),
            )


def fill_database(server: Server, *, name: str, files: tuple[Path, ...]) -> None:
    """Make a database and run files in it, unless it holds tables already.

    Raises:
        SandboxError: a file cannot be read or run.
    """
    _create_database(server, name)
    with server.connect(name) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchone()
        if tables and tables[0]:
            return
        for file in files:
            try:
                connection.execute(file.read_text(encoding="utf-8"))
            except (OSError, psycopg.Error) as error:
                raise SandboxError(f"{file} cannot be run in {name}: {error}") from None


def _create_database(server: Server, name: str) -> None:
    with server.connect("postgres") as connection:
        found = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if found is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(
                    sql.Identifier(name)
                )
            )
