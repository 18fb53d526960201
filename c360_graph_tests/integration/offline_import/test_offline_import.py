"""`c360 export`: the imported graph equals that of a load, and later loads go on from it."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.graph.execution import Execution
from c360_graph.graph.manifest import is_as_left, read_state
from c360_graph.sandbox.servers import restart_neo4j
from c360_graph_tests.conftest import TestServers, empty, sample_project
from c360_graph_tests.integration.cypher_shell import load_by_cypher_shell
from c360_graph_tests.integration.offline_import.stopped_server import (
    contents,
    differences,
    neo4j_admin,
    schema,
)
from c360_graph_tests.integration.offline_import.world_of_types import write_world
from c360_graph_tests.integration.reconcile.reconciled import NOTHING, changes, reconcile
from c360_graph_tests.integration.runs import load_graph
from c360_graph_tests.integration.schemas.world import built
from c360_graph_tests.integration.server_process import stop_server

RUNNER = CliRunner()
CUSTOMERS = """
INSERT INTO identity_rules (entity_label, source_id, table_name, identifier_kind, column_name, normaliser)
SELECT 'Customer', source_id, t, 'email', c, 'email' FROM source_databases
JOIN (VALUES ('profiles_db', 'accounts', 'email'), ('support_db', 'tickets', 'customer_email')) AS v (s, t, c)
ON source_name = s
"""


@pytest.fixture(autouse=True)
def _empty_target(servers: TestServers) -> Iterator[None]:
    for moment in ("before", "after"):
        # Opened anew: an imported database is older than what a session before it has seen.
        with servers.open_graph() as graph:
            empty(graph)
        if moment == "before":
            yield


def by_command(servers: TestServers, folder: Path) -> None:
    """Complete an import by the command for it."""
    done = RUNNER.invoke(app, ["finish-import", str(folder)])
    assert done.exit_code == 0, done.stderr[-3_000:]


def by_cypher_shell(servers: TestServers, folder: Path) -> None:
    """Complete an import by cypher-shell alone."""
    load_by_cypher_shell(servers, folder / "after_import.cypher")


def imported(
    servers: TestServers, folder: Path, *, finish: Callable[[TestServers, Path], None]
) -> dict[str, dict[str, int]]:
    """Export into a folder, and import that into the server, which is stopped meanwhile; what was written."""
    sandbox = stop_server(servers)
    admin = neo4j_admin(
        folder.parent / "neo4j-admin", home=sandbox / "neo4j", line=servers.neo4j_line
    )
    options = ("--run", "--overwrite", "--json", "--neo4j-admin", str(admin))
    done = RUNNER.invoke(app, ["export", str(folder), *options])
    restart_neo4j(folder=sandbox)
    assert done.exit_code == 0, done.stderr[-3_000:]
    finish(servers, folder)
    written: dict[str, dict[str, int]] = json.loads(done.stdout)
    return written


def admin_database(admin: Path, *command: str) -> None:
    """Run a command of `neo4j-admin database`."""
    done = subprocess.run(
        [admin, "database", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]


def check_import(
    servers: TestServers,
    folder: Path,
    *,
    finish: Callable[[TestServers, Path], None],
    change: Callable[[], None] | None,
) -> None:
    """`change` alters a source after the import; None where no load but one without changes follows."""
    with servers.open_graph() as graph:
        loaded, made, known = contents(graph), schema(graph), read_state(Execution(graph))
    assert known is not None
    written = imported(servers, folder, finish=finish)
    with servers.open_graph() as graph:
        assert differences(contents(graph), loaded) == ([], [])
        assert schema(graph) == made
        assert read_state(Execution(graph)) == known
        assert is_as_left(Execution(graph), known)
        assert written["nodes"] == {k: n for k, n in known.manifest.nodes.items() if n}
        assert written["relationships"] == known.manifest.relationships
        # neo4j-admin writes its report itself.
        files = [path for path in folder.iterdir() if path.name != "import_report.txt"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert not [path for path in folder.parent.iterdir() if path.name.endswith(".work")]
        assert changes(reconcile()) == NOTHING
        if change is None:
            return
        change()
        assert changes(reconcile()) != NOTHING
        updated = contents(graph)
        assert load_graph().success
        assert differences(contents(graph), updated) == ([], [])


def test_the_imported_sample_equals_a_load_of_it(servers: TestServers, tmp_path: Path) -> None:
    with sample_project(servers, tmp_path) as project:
        project.execute(CUSTOMERS)
        assert load_graph().success

        def change() -> None:
            with project.connect("profiles_db") as connection:
                connection.execute(
                    "UPDATE accounts SET email = 'new@x' WHERE email = (SELECT min(email) FROM accounts)"
                )

        check_import(servers, tmp_path / "import", finish=by_cypher_shell, change=change)


def test_the_imported_graph_of_every_type_of_value_equals_a_load_of_it(
    servers: TestServers, tmp_path: Path
) -> None:
    world = write_world(tmp_path / "world")
    with built(str(world), servers, tmp_path):
        check_import(servers, tmp_path / "import", finish=by_command, change=None)


def test_a_dump_of_an_imported_graph_is_that_graph_where_it_is_loaded(
    servers: TestServers, tmp_path: Path
) -> None:
    with sample_project(servers, tmp_path) as project:
        project.map_only("Account", "Subscription")
        assert load_graph().success
        with servers.open_graph() as graph:
            loaded, made = contents(graph), schema(graph)
        imported(servers, tmp_path / "import", finish=by_command)
        sandbox = stop_server(servers)
        dumps = tmp_path / "dumps"
        dumps.mkdir()
        admin = tmp_path / "neo4j-admin"
        admin_database(admin, "dump", "neo4j", f"--to-path={dumps}")
        for part in ("databases", "transactions"):
            shutil.rmtree(sandbox / "neo4j" / "data" / part / "neo4j")
        admin_database(admin, "load", "neo4j", f"--from-path={dumps}")
        restart_neo4j(folder=sandbox)
        with servers.open_graph() as graph:
            assert differences(contents(graph), loaded) == ([], [])
            assert schema(graph) == made
        assert changes(reconcile()) == NOTHING


def test_the_asset_writes_what_the_command_writes_in_place_of_its_last_run(
    servers: TestServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from c360_graph.definitions import defs

    with sample_project(servers, tmp_path) as project:
        monkeypatch.setenv("C360_IMPORT_FILES", "true")
        built = defs()
        asset = dg.AssetSelection.assets("import_files")
        job = built.resolve_implicit_global_asset_job_def()
        for selection in (asset.upstream(), asset):
            keys = list(selection.resolve(built.resolve_asset_graph()))
            run = job.execute_in_process(raise_on_error=False, asset_selection=keys)
            assert run.success
        (made,) = run.asset_materializations_for_node("import_files")
        exported = RUNNER.invoke(app, ["export", str(tmp_path / "exported"), "--json"])
        said = json.loads(exported.stdout)
        ours = project.data_dir / "import_files"
        assert made.metadata["nodes"].value == sum(said["nodes"].values())
        assert made.metadata["relationships"].value == sum(said["relationships"].values())
        assert {file.name for file in ours.iterdir()} == {
            file.name for file in (tmp_path / "exported").iterdir()
        }
