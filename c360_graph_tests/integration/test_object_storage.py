"""The sample with everything in a bucket of a real S3 server: the same graph, and nothing on the local disk."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from c360_graph.extract_files import Extract, RowsPart
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph.object_extracts import ObjectExtractStore
from c360_graph.object_storage import (
    PART_BYTES,
    Bucket,
    data_location,
    kept_file,
    uploaded_whole,
)
from c360_graph.settings import load_settings
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import c360, failure_messages, load_graph, materialize_all
from c360_graph_tests.integration.test_built_graph import relationships_by_sql
from c360_graph_tests.integration.test_pipeline import NODES
from c360_graph_tests.s3_server import KEY, SECRET, S3Server, s3_server
from c360_graph_tests.unit.files.extracted import manifest_of, written_part
from c360_graph_tests.unit.mapping.given import Case, table

PLANS = ("profiles_db", "plans")


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The S3 server of this module."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(storage: S3Server, project: Project, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The place of the project's files."""
    monkeypatch.setenv("C360_DATA_URI", f"s3://bucket/{project.prefix}")
    place = data_location(load_settings())
    assert isinstance(place, Bucket)
    return place


def test_the_sample_is_loaded_updated_and_loaded_again_from_a_bucket(
    bucket: Bucket, project: Project, graph: Graph
) -> None:
    expected = (NODES, relationships_by_sql(project))
    result = materialize_all()
    assert failure_messages(result) == {}
    assert result.success
    assert graph_counts(graph) == expected
    assert files(project.data_dir) == []
    keys = [file.key for file in bucket.files("")]
    assert {"mapping_snapshot.json", "scripts.json", "reports/latest.html"} <= set(keys)

    store = ObjectExtractStore(bucket)
    latest = store.latest(PLANS)
    assert latest is not None
    assert digest(latest) == latest.manifest.file_digest
    said = "".join(str(event) for event in result.all_events)
    assert latest.location in said
    assert KEY not in said
    assert SECRET not in said

    with project.connect("profiles_db") as connection:
        connection.execute("UPDATE plans SET plan_name = 'Renamed' WHERE plan_id = 1")
    update = {"ops": {"neo4j_graph": {"config": {"clear_database": False}}}}
    assert load_graph(run_config=update).success
    renamed = graph.rows("MATCH (p:Plan {plan_name: 'Renamed'}) RETURN count(p) AS n")
    assert renamed[0]["n"] == 1
    assert graph_counts(graph) == expected
    assert files(project.data_dir) == []

    (script, *_) = [key for key in reversed(keys) if key.startswith("scripts/graph_output_")]
    done = c360("load", f"{bucket.uri}/{script}", "--clear", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["nodes"] == NODES
    assert files(project.data_dir) == []


UPLOADING = """
import sys
from pathlib import Path
from typing import Any
from c360_graph.object_extracts import ObjectExtractStore
from c360_graph.object_storage import open_bucket
store = ObjectExtractStore(open_bucket(sys.argv[1], Path(sys.argv[2])))
with store.new_extract(("profiles_db", "plans"), log_id=7) as draft, draft.open_rows() as (out, file):
    for _ in range(48):
        out.write(b"x" * (1 << 20))
    print("sent", flush=True)
    sys.stdin.read()
"""


def test_an_upload_that_is_killed_leaves_no_object(bucket: Bucket, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", UPLOADING, bucket.uri, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "sent\n"
        process.send_signal(signal.SIGKILL)
    assert bucket.files("") == []
    assert ObjectExtractStore(bucket).latest(PLANS) is None
    assert files(tmp_path) == []


PART_UPLOADING = """
import sys
from pathlib import Path
from c360_graph.object_extracts import ObjectExtractStore
from c360_graph.object_storage import open_bucket
store = ObjectExtractStore(open_bucket(sys.argv[1], Path(sys.argv[2])))
draft = store.join_draft(("profiles_db", "plans"), sys.argv[3])
with draft.open_part("rows_0001.tsv") as (out, file):
    for _ in range(48):
        out.write(b"x" * ((1 << 20) - 1) + b"\\n")
    print("sent", flush=True)
    sys.stdin.read()
"""


def test_processes_upload_the_parts_of_one_extract(bucket: Bucket, tmp_path: Path) -> None:
    store = ObjectExtractStore(bucket)
    big = (b"x" * ((1 << 20) - 1) + b"\n") * 48
    (mapped,) = (
        Case()
        .source("profiles_db", table("plans", "name text", key="name"))
        .label("plans", "Plan")
        .resolve()
        .tables
    )
    with store.new_extract(PLANS, log_id=7) as draft:
        for is_killed in (True, False):
            with subprocess.Popen(
                [sys.executable, "-c", PART_UPLOADING, bucket.uri, str(tmp_path), draft.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            ) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "sent\n"
                if is_killed:
                    process.send_signal(signal.SIGKILL)
                else:
                    process.communicate("")
            assert [file.size for file in bucket.files("extracts/")] == [len(big)] * (not is_killed)
        mine = written_part(draft, "rows_0002.tsv", b"y\n")
        written_part(draft, "rows_0003.tsv", b"not taken\n")
        theirs = RowsPart(
            name="rows_0001.tsv",
            file_bytes=len(big),
            file_lines=48,
            file_digest=blake2b(big).hexdigest(),
        )
        draft.commit(manifest_of(mapped, [theirs, mine]))
    latest = store.latest(PLANS)
    assert latest is not None
    with latest.open() as rows:
        assert rows.read() == big + b"y\n"
    assert store.purge(lambda _: True) == ("profiles_db/plans",)
    assert [file.name for file in bucket.files("extracts/")] == ["latest.json"]


def test_a_storage_that_is_away_for_seconds_is_waited_for(
    storage: S3Server, bucket: Bucket
) -> None:
    part = b"x" * PART_BYTES
    bucket.file("list").write_bytes(b"one")
    with uploaded_whole(bucket.file("rows")) as rows, ThreadPoolExecutor() as threads:
        rows.write(part)
        storage.end()
        waiting: list[Future[Any]] = [
            threads.submit(rows.write, part),
            threads.submit(bucket.file("list").read_bytes),
            threads.submit(bucket.file("new").change, lambda old: (old or b"") + b"two"),
        ]
        time.sleep(6)
        storage.start()
        assert [each.result() for each in waiting] == [len(part), b"one", None]
    assert bucket.file("rows").head() == 2 * len(part)
    assert bucket.file("new").read_bytes() == b"two"


def digest(extract: Extract) -> str:
    rows = kept_file(extract.location, data_location(load_settings()))
    return blake2b(rows.read_bytes()).hexdigest()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
