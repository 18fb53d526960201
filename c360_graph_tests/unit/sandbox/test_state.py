"""What a sandbox folder knows about its servers."""

import stat
from pathlib import Path

import pytest

from c360_graph.errors import SandboxError
from c360_graph.sandbox import state
from c360_graph.sandbox.state import Neo4jServer, PostgresServer, Process, Servers


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def postgres() -> PostgresServer:
    process = Process(pid=11, started=1_700_000_000.25)
    return PostgresServer(
        process=process, port=5433, password="one", work=Path("/w/postgres"), ready=True
    )


@pytest.fixture
def neo4j() -> Neo4jServer:
    return Neo4jServer(
        process=Process(pid=12, started=1_700_000_001.5),
        port=7688,
        password="two",
        home=Path("/w/neo4j"),
        line="2026",
        heap_mb=512,
    )


def test_a_folder_without_a_state_has_no_servers(tmp_path: Path) -> None:
    assert state.read_servers(folder=tmp_path / "new") == Servers(folder=tmp_path / "new")


def test_a_state_reads_back_as_it_was_written(
    tmp_path: Path, postgres: PostgresServer, neo4j: Neo4jServer
) -> None:
    servers = Servers(folder=tmp_path, postgres=postgres, neo4j=neo4j)

    state.write_servers(servers=servers)

    assert state.read_servers(folder=tmp_path) == servers


def test_only_the_owner_can_read_the_passwords(tmp_path: Path, postgres: PostgresServer) -> None:
    file = tmp_path / "sandbox.json"
    file.touch(mode=0o644)

    state.write_servers(servers=Servers(folder=tmp_path, postgres=postgres))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["sandbox.json"]


def test_one_server_is_written_without_touching_the_other(
    tmp_path: Path, postgres: PostgresServer, neo4j: Neo4jServer
) -> None:
    state.write_postgres(folder=tmp_path, server=postgres)
    state.write_neo4j(folder=tmp_path, server=neo4j)
    assert state.read_servers(folder=tmp_path) == Servers(
        folder=tmp_path, postgres=postgres, neo4j=neo4j
    )

    state.write_postgres(folder=tmp_path, server=None)
    assert state.read_servers(folder=tmp_path) == Servers(folder=tmp_path, neo4j=neo4j)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"postgres": {"pid": 1}, "neo4j": null}'])
def test_a_damaged_state_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "sandbox.json").write_text(text, encoding="utf-8")

    with pytest.raises(SandboxError, match="delete the folder and start again"):
        state.read_servers(folder=tmp_path)


def test_the_environment_names_every_setting_of_both_servers(
    tmp_path: Path, postgres: PostgresServer, neo4j: Neo4jServer
) -> None:
    assert Servers(folder=tmp_path, postgres=postgres, neo4j=neo4j).environment() == {
        "ETL_DB_HOST": "127.0.0.1",
        "ETL_DB_PORT": "5433",
        "ETL_DB_NAME": "etl_control_db",
        "ETL_DB_USER": "postgres",
        "ETL_DB_PASSWORD": "one",
        "NEO4J_URI": "bolt://127.0.0.1:7688",
        "NEO4J_USERNAME": "neo4j",
        "NEO4J_PASSWORD": "two",
    }


def test_the_environment_of_one_server_leaves_the_others_settings_alone(
    tmp_path: Path, neo4j: Neo4jServer
) -> None:
    assert set(Servers(folder=tmp_path, neo4j=neo4j).environment()) == {
        "NEO4J_URI",
        "NEO4J_USERNAME",
        "NEO4J_PASSWORD",
    }
