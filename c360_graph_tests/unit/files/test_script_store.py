"""Which files are scripts of the project's own: whatever a row names, no other is touched."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from c360_graph.control.audit import ScriptLog
from c360_graph.pipeline.write_script import purge_scripts, scripts_elsewhere
from c360_graph.scripts import ScriptStore

NAME = "graph_output_20250610T000000_000000Z_7.cypher"


def row(path: Path | str, name: str | None = None) -> ScriptLog:
    return ScriptLog(
        script_id=1,
        script_name=name or Path(path).name,
        file_path=str(path),
        file_size_kb=1,
        last_updated_at=datetime.now(UTC),
        last_run_time=None,
    )


def file(path: Path, text: str = "mine") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def store(tmp_path: Path) -> ScriptStore:
    file(tmp_path / "data" / "scripts" / NAME)
    return ScriptStore(tmp_path / "data")


def test_a_script_in_a_folder_of_scripts_is_own_however_its_path_is_written(
    store: ScriptStore, tmp_path: Path
) -> None:
    own = store.folder / NAME
    link = tmp_path / "link"
    link.symlink_to(store.folder)
    for path in (own, store.folder / ".." / "scripts" / NAME, link / NAME):
        assert store.own_file(row(path)) == path
    other = tmp_path / "other"
    elsewhere = file(other / NAME)
    assert store.own_file(row(elsewhere)) is None
    store.remember_folder(other)
    store.remember_folder(other)
    assert store.own_file(row(elsewhere)) == elsewhere
    assert list(store.files()) == [own.resolve(), elsewhere.resolve()]
    assert len(store.folders) == 2


def test_no_other_file_is_own(store: ScriptStore, tmp_path: Path) -> None:
    outside = file(tmp_path / "precious" / NAME)
    linked = store.folder / NAME.replace("_7.", "_8.")
    linked.symlink_to(outside)
    pipe = store.folder / NAME.replace("_7.", "_9.")
    os.mkfifo(pipe)
    folder = store.folder / NAME.replace("_7.", "_10.")
    folder.mkdir()
    notes = file(store.folder / "notes.txt")
    below = file(store.folder / "below" / NAME)
    other_data = file(tmp_path / "data2" / "scripts" / NAME)
    paths = (outside, linked, pipe, folder, notes, below, other_data)
    for path in (*paths, Path("/etc/passwd"), Path(NAME), Path("relative") / NAME, Path("/")):
        assert store.own_file(row(path)) is None
    assert store.own_file(row("\0")) is None
    assert store.own_file(row("/" + "x" * 5000)) is None
    assert store.own_file(row(store.folder / NAME, name="another.cypher")) is None
    said = scripts_elsewhere([row(path) for path in (outside, notes, tmp_path / "gone")], store)
    assert len(said) == 2
    assert (
        f"cypher_scripts row 1 names '{outside}', which is no script that this project" in said[0]
    )
    assert purge_scripts(store, rules="others") == 1
    assert all(os.path.lexists(path) for path in paths)


def test_the_script_loaded_last_is_remembered_without_a_time(store: ScriptStore) -> None:
    assert store.loaded is None
    store.remember_loaded(store.folder / NAME)
    assert ScriptStore(store.folder.parent).loaded == str(store.folder / NAME)
    (store.folder.parent / "scripts.json").write_text("{")
    assert store.loaded is None
