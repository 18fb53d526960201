"""Which extract is the latest, which are kept, and which have to go, whatever the clock said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from c360_graph import extracts
from c360_graph.errors import ExtractError
from c360_graph.extracts import ExtractStore, FolderExtract
from c360_graph.mapping.exclusions import forbidden_columns
from c360_graph.pipeline.cleaning import clean_data_folder
from c360_graph_tests.unit.files.extracted import extract
from c360_graph_tests.unit.mapping.given import Case, table

PEOPLE = table("people", "id int; email text", key="id")


def case() -> Case:
    return Case().source("crm", PEOPLE).label("people", "Person")


(READ,) = case().resolve().tables
(SAFE,) = case().excluding("people", "email", source_id=1).resolve().tables


def at(patch: pytest.MonkeyPatch, stamp: str) -> None:
    """Set the clock that names extracts."""
    patch.setattr(extracts, "file_stamp", lambda: stamp)


def three(store: ExtractStore, patch: pytest.MonkeyPatch) -> list[FolderExtract]:
    """Extracts of today, of two days ahead, and of today again."""
    stamps = ("20250610T000000_000000Z", "20250612T000000_000000Z", "20250610T010000_000000Z")
    made = []
    for number, stamp in enumerate(stamps):
        at(patch, stamp)
        made.append(extract(store, READ, [f"{number}\ta@x"]))
    return made


def test_extracts_follow_each_other_as_they_were_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ExtractStore(tmp_path)
    first, ahead, last = three(store, monkeypatch)
    assert [e.folder for e in store.kept(READ.asset_key)] == [
        last.folder,
        ahead.folder,
        first.folder,
    ]
    assert store.prune(READ.asset_key, keep=2) == 1
    assert not first.folder.exists()
    assert store.prune(READ.asset_key, keep=1) == 1
    assert [e.folder for e in store.kept(READ.asset_key)] == [last.folder]


def test_an_extract_of_the_future_goes_with_what_it_may_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ExtractStore(tmp_path)
    made = three(store, monkeypatch)
    extract(store, SAFE, ["1"])
    store.prune(READ.asset_key, keep=3)
    assert not any(old.folder.exists() for old in made)
    assert b"a@x" not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_extracts_of_an_older_version_follow_each_other_by_their_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ExtractStore(tmp_path)
    made = three(store, monkeypatch)
    for number, old in enumerate(made):
        path = old.folder / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_bytes()) | {"log_id": number}))
    pointer = made[0].folder.parent / "latest.json"
    pointer.write_text(json.dumps({"extract": made[2].folder.name}))
    assert [e.folder for e in store.kept(READ.asset_key)] == [e.folder for e in reversed(made)]
    assert store.known_columns(READ.asset_key) == frozenset({"id", "email"})


def test_a_rule_removes_what_holds_its_column_of_tables_that_nobody_reads_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ExtractStore(tmp_path)
    made = three(store, monkeypatch)
    for treatment in ("exclude", "hash", "mask"):
        ruled = Case().source("crm", PEOPLE).excluding("People", "EMAIL", treatment=treatment)
        assert forbidden_columns(READ, ruled.rows) == ("email",)
    # Nothing is mapped, and the source's name is all that is left of it.
    rows = Case().source("crm", PEOPLE).excluding("people", "email", source_id=1).rows
    cleaned = clean_data_folder(tmp_path, rows)
    assert cleaned.extracts == ("crm/people",) * 3
    assert not any(old.folder.exists() for old in made)
    assert store.latest(READ.asset_key) is None
    # What it had is known all the same: what comes in its place is new.
    assert store.known_columns(READ.asset_key) == frozenset({"id", "email"})
    assert str(clean_data_folder(tmp_path, rows)) == ""


def test_extracts_that_follow_the_rules_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ExtractStore(tmp_path)
    three(store, monkeypatch)
    assert clean_data_folder(tmp_path, case().rows).extracts == ()
    assert len(list(store.kept(READ.asset_key))) == 3


def test_a_folder_that_was_never_committed_is_a_leftover(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path)
    kept = extract(store, READ, ["1\ta@x"])
    left = kept.folder.with_name("20990101T000000_000000Z-9")
    shutil.copytree(kept.folder, left)
    other = tmp_path / "extracts" / "gone" / "table" / "20250101T000000_000000Z-1"
    shutil.copytree(kept.folder, other)
    mine = kept.folder.with_name("notes")
    mine.mkdir()
    assert clean_data_folder(tmp_path, case().rows).leftovers == 2
    assert not left.exists()
    assert not other.exists()
    assert kept.folder.exists()
    assert mine.exists()


@pytest.mark.parametrize("name", ["../../../else", "..", "/", "notes", "a/b", ""])
def test_latest_json_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    store = ExtractStore(tmp_path / "data")
    kept = extract(store, READ, ["1\ta@x"])
    shutil.copytree(kept.folder, tmp_path / "else" / "20250101T000000_000000Z-1")
    shutil.copytree(kept.folder, tmp_path / "data" / "notes")
    (kept.folder.parent / "latest.json").write_text(json.dumps({"extract": name}))
    if name:
        with pytest.raises(ExtractError, match="is damaged"):
            store.latest(READ.asset_key)
        with pytest.raises(ExtractError, match="is damaged"):
            store.prune(READ.asset_key, keep=1)
    clean_data_folder(tmp_path / "data", case().rows)
    assert (tmp_path / "else" / "20250101T000000_000000Z-1" / "rows.tsv").exists()
    # A new extract mends it.
    made = extract(store, READ, ["2\tb@x"])
    latest = store.latest(READ.asset_key)
    assert latest is not None
    assert latest.folder == made.folder


def test_an_extracts_folder_that_is_a_link_is_damaged(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path / "data")
    kept = extract(store, READ, ["1\ta@x"])
    elsewhere = kept.folder.rename(tmp_path / "elsewhere")
    kept.folder.symlink_to(elsewhere)
    with pytest.raises(ExtractError, match="is damaged"):
        store.latest(READ.asset_key)
    clean_data_folder(tmp_path / "data", case().rows)
    assert (elsewhere / "rows.tsv").exists()
