"""Extracts, scripts and reports below a prefix of a bucket: as in a folder, and whole or absent."""

from __future__ import annotations

import io
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from c360_graph import object_extracts, object_storage
from c360_graph.control.audit import ScriptLog
from c360_graph.errors import ExtractError, ObjectStorageError, SettingsError
from c360_graph.extract_files import Extract, ExtractManifest
from c360_graph.mapping.model import TableMapping
from c360_graph.object_extracts import ObjectExtractStore
from c360_graph.object_storage import Bucket, kept_file, open_bucket, uploaded_whole
from c360_graph.pipeline.cleaning import clean_data_folder
from c360_graph.pipeline_settings import uri_problem
from c360_graph.report.files import report_store
from c360_graph.scripts import new_script, open_script, script_store
from c360_graph_tests.unit.mapping.given import Case, table

PEOPLE = table("people", "id int; email text", key="id")


def case() -> Case:
    return Case().source("crm", PEOPLE).label("people", "Person")


(READ,) = case().resolve().tables
(SAFE,) = case().excluding("people", "email", source_id=1).resolve().tables


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    """A bucket in memory."""
    return Bucket("s3://bucket/c360", tmp_path / "data", MemoryStore())


def extract(
    store: ObjectExtractStore, of: TableMapping, rows: bytes, *, log_id: int = 1
) -> Extract:
    now = datetime.now(UTC)
    with store.new_extract(of.asset_key, log_id=log_id) as draft:
        with draft.open_rows() as (out, file):
            out.write(rows)
        return draft.commit(
            ExtractManifest(
                table=of,
                rows=file.lines,
                values_absent={},
                file_bytes=file.size,
                file_lines=file.lines,
                file_digest=file.digest,
                longest_row_bytes=10,
                log_id=log_id,
                table_log_id=1,
                start_time=now,
                end_time=now,
            )
        )


def keys(bucket: Bucket) -> list[str]:
    return [file.key for file in bucket.files("")]


def test_extracts_follow_each_other_as_they_were_committed(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObjectExtractStore(bucket)
    made = []
    for stamp in ("20250610T000000_000000Z", "20250612T000000_000000Z", "20250610T010000_000000Z"):
        monkeypatch.setattr(object_extracts, "file_stamp", lambda stamp=stamp: stamp)
        made.append(extract(store, READ, b"1\ta@x\n").name)
    first, ahead, last = made
    assert [e.name for e in store.kept(READ.asset_key)] == [last, ahead, first]
    former = store.former(READ.asset_key)
    assert former is not None
    assert former.name == ahead
    assert store.prune(READ.asset_key, keep=2) == 1
    assert [e.name for e in store.kept(READ.asset_key)] == [last, ahead]
    assert store.known_columns(READ.asset_key) == frozenset({"id", "email"})
    assert not [key for key in keys(bucket) if first in key]
    latest = store.latest(READ.asset_key)
    assert latest is not None
    assert latest.location == f"s3://bucket/c360/extracts/crm/people/{last}/rows.tsv"
    with latest.open() as rows:
        assert rows.read() == b"1\ta@x\n"


def test_an_extract_that_fails_is_absent(bucket: Bucket) -> None:
    store = ObjectExtractStore(bucket)
    good = extract(store, READ, b"1\ta@x\n")
    with (
        suppress(ZeroDivisionError),
        store.new_extract(READ.asset_key, log_id=2) as draft,
        draft.open_rows() as (out, _),
    ):
        out.write(b"2\tb@x\n" * 10)
        raise ZeroDivisionError
    with suppress(ZeroDivisionError), store.new_extract(READ.asset_key, log_id=3) as draft:
        with draft.open_rows() as (out, _):
            out.write(b"2\tb@x\n")
        raise ZeroDivisionError
    assert [e.name for e in store.kept(READ.asset_key)] == [good.name]
    assert [key.split("/")[-2] for key in keys(bucket) if key.endswith("rows.tsv")] == [good.name]


def test_of_extracts_committed_at_once_none_is_lost(bucket: Bucket) -> None:
    store = ObjectExtractStore(bucket)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: extract(store, READ, b"1\ta@x\n", log_id=n), range(8)))
    assert {e.name for e in store.kept(READ.asset_key)} == {e.name for e in made}


def test_rows_that_changed_are_refused_by_their_digest(bucket: Bucket) -> None:
    store = ObjectExtractStore(bucket)
    made = extract(store, READ, b"1\ta@x\n")
    rows = kept_file(made.location, bucket)
    assert not isinstance(rows, Path)
    rows.write_bytes(b"1\tb@x\n")
    with made.open() as file, pytest.raises(ExtractError, match="differs from what was written"):
        file.read()
    rows.write_bytes(b"1\ta@x\n2\t")
    with pytest.raises(ExtractError, match="is damaged"):
        store.latest(READ.asset_key)


def test_the_join_engine_reads_a_private_copy_that_goes_with_its_work(bucket: Bucket) -> None:
    store = ObjectExtractStore(bucket)
    made = extract(store, READ, b"1\ta@x\n" * 3)
    with store.work_folder():
        copy = made.rows_paths[0]
        assert copy.read_bytes() == b"1\ta@x\n" * 3
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert bucket.scratch in copy.parents
    assert not [path for path in bucket.scratch.rglob("*") if path.is_file()]


def test_what_is_forbidden_now_and_what_was_never_committed_is_removed(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, scripts, reports = ObjectExtractStore(bucket), script_store(bucket), report_store(bucket)
    extract(store, SAFE, b"1\n")
    extract(store, READ, b"1\ta@x\n")
    orphan = "extracts/crm/people/20250610T000000_000000Z-7/rows.tsv"
    bucket.file(orphan).write_bytes(b"1\ta@x\n")
    reports.write('<meta name="c360-rules" content="old">')
    name = "graph_output_20250610T000000_000000Z_1.cypher"
    bucket.file(f"scripts/{name}").write_bytes(b"// no header\n")
    rows = case().excluding("people", "email", source_id=1).rows
    cleaned = clean_data_folder(bucket, rows)
    assert cleaned.extracts == ("crm/people",)
    assert (cleaned.scripts, cleaned.reports, cleaned.leftovers) == (1, 1, 0)
    assert [e.manifest.table for e in store.every()] == [SAFE]
    assert not list(scripts.files())
    assert not [key for key in keys(bucket) if key.startswith("reports/")]
    assert orphan in keys(bucket)
    monkeypatch.setattr(object_extracts, "UNCOMMITTED_FOR", timedelta(0))
    assert clean_data_folder(bucket, rows).leftovers == 1
    assert orphan not in keys(bucket)


def test_scripts_are_uploaded_whole_and_read_as_streams(bucket: Bucket) -> None:
    store = script_store(bucket)
    names = [
        f"graph_output_20250610T000000_00000{n}Z_1.cypher{z}" for n, z in ((1, ""), (2, ".zst"))
    ]
    for name in names:
        file = store.path_for(name)
        with new_script(file, compressed=name.endswith(".zst")) as out:
            out.write(b"RETURN 1;\n" * 1000)
        with open_script(file) as text:
            assert text.read() == b"RETURN 1;\n" * 1000
    with (
        suppress(ZeroDivisionError),
        new_script(
            store.path_for("graph_output_20250610T000000_000003Z_1.cypher"), compressed=False
        ) as out,
    ):
        out.write(b"x")
        raise ZeroDivisionError
    assert [file.name for file in store.files()] == names
    mine, other = (
        ScriptLog(
            script_id=1,
            script_name=names[0],
            file_path=path,
            file_size_kb=1,
            last_updated_at=datetime.now(UTC),
            last_run_time=None,
        )
        for path in (f"s3://bucket/c360/scripts/{names[0]}", f"s3://bucket/other/{names[0]}")
    )
    assert [str(path) for _, path in store.own_files([mine, other])] == [mine.file_path]
    assert store.own_file(other) is None
    store.remember_loaded(store.path_for(names[0]))
    assert script_store(bucket).loaded == mine.file_path
    with pytest.raises(SettingsError, match="output_folder"):
        store.path_for(names[0], folder="/elsewhere")


def test_reports_are_counted_and_the_newest_has_a_name_of_its_own(bucket: Bucket) -> None:
    store = report_store(bucket)
    for rules in ("old", "now", "now"):
        store.write(f'<meta name="c360-rules" content="{rules}">')
    assert store.prune(keep=1, rules="now") == 2
    assert [key.split("_")[2] for key in keys(bucket) if "customer_360_" in key] == ["000003"]
    assert b'content="now"' in store.latest.read_bytes()


@given(
    content=st.binary(max_size=60),
    reads=st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70)), max_size=5),
)
def test_an_object_is_read_like_a_file(content: bytes, reads: list[tuple[int, int]]) -> None:
    bucket = Bucket("s3://bucket", Path("unused"), MemoryStore())
    with uploaded_whole(bucket.file("a/b")) as out:
        out.write(content)
    beside = io.BytesIO(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_storage, "PART_BYTES", 7)
        with bucket.file("a/b").open() as file:
            for position, size in reads:
                assert file.seek(position) == beside.seek(position)
                assert file.read(size) == beside.read(size)
                assert file.readline() == beside.readline()
            assert file.read() == beside.read()


def test_an_unreachable_storage_is_named_without_what_it_said(tmp_path: Path) -> None:
    class Refusing:
        def list(self, prefix: str) -> None:
            raise OSError("<Code>SignatureDoesNotMatch</Code> AKIASECRET status 403")

    bucket = Bucket("s3://bucket", tmp_path, Refusing())
    with pytest.raises(ObjectStorageError) as refused:
        bucket.files("")
    assert "SignatureDoesNotMatch, HTTP 403" in str(refused.value)
    assert "AKIASECRET" not in str(refused.value)


def test_a_change_that_was_taken_while_its_answer_was_lost_is_made_once(tmp_path: Path) -> None:
    class Forgetful:
        """A storage that takes what it is sent, and whose answer to the first request of writing is lost."""

        def __init__(self) -> None:
            self.memory, self.answers = MemoryStore(), False

        def get(self, key: str) -> object:
            return self.memory.get(key)

        def put(self, key: str, content: bytes, **mode: Any) -> None:
            self.memory.put(key, content, **mode)
            if not self.answers:
                self.answers = True
                raise GenericError("error sending request")

    bucket = Bucket("s3://bucket", tmp_path, Forgetful())
    bucket.file("list").change(lambda old: (old or b"") + b"one more;")
    assert bucket.file("list").read_bytes() == b"one more;"
    bucket.file("list").change(lambda old: (old or b"") + b"one more;")
    assert bucket.file("list").read_bytes() == b"one more;one more;"


def test_a_change_that_the_storage_refuses_twice_fails(tmp_path: Path) -> None:
    class ReadOnly:
        def get(self, key: str) -> None:
            raise FileNotFoundError

        def put(self, key: str, content: bytes, **mode: Any) -> None:
            raise GenericError("status 403")

    with pytest.raises(ObjectStorageError, match="HTTP 403"):
        Bucket("s3://bucket", tmp_path, ReadOnly()).file("list").change(lambda _: b"x")


def test_a_storage_that_did_not_answer_is_told_from_one_that_refused(tmp_path: Path) -> None:
    class Away:
        def head(self, key: str) -> None:
            raise GenericError("HTTP error: error sending request")

    with pytest.raises(ObjectStorageError, match="no answer within 60 s"):
        Bucket("s3://bucket", tmp_path, Away()).file("list").head()


def test_a_bucket_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be opened"):
        open_bucket("s3:///", tmp_path)


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("s3://bucket/prefix", None),
        ("gs://bucket", None),
        ("az://container/prefix", None),
        ("file:///var/data", None),
        ("file://host/data", "has to be file:///path"),
        ("/var/data", "begin with one of"),
        ("ftp://host/data", "begin with one of"),
        ("s3://", "names no bucket"),
        ("s3://key:secret@bucket", "hold no keys"),
        ("s3://bucket?token=x", "hold no keys"),
    ],
)
def test_an_address_of_a_storage_is_looked_at(uri: str, problem: str | None) -> None:
    found = uri_problem(uri)
    assert found == problem if problem is None else problem in str(found)
