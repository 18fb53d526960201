"""`c360 finish-import`: it completes the graph that was imported from a folder, and no other.

A graph that was loaded has the manifest of one that was imported from an export of the same extracts, so these
tests stop no server. Each leaves the graph as it was.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from c360_graph.cli import app
from c360_graph.graph.connection import Graph
from c360_graph.graph.counts import graph_counts
from c360_graph.graph.execution import Execution
from c360_graph.graph.manifest import mark_begun
from c360_graph_tests.conftest import TestServers, sample_project
from c360_graph_tests.integration.offline_import.stopped_server import schema
from c360_graph_tests.integration.runs import is_whole, load_graph

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def exported(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an export of the sample, which is loaded."""
    folder = tmp_path_factory.mktemp("exported")
    with sample_project(servers, folder):
        assert load_graph().success
        done = RUNNER.invoke(app, ["export", str(folder / "import")])
        assert done.exit_code == 0, done.stderr[-2_000:]
        yield folder / "import"


@pytest.fixture
def imported(servers: TestServers, exported: Path) -> Iterator[Graph]:
    """The graph as neo4j-admin leaves it: not complete, and without constraints."""
    with servers.open_graph() as graph:
        for row in graph.rows("SHOW CONSTRAINTS YIELD name RETURN name"):
            graph.run(f"DROP CONSTRAINT `{row['name']}`", tag={})
        mark_begun(Execution(graph))
        yield graph


def finish(folder: Path, *options: str) -> Result:
    return RUNNER.invoke(app, ["finish-import", str(folder), *options])


def test_constraints_and_indexes_are_made_and_the_graph_is_marked_as_complete(
    imported: Graph, exported: Path
) -> None:
    before = schema(imported)
    for _ in range(2):
        done = finish(exported, "--json")
        assert done.exit_code == 0, done.stderr
        assert json.loads(done.stdout)["nodes"] == graph_counts(imported)[0]
        assert json.loads(done.stdout)["relationships"] == graph_counts(imported)[1]
        assert is_whole(imported)
    assert len(schema(imported)) > len(before)


def test_an_import_with_other_counts_than_its_files_is_not_called_complete(
    imported: Graph, exported: Path
) -> None:
    count = graph_counts(imported)[1]["WATCHED"]
    (made,) = imported.rows(
        "MATCH (a:Account)-[:WATCHED]->(e) WITH a, e LIMIT 1 CREATE (a)-[r:WATCHED]->(e) RETURN elementId(r) AS id"
    )
    try:
        done = finish(exported)
        assert done.exit_code == 1
        assert f"WATCHED: {count + 1:,} relationships where {count:,} were made." in _plain(done)
        assert is_whole(imported) is False
    finally:
        imported.rows("MATCH ()-[r]->() WHERE elementId(r) = $id DELETE r", id=made["id"])


def test_a_graph_that_was_imported_from_another_folder_is_left_alone(
    imported: Graph, exported: Path, tmp_path: Path
) -> None:
    shutil.copytree(exported, tmp_path / "other")
    file = tmp_path / "other" / "manifest.csv"
    number, state, content = next(csv.reader(file.read_text(encoding="utf-8").splitlines()))
    other = json.loads(content) | {"rules": "others"}
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerow([number, state, json.dumps(other)])
    before = schema(imported)
    done = finish(tmp_path / "other")
    assert done.exit_code == 1
    assert f"was not imported from {tmp_path / 'other'}" in _plain(done)
    assert (is_whole(imported), schema(imported)) == (False, before)


def test_a_graph_that_was_not_imported_is_refused(imported: Graph, exported: Path) -> None:
    imported.run("MATCH (m:_C360Load) SET m:Kept REMOVE m:_C360Load", tag={})
    try:
        done = finish(exported)
        assert done.exit_code == 1
        assert f"holds no import of {exported}" in _plain(done)
    finally:
        imported.run("MATCH (m:Kept) SET m:_C360Load REMOVE m:Kept", tag={})


@pytest.mark.usefixtures("exported")
def test_an_export_says_how_its_import_is_completed(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    assert _next_steps(folder) == [
        f"  1. Stop the server, and run: neo4j-admin database import full neo4j @{folder}/arguments.txt",
        f"  2. Start the server, and run: c360 finish-import {folder}",
        f"  3. Remove {folder}; it holds the data of the extracts.",
    ]


@pytest.mark.usefixtures("exported")
def test_an_export_says_how_another_database_is_imported_beside_the_graph(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    assert _next_steps(folder, "--database", "other") == [
        f"  1. Run (the server may keep running): neo4j-admin database import full other @{folder}/arguments.txt",
        f"  2. Make other the database of the server, and run: NEO4J_DATABASE=other c360 finish-import {folder}",
        f"  3. Remove {folder}; it holds the data of the extracts.",
    ]


def _next_steps(folder: Path, *options: str) -> list[str]:
    """What an export says last."""
    done = RUNNER.invoke(app, ["export", str(folder), *options])
    assert done.exit_code == 0
    heading, *steps = done.stderr.splitlines()[-4:]
    assert heading == "Next:"
    return steps


@pytest.mark.usefixtures("exported")
def test_a_folder_that_is_no_export_is_refused(tmp_path: Path) -> None:
    done = finish(tmp_path)
    assert done.exit_code == 1
    assert f"{tmp_path} is not a folder that c360 export wrote: No such file" in _plain(done)


def _plain(done: Result) -> str:
    """What was said, without line breaks that the width of the terminal makes."""
    return " ".join(done.stderr.split())
