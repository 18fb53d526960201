"""What the sandbox writes and removes is its own; files of the user stay as they are."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.errors import SandboxError
from c360_graph.sandbox import servers, state
from c360_graph.sandbox.state import Neo4jServer, PostgresServer, Process, Servers
from c360_graph.settings import SANDBOX_ENV_FILE, load_settings

RUNNER = CliRunner()
FILE = servers.ENVIRONMENT_FILE


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and no setting from elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in [name for name in os.environ if name.startswith(("ETL_DB_", "NEO4J_", "PG"))]:
        monkeypatch.delenv(name)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def sandbox(folder: Path, *, port: int = 1, running: bool = True) -> Servers:
    """A sandbox whose servers are this process, or one that has ended."""
    own = psutil.Process()
    started = own.create_time() if running else time.time() - 86_400
    process = Process(pid=own.pid, started=started)
    made = Servers(
        folder=folder,
        postgres=PostgresServer(
            process=process, port=port, password="pw", work=folder / "postgres", ready=True
        ),
        neo4j=Neo4jServer(
            process=process,
            port=port + 1,
            password="pw",
            home=folder / "neo4j",
            line="2026",
            heap_mb=512,
            ready=True,
        ),
    )
    state.write_servers(servers=made)
    return made


def up(folder: Path) -> str:
    done = RUNNER.invoke(app, ["sandbox", "up", "--no-sample", "--folder", str(folder)])
    assert done.exit_code == 0, done.stderr
    return done.output


def down(folder: Path) -> None:
    # Those that `up` was shown run in this process, which is not to be ended.
    sandbox(folder, running=False)
    done = RUNNER.invoke(app, ["sandbox", "down", "--folder", str(folder)])
    assert done.exit_code == 0, done.stderr


def test_up_and_down_leave_env_file_as_it_is(here: Path) -> None:
    (here / ".env").write_bytes(b"# mine\r\nC360_HASH_KEY=secret\n")
    sandbox(here / "s")
    up(here / "s")
    assert load_settings().etl_db_port == 1
    down(here / "s")
    assert (here / ".env").read_bytes() == b"# mine\r\nC360_HASH_KEY=secret\n"
    assert [entry.name for entry in here.iterdir()] == [".env"]


def test_an_env_file_that_an_older_version_wrote_and_somebody_edited_stays(here: Path) -> None:
    text = "# Written by `c360 sandbox up`; removed by `c360 sandbox down`.\nC360_HASH_KEY=secret\n"
    (here / ".env").write_text(text)
    sandbox(here / "s")
    up(here / "s")
    down(here / "s")
    assert (here / ".env").read_text() == text


def test_the_settings_reach_the_servers_until_they_are_down(here: Path) -> None:
    sandbox(here / ".sandbox", port=5)
    assert f"Both are up; {SANDBOX_ENV_FILE} has their addresses and passwords" in up(
        Path(".sandbox")
    )
    settings = load_settings()
    assert (settings.etl_db_host, settings.etl_db_port) == ("127.0.0.1", 5)
    assert settings.neo4j_uri == "bolt://127.0.0.1:6"
    assert (here / ".sandbox" / FILE).stat().st_mode & 0o777 == 0o600
    down(here / ".sandbox")
    assert load_settings().etl_db_port == 5432


def test_no_value_of_the_sandbox_is_used_for_a_server_that_the_user_names(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / ".env").write_text("ETL_DB_HOST=db.example.com\n")
    sandbox(here / "s", port=5)
    shown = up(here / "s")
    assert (
        "The environment or .env sets ETL_DB_HOST, ETL_DB_PORT, ETL_DB_PASSWORD differently"
        in shown
    )
    assert "export ETL_DB_HOST='127.0.0.1'" in shown
    settings = load_settings()
    assert (settings.etl_db_port, settings.etl_db_password) == (5432, None)
    assert settings.neo4j_uri == "bolt://127.0.0.1:6"
    monkeypatch.setenv("NEO4J_URI", "bolt://graph.example.com")
    assert load_settings().neo4j_password.get_secret_value() == ""


def test_a_setting_without_an_address_goes_with_the_sandbox(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox(here / "s", port=5)
    up(here / "s")
    monkeypatch.setenv("ETL_DB_USER", "other")
    settings = load_settings()
    assert (settings.etl_db_user, settings.etl_db_port) == ("other", 5)


def test_lines_that_somebody_added_to_the_sandboxs_file_are_kept(here: Path) -> None:
    file = here / "s" / FILE
    sandbox(here / "s", port=5)
    up(here / "s")
    edited = file.read_text().replace("ETL_DB_NAME='etl_control_db'", "ETL_DB_NAME='mine'")
    file.write_text(edited + "C360_HASH_KEY=secret\n")
    sandbox(here / "s", port=9)
    up(here / "s")
    settings = load_settings()
    assert (settings.etl_db_name, settings.etl_db_port) == ("mine", 9)
    assert file.read_text().splitlines()[-1] == "C360_HASH_KEY=secret"
    assert file.read_text().count("ETL_DB_PORT") == 1
    down(here / "s")
    kept = [line.partition(" #")[0] for line in file.read_text().splitlines()]
    assert kept == ["ETL_DB_NAME='mine'", "C360_HASH_KEY=secret"]


def test_a_second_sandbox_takes_the_link_and_leaves_the_first_ones_file(here: Path) -> None:
    sandbox(here / "a", port=5)
    sandbox(here / "b", port=7)
    up(here / "a")
    up(here / "b")
    assert load_settings().etl_db_port == 7
    assert "'5'" in (here / "a" / FILE).read_text()
    down(here / "a")
    assert load_settings().etl_db_port == 7


def test_a_file_of_the_links_name_that_is_not_the_sandboxs_stays(here: Path) -> None:
    (here / SANDBOX_ENV_FILE).write_text("MINE=1\n")
    sandbox(here / "s", port=5)
    assert (
        f"{SANDBOX_ENV_FILE} does not belong to this sandbox, so set these variables yourself"
        in up(here / "s")
    )
    down(here / "s")
    assert (here / SANDBOX_ENV_FILE).read_text() == "MINE=1\n"


@pytest.mark.parametrize("name", ["neo4j", "postgres"])
def test_a_folder_that_the_sandbox_did_not_make_is_refused(here: Path, name: str) -> None:
    folder = here / name
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(SandboxError, match="was not made by the sandbox in"):
        state.make_own_folder(folder, sandbox=here)
    if name == "neo4j":
        with pytest.raises(SandboxError, match="was not made by the sandbox in"):
            servers.start_neo4j(folder=here)
    assert (folder / "mine.txt").read_text() == "mine"


def test_a_folder_of_the_sandbox_is_made_anew(here: Path) -> None:
    state.make_own_folder(here / "s" / "neo4j", sandbox=here / "s")
    (here / "s" / "neo4j" / "left").touch()
    state.make_own_folder(here / "s" / "neo4j", sandbox=here / "s")
    assert not (here / "s" / "neo4j" / "left").exists()
    assert (here / "s" / "neo4j").stat().st_mode & 0o777 == 0o700


def test_a_copy_of_a_sandbox_does_not_remove_the_originals_data(here: Path) -> None:
    state.make_own_folder(here / "a" / "neo4j", sandbox=here / "a")
    original = sandbox(here / "a", running=False)
    state.write_servers(servers=Servers(folder=here / "b", neo4j=original.neo4j))
    done = RUNNER.invoke(app, ["sandbox", "down", "--folder", "b"])
    assert done.exit_code == 1
    assert "was not made by the sandbox in" in done.stderr
    assert (here / "a" / "neo4j").is_dir()
