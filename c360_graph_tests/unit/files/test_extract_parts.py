"""An extract in several files, its parts, is read as one that a single process wrote."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

from c360_graph import extract_files, extract_objects, object_extracts
from c360_graph.errors import DataFolderError, ExtractError
from c360_graph.extract_files import (
    Extract,
    ExtractManifest,
    RowsPart,
    WrittenRows,
    digest_of_parts,
)
from c360_graph.extract_joins.changes import ExtractChanges
from c360_graph.extract_joins.engine import JoinEngine, join_engine
from c360_graph.extract_joins.extract_sql import file_lines, file_rows
from c360_graph.extract_joins.versions import Versions
from c360_graph.extracts import ExtractStore, FolderExtract
from c360_graph.object_extracts import Extracts, ObjectExtractStore
from c360_graph.object_storage import Bucket, ObjectFile
from c360_graph.pipeline.cleaning import clean_data_folder
from c360_graph_tests.unit.files.extracted import (
    extract,
    extract_in_parts,
    manifest_of,
    written_part,
)
from c360_graph_tests.unit.mapping.given import Case, table

PEOPLE = table("people", "id int; email text", key="id")


def case() -> Case:
    return Case().source("crm", PEOPLE).label("people", "Person")


(READ,) = case().resolve().node_tables
LINES = [f"{n}\t{n}@x\n".encode() for n in range(6)]
THREE = {
    "rows_0000.tsv": b"".join(LINES[:2]),
    "rows_0001_2.tsv": b"",
    "rows_0002.tsv": b"".join(LINES[2:]),
}
DIVISIONS = st.lists(
    st.lists(
        st.binary(max_size=30).map(lambda line: line.replace(b"\n", b" ") + b"\n"), max_size=5
    ).map(b"".join),
    min_size=1,
    max_size=6,
)


def bucket_at(data: Path) -> Bucket:
    return Bucket("s3://bucket/c360", data, MemoryStore())


MAKERS: dict[str, Callable[[Path], Extracts]] = {
    "folder": ExtractStore,
    "bucket": lambda path: ObjectExtractStore(bucket_at(path)),
}


@pytest.fixture(params=list(MAKERS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Extracts:
    """A store of each kind."""
    return MAKERS[request.param](tmp_path / "data")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JoinEngine]:
    """A join engine for many statements."""
    with join_engine(tmp_path_factory.mktemp("spilled")) as started:
        yield started


def names_of(store: Extracts) -> list[str]:
    """Every file that the store keeps for extracts, by its name."""
    if isinstance(store, ObjectExtractStore):
        return sorted(file.name for file in store._bucket.files("extracts/"))
    return sorted(
        path.name
        for path in store._data_dir.rglob("*")
        if path.is_file() and path.name != ".lock" and path.suffix != ".lock"
    )


def overwrite(made: Extract, part: str, content: bytes | None) -> None:
    """Damage a part behind the store's back, or remove it."""
    if isinstance(made, FolderExtract):
        path = made.folder / part
        path.unlink()
        if content is not None:
            path.write_bytes(content)
    else:
        assert isinstance(made, extract_objects.ObjectExtract)
        file = made._table.file(made.name, part)
        file.unlink()
        if content is not None:
            file.write_bytes(content)


def content_of(made: Extract) -> bytes:
    with made.open() as rows:
        return rows.read()


@pytest.mark.parametrize("kind", list(MAKERS))
@given(division=DIVISIONS, buffer=st.integers(2, 40))
def test_rows_in_any_division_are_read_as_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, kind: str, division: list[bytes], buffer: int
) -> None:
    store = MAKERS[kind](tmp_path_factory.mktemp("data"))
    parts = {f"rows_{number:04}.tsv": rows for number, rows in enumerate(division)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extract_files, "WRITE_BYTES", buffer)
        patch.setattr(extract_objects, "WRITE_BYTES", buffer)
        made = extract_in_parts(store, READ, parts)
        latest = store.latest(READ.asset_key)
        assert latest is not None
        assert latest.name == made.name
        with latest.open() as rows:
            assert list(rows) == io.BytesIO(b"".join(division)).readlines()
        assert content_of(latest) == content_of(made) == b"".join(division)
    with store.work_folder():
        paths = latest.rows_paths
        assert [path.name for path in paths] == list(parts)
        assert [path.read_bytes() for path in paths] == division
        assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


@settings(max_examples=25, deadline=None)
@given(
    lines=st.lists(
        st.tuples(st.integers(0, 9), st.text("abé ", max_size=4) | st.just("\\N")).map(
            lambda row: "\t".join(map(str, row)).encode() + b"\n"
        ),
        max_size=8,
    ),
    cuts=st.lists(st.integers(0, 8), max_size=4).map(sorted),
)
def test_the_join_engine_reads_the_rows_of_all_parts(
    tmp_path_factory: pytest.TempPathFactory,
    engine: JoinEngine,
    lines: list[bytes],
    cuts: list[int],
) -> None:
    store = ExtractStore(tmp_path_factory.mktemp("data"))
    whole = extract(store, READ, [line.decode()[:-1] for line in lines])
    bounds = [0, *cuts, len(lines)]
    divided = extract_in_parts(
        store,
        READ,
        {
            f"rows_{number:04}.tsv": b"".join(lines[start:end])
            for number, (start, end) in enumerate(pairwise(bounds))
        },
    )
    for text, column in ((file_lines, "line"), (file_rows, "c0, c1")):
        of_whole, of_divided = (
            engine.rows(f"SELECT {column} FROM {text(each)} ORDER BY ALL")
            for each in (whole, divided)
        )
        assert of_divided == of_whole
    assert len(of_divided) == len(lines)


def test_changes_are_those_between_single_files(tmp_path: Path, engine: JoinEngine) -> None:
    old = {"rows_0000.tsv": b"1\ta\n2\tb\n", "rows_0001.tsv": b"3\tc\n"}
    new = {"rows_0000.tsv": b"1\ta\n", "rows_0001.tsv": b"", "rows_0002.tsv": b"3\tC\n4\td\n"}
    found = []
    for number, divide in enumerate((True, False)):
        store = ExtractStore(tmp_path / str(number))
        before, after = (
            extract_in_parts(store, READ, parts if divide else {"rows_0000.tsv": joined(parts)})
            for parts in (old, new)
        )
        written = tmp_path / f"written_{number}"
        written.mkdir()
        versions = {READ.qualified_name: Versions(number=number, old=before, new=after)}
        changes = ExtractChanges(engine, written, versions, warn=print).of_table(READ)
        assert changes is not None
        found.append(sorted(sorted(path.read_bytes().splitlines()) for path in written.iterdir()))
    assert found[0] == found[1] == [[b"2\tb"], [b"3\tC", b"4\td"]]


def joined(parts: dict[str, bytes]) -> bytes:
    return b"".join(parts.values())


def test_a_place_is_the_file_or_what_holds_the_parts(tmp_path: Path) -> None:
    folders, objects = ExtractStore(tmp_path), ObjectExtractStore(bucket_at(tmp_path))
    made = extract_in_parts(folders, READ, THREE)
    assert isinstance(made, FolderExtract)
    assert made.location == str(made.folder.resolve())
    assert extract(folders, READ, ["1\ta"]).location.endswith("/rows.tsv")
    made = extract_in_parts(objects, READ, THREE)
    assert made.location == f"s3://bucket/c360/extracts/crm/people/{made.name}/"


_OTHER_PROCESS = """
import sys
from pathlib import Path
from c360_graph.extracts import ExtractStore
draft = ExtractStore(Path(sys.argv[1])).join_draft(("crm", "people"), sys.argv[2])
with draft.open_part(sys.argv[3]) as (out, file):
    out.write(b"1\\ta\\n")
    print("writing", flush=True)
    sys.stdin.read()
"""


def other_process(data: Path, draft: str, part: str) -> subprocess.Popen[str]:
    """A process in the middle of writing a part of a draft in a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", _OTHER_PROCESS, str(data), draft, part],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def test_another_process_writes_into_the_same_draft(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path)
    with store.new_extract(READ.asset_key, log_id=1) as draft:
        with other_process(tmp_path, draft.name, "rows_0001.tsv") as other:
            mine = written_part(draft, "rows_0000.tsv", b"0\tz\n")
            folder = Path(draft.name)
            assert not (folder / "rows_0001.tsv").exists()
            other.communicate("")
        theirs = (folder / "rows_0001.tsv").read_bytes()
        part = mine.model_copy(update={"name": "rows_0001.tsv", **facts_of(theirs)})
        made = draft.commit(manifest_of(READ, [mine, part]))
    assert other.returncode == 0
    assert content_of(made) == b"0\tz\n1\ta\n"


def facts_of(content: bytes) -> dict[str, object]:
    written = WrittenRows()
    written.add(content)
    return {
        "file_bytes": written.size,
        "file_lines": written.lines,
        "file_digest": written.digest,
    }


def test_what_a_killed_process_wrote_of_a_part_is_not_in_the_extract(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path)
    with store.new_extract(READ.asset_key, log_id=1) as draft:
        with other_process(tmp_path, draft.name, "rows_0000.tsv") as other:
            other.kill()
        # The same range is read again.
        part = written_part(draft, "rows_0000_2.tsv", b"1\tb\n")
        made = draft.commit(manifest_of(READ, [part]))
    assert content_of(made) == b"1\tb\n"
    assert names_of(store) == ["latest.json", "manifest.json", "rows_0000_2.tsv"]


def test_threads_write_parts_of_one_draft_at_once(store: Extracts) -> None:
    with store.new_extract(READ.asset_key, log_id=1) as draft:
        joined_draft = store.join_draft(READ.asset_key, draft.name)

        def write(number: int) -> RowsPart:
            writer = (draft, joined_draft)[number % 2]
            return written_part(writer, f"rows_{number:04}.tsv", LINES[number])

        with ThreadPoolExecutor(3) as pool:
            parts = list(pool.map(write, range(6)))
        made = draft.commit(manifest_of(READ, parts))
    assert content_of(made) == b"".join(LINES)


def test_a_part_is_whole_or_absent(store: Extracts) -> None:
    with store.new_extract(READ.asset_key, log_id=1) as draft:
        with suppress(ZeroDivisionError), draft.open_part("rows_0000.tsv") as (out, _):
            out.write(b"1\ta\n" * 10)
            raise ZeroDivisionError
        draft.remove_part("rows_0000.tsv")
        assert not [name for name in names_of(store) if "rows" in name]
        written_part(draft, "rows_0001.tsv", b"1\ta\n")
        assert [name for name in names_of(store) if "rows" in name] == ["rows_0001.tsv"]
        draft.remove_part("rows_0001.tsv")
        assert not [name for name in names_of(store) if "rows" in name]


def test_of_an_abandoned_draft_no_part_stays(store: Extracts) -> None:
    good = extract_in_parts(store, READ, THREE)
    before = names_of(store)
    with suppress(ZeroDivisionError), store.new_extract(READ.asset_key, log_id=2) as draft:
        for name, rows in THREE.items():
            written_part(draft, name, rows)
        raise ZeroDivisionError
    assert names_of(store) == before
    assert [kept.name for kept in store.kept(READ.asset_key)] == [good.name]


def test_a_commit_takes_the_parts_of_the_manifest_and_removes_others(store: Extracts) -> None:
    with store.new_extract(READ.asset_key, log_id=1) as draft:
        first = written_part(draft, "rows_0000.tsv", LINES[0])
        written_part(draft, "rows_0001.tsv", LINES[1])
        again = written_part(draft, "rows_0001_2.tsv", LINES[1])
        # The order is the manifest's, not that of the names.
        made = draft.commit(manifest_of(READ, [again, first]))
    assert content_of(made) == LINES[1] + LINES[0]
    assert [name for name in names_of(store) if name.startswith("rows")] == [
        "rows_0000.tsv",
        "rows_0001_2.tsv",
    ]


@pytest.mark.parametrize(
    "content", [None, b"1\t", b"1\t1@x\n2\n"], ids=["missing", "shorter", "longer"]
)
def test_a_commit_of_parts_that_are_not_there_as_written_fails(
    store: Extracts, content: bytes | None
) -> None:
    good = extract_in_parts(store, READ, THREE)

    def commit_what_changed() -> None:
        with store.new_extract(READ.asset_key, log_id=2) as draft:
            parts = [written_part(draft, f"rows_{n:04}.tsv", LINES[n]) for n in range(2)]
            draft.remove_part("rows_0001.tsv")
            if content is not None:
                written_part(draft, "rows_0001.tsv", content)
            draft.commit(manifest_of(READ, parts))

    with pytest.raises(ExtractError, match=r"rows_0001\.tsv of the new extract of crm/people is"):
        commit_what_changed()
    assert [kept.name for kept in store.kept(READ.asset_key)] == [good.name]
    assert len([name for name in names_of(store) if name.startswith("rows")]) == len(THREE)


@pytest.mark.parametrize(
    "content", [None, LINES[2], b"".join(LINES)], ids=["missing", "shorter", "longer"]
)
def test_an_extract_with_a_part_of_another_size_is_damaged(
    store: Extracts, content: bytes | None
) -> None:
    former, made = extract_in_parts(store, READ, THREE), extract_in_parts(store, READ, THREE)
    overwrite(made, "rows_0002.tsv", content)
    with pytest.raises(ExtractError, match="is damaged"):
        store.latest(READ.asset_key)
    overwrite(made, "rows_0002.tsv" if content else "rows_0000.tsv", THREE["rows_0002.tsv"])
    newest = extract_in_parts(store, READ, THREE)
    overwrite(former, "rows_0001_2.tsv", b"1\tlate\n")
    kept = [newest.name, *([made.name] if content else [])]
    assert [each.name for each in store.kept(READ.asset_key)] == kept


@pytest.mark.parametrize("damaged", ["rows_0000.tsv", "rows_0002.tsv"])
def test_a_changed_part_in_a_bucket_is_refused_at_its_end(tmp_path: Path, damaged: str) -> None:
    store = ObjectExtractStore(bucket_at(tmp_path))
    made = extract_in_parts(store, READ, THREE)
    overwrite(made, damaged, THREE[damaged].replace(b"@", b"#"))
    with made.open() as rows, pytest.raises(ExtractError, match="differs from what was written"):
        rows.read()
    with store.work_folder(), pytest.raises(ExtractError, match="differs from what was written"):
        made.rows_paths  # noqa: B018


def test_a_part_that_comes_after_the_commit_is_refused_in_a_folder(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path)
    late_writer, committed = Event(), Event()

    def write_late(name: str) -> None:
        joined_draft = store.join_draft(READ.asset_key, name)
        with joined_draft.open_part("rows_0000.tsv") as (out, _):
            out.write(b"1\tlate\n")
            late_writer.set()
            assert committed.wait(20)

    with ThreadPoolExecutor(1) as pool, store.new_extract(READ.asset_key, log_id=1) as draft:
        late = pool.submit(write_late, draft.name)
        assert late_writer.wait(20)
        made = draft.commit(manifest_of(READ, [written_part(draft, "rows_0000_2.tsv", LINES[0])]))
        committed.set()
        with pytest.raises(ExtractError, match="is not being read any more"):
            late.result()
        with pytest.raises(ExtractError, match="that is being read"):
            write_late(draft.name)
        with pytest.raises(ExtractError, match="is not being read any more"):
            written_part(draft, "rows_0000.tsv", LINES[1])
        draft.remove_part("rows_0000_2.tsv")
    assert content_of(made) == LINES[0]
    assert names_of(store) == ["latest.json", "manifest.json", "rows_0000_2.tsv"]


def test_a_part_that_comes_after_the_commit_or_the_end_goes_from_a_bucket_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = bucket_at(tmp_path)
    store = ObjectExtractStore(bucket)
    made = extract_in_parts(store, READ, THREE)
    with suppress(ZeroDivisionError), store.new_extract(READ.asset_key, log_id=2) as draft:
        raise ZeroDivisionError
    whole = names_of(store)
    for name in (made.name, draft.name):
        late = store.join_draft(READ.asset_key, name)
        written_part(late, "rows_0007.tsv", b"1\tlate\n")
        written_part(late, "rows_0008.tsv", b"1\tlate\n")
    latest = store.latest(READ.asset_key)
    assert latest is not None
    assert content_of(latest) == joined(THREE)
    assert store.remove_leftovers() == 0
    assert len(names_of(store)) == len(whole) + 4
    monkeypatch.setattr(object_extracts, "UNCOMMITTED_FOR", timedelta(0))
    assert clean_data_folder(bucket, case().rows).leftovers == 3
    assert names_of(store) == whole
    assert content_of(latest) == joined(THREE)


def test_parts_of_an_extract_that_somebody_still_uploads_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Bucket.files

    def listed_later(bucket: Bucket, prefix: str) -> list[ObjectFile]:
        """As if the first part had been uploaded two days before the others."""
        return [
            replace(file, changed=file.changed - timedelta(days=2))
            if file.changed and file.name == "rows_0000.tsv"
            else file
            for file in listed(bucket, prefix)
        ]

    monkeypatch.setattr(Bucket, "files", listed_later)
    store = ObjectExtractStore(bucket_at(tmp_path))
    with store.new_extract(READ.asset_key, log_id=1) as draft:
        first = written_part(draft, "rows_0000.tsv", LINES[0])
        second = written_part(draft, "rows_0001.tsv", LINES[1])
        assert store.remove_leftovers() == 0
        draft.remove_part("rows_0001.tsv")
        assert store.remove_leftovers() == 1
        assert names_of(store) == []
        first = written_part(draft, "rows_0000.tsv", LINES[0])
        second = written_part(draft, "rows_0001.tsv", LINES[1])
        made = draft.commit(manifest_of(READ, [first, second]))
    # The parts of a committed extract may be as old as they are.
    assert store.remove_leftovers() == 0
    assert content_of(made) == LINES[0] + LINES[1]


def test_parts_go_with_their_extract(store: Extracts) -> None:
    for _ in range(3):
        extract_in_parts(store, READ, THREE)
    assert store.prune(READ.asset_key, keep=1) == 2
    assert names_of(store) == sorted(["latest.json", "manifest.json", *THREE])
    assert store.purge(lambda mapped: mapped == READ) == ("crm/people",)
    assert names_of(store) == ["latest.json"]
    assert store.latest(READ.asset_key) is None


def test_of_an_extract_in_a_bucket_the_manifest_goes_last(tmp_path: Path) -> None:
    removed: list[str] = []

    class Watched(MemoryStore):
        def delete(self, paths: Any) -> None:
            removed.append(str(paths).rpartition("/")[2])
            super().delete(paths)

    store = ObjectExtractStore(Bucket("s3://bucket", tmp_path, Watched()))
    extract_in_parts(store, READ, THREE)
    store.purge(lambda mapped: mapped == READ)
    assert removed == [*THREE, "manifest.json"]


@pytest.mark.parametrize(
    "name",
    [
        "rows.tsv",
        "manifest.json",
        "rows_1.tsv",
        "rows_0001.tsv\n",
        "rows_0001_.tsv",
        "../rows_0001.tsv",
        "/rows_0001.tsv",
        "rows_٠٠٠١.tsv",
        "",
    ],
)
def test_other_names_are_no_parts(store: Extracts, name: str) -> None:
    with store.new_extract(READ.asset_key, log_id=1) as draft:
        with pytest.raises(ExtractError, match="not the name of a part"):
            written_part(draft, name, b"1\ta\n")
        with pytest.raises(ExtractError, match="not the name of a part"):
            draft.remove_part(name)
        part = written_part(draft, "rows_0000.tsv", b"1\ta\n")
        with pytest.raises(ValueError, match="not allowed"):
            manifest_of(READ, [part.model_copy(update={"name": name})])


def test_a_draft_of_a_folder_is_found_by_its_path_only(tmp_path: Path) -> None:
    store, other = ExtractStore(tmp_path / "data"), ExtractStore(tmp_path / "other")
    with (
        store.new_extract(READ.asset_key, log_id=1) as draft,
        other.new_extract(READ.asset_key, log_id=1) as foreign,
    ):
        work = Path(draft.name).parent
        (work / "notes").mkdir()
        (work / ("0" * 16)).symlink_to(foreign.name)
        refused = [
            foreign.name,
            Path(draft.name).name,
            str(work),
            f"{draft.name}.lock",
            f"{draft.name}/..",
            f"{work}/notes",
            f"{work}/{'0' * 16}",
            f"{work}/{'1' * 16}",
            "a\0b",
            "",
        ]
        for name in refused:
            with pytest.raises(ExtractError, match="not an extract of crm/people that is being"):
                store.join_draft(READ.asset_key, name)
        assert store.join_draft(READ.asset_key, draft.name).name == draft.name
    with pytest.raises(ExtractError, match="not an extract of crm/people that is being"):
        store.join_draft(READ.asset_key, draft.name)


def test_a_draft_of_a_bucket_has_the_name_of_an_extract(tmp_path: Path) -> None:
    store = ObjectExtractStore(bucket_at(tmp_path))
    for name in ("..", "", "20250610T000000_000000Z-1/..", "20250610T000000_000000Z-1\n"):
        with pytest.raises(ExtractError, match="not an extract of crm/people in a bucket"):
            store.join_draft(READ.asset_key, name)
    draft = store.join_draft(READ.asset_key, "20250610T000000_000000Z-1")
    assert draft.name == "20250610T000000_000000Z-1"


def test_a_disk_that_refuses_a_part_is_named(tmp_path: Path) -> None:
    with ExtractStore(tmp_path).new_extract(READ.asset_key, log_id=1) as draft:
        (Path(draft.name) / "rows_0000.tsv").mkdir()
        with pytest.raises(DataFolderError, match="cannot be written"):
            written_part(draft, "rows_0000.tsv", b"1\ta\n")
        (Path(draft.name) / "rows_0000.tsv").rmdir()


def test_a_manifest_without_parts_is_read_and_written_as_before(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path)
    made = extract(store, READ, ["1\ta"])
    path = made.folder / "manifest.json"
    assert "parts" not in json.loads(path.read_bytes())
    latest = store.latest(READ.asset_key)
    assert latest is not None
    assert latest.manifest.parts == ()
    assert [file.name for file in latest.manifest.files] == ["rows.tsv"]
    assert latest.manifest.files[0].file_digest == made.manifest.file_digest
    assert content_of(latest) == b"1\ta\n"


TWO_PARTS = [
    RowsPart(name=f"rows_{n:04}.tsv", file_bytes=n, file_lines=n, file_digest=str(n))
    for n in (3, 4)
]


@pytest.mark.parametrize(
    "wrong",
    [
        {"file_bytes": 1},
        {"file_lines": 1},
        {"file_digest": digest_of_parts(["3"])},
        {"parts": TWO_PARTS[::-1]},
        {"parts": TWO_PARTS[:1]},
    ],
)
def test_a_manifest_whose_parts_do_not_add_up_is_refused(wrong: dict[str, object]) -> None:
    right = manifest_of(READ, TWO_PARTS).model_dump()
    assert ExtractManifest.model_validate(right).files == tuple(TWO_PARTS)
    with pytest.raises(ValueError, match="not those of the parts"):
        ExtractManifest.model_validate(right | wrong)


def test_a_manifest_names_a_part_once() -> None:
    with pytest.raises(ValueError, match="named twice"):
        manifest_of(READ, TWO_PARTS * 2)
