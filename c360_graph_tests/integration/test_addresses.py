"""A control database and a source behind a socket, an IPv6 address or a service, for `c360` and for Dagster."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster_postgres import DagsterPostgresStorage
from psycopg import sql
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.dagster_storage import storage_url
from c360_graph.sandbox import postgres
from c360_graph.sandbox.sample import CONTROL, Server, load_sample
from c360_graph.sandbox.servers import start_postgres, stop
from c360_graph.settings import load_settings
from c360_graph_tests.conftest import SQL_DIR, TestServers

RUNNER = CliRunner()
PASSWORD = "p%w d/@:?#'\"\\é&=+"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A PostgreSQL that listens at a socket, 127.0.0.1 and ::1, with the sample; and its socket's folder."""
    folder = tmp_path_factory.mktemp("addresses")
    # A socket's path may have 107 bytes, and the server may run as another user.
    sockets = Path(tempfile.mkdtemp(prefix="c360 s", dir="/tmp"))
    sockets.chmod(0o777)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(postgres._SETTINGS, "unix_socket_directories", f'"{sockets}"')
            patch.setitem(postgres._SETTINGS, "listen_addresses", "127.0.0.1,::1")
            started = start_postgres(folder=folder)
        made = Server(
            host="127.0.0.1", port=started.port, user="postgres", password=started.password
        )
        with made.connect("postgres") as connection:
            connection.execute(
                sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal(PASSWORD))
            )
        made = Server(host="127.0.0.1", port=made.port, user="postgres", password=PASSWORD)
        load_sample(made, control_db=CONTROL, sql_dir=SQL_DIR)
        yield made, sockets
    finally:
        stop(folder=folder)
        sockets.rmdir()


@pytest.fixture
def no_other_servers(servers: TestServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names Neo4j and a data folder, and no PostgreSQL."""
    for name in [n for n in os.environ if n.startswith(("ETL_DB_", "PG", "C360_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("C360_DATA_DIR", str(tmp_path / "data"))
    for name, value in servers.environment(CONTROL).items():
        if name.startswith("NEO4J_"):
            monkeypatch.setenv(name, value)


@pytest.fixture(params=["socket", "::1", "[::1]", "service", "service with a socket"])
def environment(
    request: pytest.FixtureRequest,
    server: tuple[Server, Path],
    no_other_servers: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment that names the control database in one of the ways."""
    made, sockets = server
    hosts = {"socket": str(sockets), "service": "127.0.0.1", "service with a socket": str(sockets)}
    host = hosts.get(request.param, request.param)
    if request.param.startswith("service"):
        file = tmp_path / "services.conf"
        file.write_text(
            f"[c360]\nhost={host}\nport={made.port}\nuser=postgres\npassword={PASSWORD}\n"
        )
        monkeypatch.setenv("PGSERVICE", "c360")
        monkeypatch.setenv("PGSERVICEFILE", str(file))
        return
    monkeypatch.setenv("ETL_DB_HOST", host)
    monkeypatch.setenv("ETL_DB_PORT", str(made.port))
    monkeypatch.setenv("ETL_DB_PASSWORD", PASSWORD)


@pytest.mark.usefixtures("environment")
def test_control_database_sources_and_storage_are_reached() -> None:
    done = RUNNER.invoke(app, ["check"])
    assert done.exit_code == 0, done.output
    assert "9 tables and 7 relationships" in done.stderr
    storage = DagsterPostgresStorage(storage_url(control_credentials(load_settings())))
    storage.run_storage.optimize_for_webserver(0, 1, 1)
    assert storage.run_storage.get_runs_count() == 0
    with ControlDatabase(control_credentials(load_settings())).transaction() as connection:
        found = connection.exec_driver_sql("SELECT to_regclass('dagster.runs')").scalar_one()
    assert found == "dagster.runs"


@pytest.mark.parametrize("way", ["socket", "::1", "[::1]"])
def test_a_source_of_its_own_is_reached(
    way: str,
    server: tuple[Server, Path],
    no_other_servers: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, sockets = server
    monkeypatch.setenv("ETL_DB_HOST", "127.0.0.1")
    monkeypatch.setenv("ETL_DB_PORT", str(made.port))
    monkeypatch.setenv("ETL_DB_PASSWORD", PASSWORD)
    monkeypatch.setenv("OF_SOURCE", PASSWORD)
    host = str(sockets) if way == "socket" else way
    with made.connect(CONTROL) as connection:
        connection.execute(
            "UPDATE source_databases SET db_host = %s, db_port = %s, db_user = 'postgres',"
            " db_password = 'env:OF_SOURCE'",
            (host, made.port),
        )
    done = RUNNER.invoke(app, ["check"])
    assert done.exit_code == 0, done.output
    assert "9 tables and 7 relationships" in done.stderr
