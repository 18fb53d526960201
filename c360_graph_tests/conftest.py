"""Real servers for every test that asks for them: those of the environment, else one sandbox a session."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from c360_graph.control.connection import ControlDatabase, Credentials
from c360_graph.cypher.schema import LabelProperties, constraint_name, index_name
from c360_graph.graph.connection import Graph, open_graph
from c360_graph.graph.load import graph_counts
from c360_graph.sandbox.sample import CONTROL, LABELS, SOURCES, Server, load_sample
from c360_graph.sandbox.servers import start_neo4j, start_postgres, stop

# How long an example takes depends on what else the machine does.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

REPOSITORY = Path(__file__).resolve().parent.parent
SQL_DIR = REPOSITORY / "sql"

SAMPLE_KEYS = {
    "Account": "account_id",
    "Media": "media_id",
    "PaymentMethod": "payment_method_id",
    "Plan": "plan_id",
    "PlayEvent": "event_id",
    "Subscription": "subscription_id",
    "Tag": "tag_id",
    "Ticket": "ticket_id",
    "TicketTagLink": "ticket_id tag_id",
}
SAMPLE_SCHEMA = frozenset(
    (
        *(
            constraint_name(LabelProperties(label=label, properties=tuple(key.split())))
            for label, key in SAMPLE_KEYS.items()
        ),
        index_name(LabelProperties(label="Account", properties=("email",))),
    )
)
"""The constraints and indexes that each load of the sample makes."""


@dataclass(frozen=True, kw_only=True)
class TestServers:
    """Where the servers are."""

    __test__ = False

    postgres: Server
    neo4j_uri: str
    neo4j_username: str
    neo4j_password: str = field(repr=False)
    neo4j_line: str

    def environment(self, control_db: str) -> dict[str, str]:
        """The settings that point the project at these servers."""
        return {
            "ETL_DB_HOST": self.postgres.host,
            "ETL_DB_PORT": str(self.postgres.port),
            "ETL_DB_NAME": control_db,
            "ETL_DB_USER": self.postgres.user,
            "ETL_DB_PASSWORD": self.postgres.password or "",
            "NEO4J_URI": self.neo4j_uri,
            "NEO4J_USERNAME": self.neo4j_username,
            "NEO4J_PASSWORD": self.neo4j_password,
        }

    def credentials(self, database: str) -> Credentials:
        """The superuser's, for a database of the PostgreSQL server."""
        return Credentials(
            host=self.postgres.host,
            port=self.postgres.port,
            database=database,
            user=self.postgres.user,
            password=self.postgres.password,
        )

    @cached_property
    def sample_prefix(self) -> str:
        """Before the names of databases that hold the sample, which are copied for each test."""
        prefix = f"t{uuid4().hex[:8]}_template_"
        load_sample(self.postgres, control_db=prefix + CONTROL, sql_dir=SQL_DIR, prefix=prefix)
        return prefix

    def copy_sample(self, prefix: str) -> None:
        """The sample's databases under other names, in a third of the time that its SQL takes."""
        with self.postgres.connect("postgres") as connection:
            for name in (*SOURCES, CONTROL):
                connection.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                        sql.Identifier(prefix + name), sql.Identifier(self.sample_prefix + name)
                    )
                )
        with self.postgres.connect(prefix + CONTROL) as connection:
            connection.execute("UPDATE source_databases SET db_name = %s || source_name", (prefix,))

    def open_graph(
        self, uri: str | None = None, *, database: str = "neo4j"
    ) -> AbstractContextManager[Graph]:
        """The target, by another way to it where a URI is given, or another database of it."""
        return open_graph(
            uri=uri or self.neo4j_uri,
            username=self.neo4j_username,
            password=self.neo4j_password,
            database=database,
        )


def graph_at(environment: Mapping[str, str]) -> AbstractContextManager[Graph]:
    """The graph of a sandbox's server, by the variables that name it."""
    return open_graph(
        uri=environment["NEO4J_URI"],
        username=environment["NEO4J_USERNAME"],
        password=environment["NEO4J_PASSWORD"],
        database="neo4j",
    )


@dataclass(frozen=True, kw_only=True)
class Project:
    """The sample databases, a control database of their own, and a data folder."""

    servers: TestServers
    control_db: str
    prefix: str
    data_dir: Path

    def connect(self, database: str | None = None) -> psycopg.Connection:
        """A connection to the control database, or to a source by its plain name."""
        return self.servers.postgres.connect(
            self.prefix + database if database else self.control_db
        )

    def execute(self, statement: str) -> None:
        """Change control rows."""
        with self.connect() as connection:
            connection.execute(statement)

    def map_only(self, *labels: str) -> None:
        """Deactivate all other labels, and so their relationships: a load of few takes little time."""
        with self.connect() as connection:
            connection.execute(
                "UPDATE node_label_mappings SET is_active = false WHERE node_label <> ALL (%s)",
                (list(labels),),
            )

    @property
    def control(self) -> ControlDatabase:
        """The control database as the project sees it."""
        return ControlDatabase(self.servers.credentials(self.control_db))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServers]:
    """The servers of the environment; whichever is not named there is started and stopped here."""
    folder = tmp_path_factory.mktemp("sandbox")
    line = os.environ.get("C360_SANDBOX_NEO4J", "2026")
    found = dict(os.environ)
    try:
        if not os.environ.get("ETL_DB_HOST"):
            found |= start_postgres(folder=folder).environment()
        if not os.environ.get("NEO4J_URI"):
            found |= start_neo4j(folder=folder, neo4j_line=line).environment()
        made = TestServers(
            postgres=Server(
                host=found["ETL_DB_HOST"],
                port=int(found.get("ETL_DB_PORT", "5432")),
                user=found.get("ETL_DB_USER", "postgres"),
                password=found.get("ETL_DB_PASSWORD"),
            ),
            neo4j_uri=found["NEO4J_URI"],
            neo4j_username=found.get("NEO4J_USERNAME", "neo4j"),
            neo4j_password=found.get("NEO4J_PASSWORD", ""),
            neo4j_line=line,
        )
        with nothing_of_others(made):
            yield made
        if "sample_prefix" in vars(made):
            drop_databases(made.postgres, made.sample_prefix)
    finally:
        stop(folder=folder)


@contextmanager
def nothing_of_others(servers: TestServers) -> Iterator[None]:
    """The tests empty the graph: make sure it holds no more than a sample's, and leave it empty."""
    with servers.open_graph() as graph:
        foreign = sorted(set(graph_counts(graph)[0]) - LABELS)
    if foreign:
        pytest.exit(
            f"{servers.neo4j_uri} holds nodes of {', '.join(foreign[:5])}, and the tests empty the graph"
            " they run on. Point NEO4J_URI at another server, or unset it.",
            returncode=1,
        )
    yield
    with servers.open_graph() as graph:
        empty(graph)


@pytest.fixture(scope="module", autouse=True)
def _empty_graph_for_each_file(request: pytest.FixtureRequest) -> None:
    """No file depends on which ran before it: a load refuses the graph of another project."""
    if any(
        item.get_closest_marker("servers")
        for item in request.session.items
        if item.path == request.path
    ):
        servers: TestServers = request.getfixturevalue("servers")
        with servers.open_graph() as graph:
            empty(graph, kept=SAMPLE_SCHEMA)


@pytest.fixture
def graph(servers: TestServers, request: pytest.FixtureRequest) -> Iterator[Graph]:
    """The target, empty: Community has one database, so what a test leaves is removed before the next.

    A test on the sample finds the constraints and indexes of the sample where a former one made them: once
    one is dropped, the server plans each statement anew, which takes four times as long as such a load.
    """
    with servers.open_graph() as opened:
        empty(opened, kept=SAMPLE_SCHEMA if "project" in request.fixturenames else ())
        yield opened


def empty(graph: Graph, *, kept: Collection[str] = ()) -> None:
    """Remove everything, constraints and indexes too, but for those of these names."""
    graph.rows("MATCH (n) DETACH DELETE n RETURN count(n) AS n")
    constraints = "SHOW CONSTRAINTS YIELD name WHERE NOT name IN $kept RETURN name"
    for row in graph.rows(constraints, kept=[*kept]):
        graph.run(f"DROP CONSTRAINT `{row['name']}`".encode(), tag={})
    indexes = (
        "SHOW INDEXES YIELD name, type, owningConstraint"
        " WHERE type <> 'LOOKUP' AND owningConstraint IS NULL AND NOT name IN $kept RETURN name"
    )
    for row in graph.rows(indexes, kept=[*kept]):
        graph.run(f"DROP INDEX `{row['name']}`".encode(), tag={})


@pytest.fixture
def project(servers: TestServers, tmp_path: Path) -> Iterator[Project]:
    """The sample databases under names of their own, with the environment set to use them."""
    with sample_project(servers, tmp_path) as made:
        yield made


@contextmanager
def sample_project(servers: TestServers, folder: Path) -> Iterator[Project]:
    """A project on the sample databases; its databases are dropped at the end."""
    prefix = f"t{uuid4().hex[:8]}_"
    control_db = f"{prefix}{CONTROL}"
    servers.copy_sample(prefix)
    environment = servers.environment(control_db) | {
        "C360_DATA_DIR": str(folder / "data"),
        # What fails is to fail at once; the test of retries says otherwise.
        "C360_RETRIES": "0",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("C360_", "DAGSTER_"))]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        yield Project(
            servers=servers,
            control_db=control_db,
            prefix=prefix,
            data_dir=folder / "data",
        )
    drop_databases(servers.postgres, prefix)


@pytest.fixture
def scratch_db(servers: TestServers) -> Iterator[str]:
    """An empty database of its own, dropped afterwards."""
    name = f"t{uuid4().hex[:8]}_scratch"
    with servers.postgres.connect("postgres") as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield name
    drop_databases(servers.postgres, name)


def drop_databases(server: Server, prefix: str) -> None:
    """Drop every database whose name begins so."""
    with server.connect("postgres") as connection:
        names = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (prefix,)
        ).fetchall()
        for (name,) in names:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


def pytest_configure() -> None:
    """Heed SIGINT, which a shell's background job ignores.

    Dagster gives SIGTERM the handler of SIGINT (``dagster._utils.interrupts``), and a process that a test
    starts inherits what is ignored: it would be asked to end and never would.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that uses a server's fixture is marked so, and cannot forget it."""
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.servers)
