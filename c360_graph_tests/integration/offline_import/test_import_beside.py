"""A database that is imported while the server answers from another one, which comes in its place and goes again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.sandbox.servers import restart_neo4j
from c360_graph_tests.conftest import TestServers, empty, sample_project
from c360_graph_tests.integration.offline_import.stopped_server import (
    contents,
    differences,
    neo4j_admin,
)
from c360_graph_tests.integration.reconcile.reconciled import NOTHING, changes, reconcile
from c360_graph_tests.integration.runs import load_graph
from c360_graph_tests.integration.server_process import server_process, stop_server

RUNNER = CliRunner()
BESIDE = "beside"
SETTING = "initial.dbms.default_database"


def switch(servers: TestServers, name: str) -> None:
    """Set the database that the server has, and restart it, as `docs/export.md` says."""
    sandbox = stop_server(servers)
    conf = sandbox / "neo4j" / "conf" / "neo4j.conf"
    lines = conf.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(SETTING)]
    conf.write_text("\n".join([*kept, f"{SETTING}={name}", ""]), encoding="utf-8")
    restart_neo4j(folder=sandbox)


@contextmanager
def switched_back(servers: TestServers) -> Iterator[None]:
    """The server as it was, whatever happens in the block."""
    _, sandbox = server_process(servers)
    try:
        yield
    finally:
        switch(servers, "neo4j")
        for part in ("databases", "transactions"):
            shutil.rmtree(sandbox / "neo4j" / "data" / part / BESIDE, ignore_errors=True)
        with servers.open_graph() as graph:
            empty(graph)


def test_a_database_is_imported_beside_the_graph_takes_its_place_and_leaves_it_again(
    servers: TestServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sample_project(servers, tmp_path) as project, switched_back(servers):
        project.map_only("Account", "Subscription")
        assert load_graph().success
        with servers.open_graph() as graph:
            new = contents(graph)
            graph.run(b"MATCH (n:Subscription) DETACH DELETE n", tag={})
            old = contents(graph)
            _, sandbox = server_process(servers)
            admin = neo4j_admin(
                tmp_path / "neo4j-admin", home=sandbox / "neo4j", line=servers.neo4j_line
            )
            folder = tmp_path / "import"
            options = ("--run", "--database", BESIDE, "--neo4j-admin", str(admin))
            done = RUNNER.invoke(app, ["export", str(folder), *options])
            assert done.exit_code == 0, done.stderr[-3_000:]
            assert f"NEO4J_DATABASE={BESIDE} c360 finish-import" in done.stderr
            # The server has answered all the time.
            assert differences(contents(graph), old) == ([], [])
        switch(servers, BESIDE)
        monkeypatch.setenv("NEO4J_DATABASE", BESIDE)
        finished = RUNNER.invoke(app, ["finish-import", str(folder)])
        assert finished.exit_code == 0, finished.stderr[-3_000:]
        with servers.open_graph(database=BESIDE) as graph:
            assert differences(contents(graph), new) == ([], [])
        assert changes(reconcile()) == NOTHING
        switch(servers, "neo4j")
        with servers.open_graph() as graph:
            assert differences(contents(graph), old) == ([], [])
