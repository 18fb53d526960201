"""The three source databases at any size, drawn from a seed inside PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from c360_graph.sandbox.sample import CONTROL, SOURCES, Server, fill_database

SQL = Path(__file__).parent / "sql"
PROJECT_SQL = Path(__file__).parent.parent / "sql"


@dataclass(frozen=True, kw_only=True)
class Databases:
    """A generated set: the databases' names begin with a prefix, so that several sizes fit a server."""

    server: Server
    events: int
    prefix: str

    @property
    def control(self) -> str:
        """The name of its control database."""
        return self.prefix + CONTROL

    def source(self, name: str) -> str:
        """The name of a source's database."""
        return self.prefix + name


def generate(server: Server, *, events: int, seed: int) -> Databases:
    """Make databases with so many play events, and a control database that maps them.

    Raises:
        SandboxError: the server or a file cannot be used.
    """
    made = Databases(server=server, events=events, prefix=f"bench_{events}_")
    for source in SOURCES:
        schema = PROJECT_SQL / f"{source}_schema.sql"
        fill_database(server, name=made.source(source), files=(schema,))
        _draw(made, source, seed)
    control_files = tuple(
        PROJECT_SQL / f"{CONTROL}_{part}.sql" for part in ("schema", "sample_data")
    )
    fill_database(server, name=made.control, files=control_files)
    with server.connect(made.control) as connection:
        connection.execute(
            "UPDATE source_databases SET db_name = %s || source_name WHERE db_name = source_name",
            (made.prefix,),
        )
    return made


def _draw(made: Databases, source: str, seed: int) -> None:
    with made.server.connect(made.source(source)) as connection:
        connection.execute(
            "SELECT set_config('bench.events', %s, false), set_config('bench.seed', %s, false)",
            (str(made.events), f"{seed}."),
        )
        # The rows are sound by how they are made; checking each reference takes half of the time.
        connection.execute("SET session_replication_role = replica")
        for name in ("drawing", source):
            connection.execute((SQL / f"{name}.sql").read_bytes())
        connection.execute("VACUUM (ANALYZE)")
