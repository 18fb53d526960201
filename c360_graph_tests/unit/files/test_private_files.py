"""What a killed writer leaves, in a folder and beside a file."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from c360_graph.extract_joins.engine import join_engine
from c360_graph.extracts import ExtractStore
from c360_graph.files import (
    private_folder,
    remove_dead_parts,
    remove_dead_work,
    work_folder,
    write_whole,
    written_whole,
)

_WRITING = (
    "import sys, time; from pathlib import Path;"
    "from c360_graph.files import written_whole; from c360_graph.files import work_folder;"
    "target = Path(sys.argv[1]);"
    "work = work_folder(target.parent / 'work'); folder = work.__enter__();"
    "(folder / 'rows.tsv').write_text('a customer');"
    "writing = written_whole(target); file = writing.__enter__(); file.write(b'half'); file.flush();"
    "print('ready', flush=True); time.sleep(60)"
)


@contextmanager
def a_writer(target: Path) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of writing a file, and at work in a folder."""
    with subprocess.Popen(
        [sys.executable, "-c", _WRITING, str(target)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_stays(
    tmp_path: Path,
) -> None:
    target = tmp_path / "report [1]*.html"
    with a_writer(target):
        (part,) = (path for path in tmp_path.iterdir() if path.is_file())
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        assert remove_dead_parts(tmp_path) == remove_dead_work(tmp_path / "work") == 0
        # Another writer of the same file leaves it alone too.
        write_whole(target, b"whole")
        assert part.exists()
        assert len(list((tmp_path / "work").iterdir())) == 2
    write_whole(target, b"again")
    with work_folder(tmp_path / "work") as own:
        assert {path.name[:16] for path in (tmp_path / "work").iterdir()} == {own.name}
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [target.name]
    assert list((tmp_path / "work").iterdir()) == []
    assert target.read_bytes() == b"again"


def test_a_file_that_is_not_ours_is_never_taken_for_a_dead_part(tmp_path: Path) -> None:
    kept = [".hidden", ".profile.part", "notes.part", "graph.partial", ".latest.json"]
    for name in kept:
        (tmp_path / name).write_text("mine")
    (tmp_path / ".x.0123456789abcdef.part").symlink_to(tmp_path / "notes.part")
    assert remove_dead_parts(tmp_path) == 0
    # As versions before named theirs.
    for name in (".latest.json.123", "graph_output_20250101T000000_000000Z_1.cypher.partial"):
        (tmp_path / name).write_text("half")
    assert remove_dead_parts(tmp_path) == 2
    assert sorted(kept) == sorted(p.name for p in tmp_path.iterdir() if not p.is_symlink())


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    write_whole(path, b"old")
    with pytest.raises(TypeError), written_whole(path) as file:
        file.write("no bytes")  # type: ignore[call-overload]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_every_folder_that_is_made_is_private(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    assert {stat.S_IMODE((tmp_path / p).stat().st_mode) for p in ("a", "a/b")} == {0o700}


def test_the_engine_writes_private_files_in_its_folder_and_ends_with_its_caller(
    tmp_path: Path,
) -> None:
    store = ExtractStore(tmp_path)
    with store.work_folder() as work, join_engine(work / "spilled") as engine:
        # More than the engine may keep in memory.
        engine.rows(
            "CREATE TEMP TABLE t AS SELECT range AS id, md5(range::varchar) || repeat('x', 100) AS v"
            " FROM range(1500000)"
        )
        engine.rows(f"COPY (SELECT 1) TO '{work}/out.tsv' (FORMAT csv)")
        spilled = list((work / "spilled").iterdir())
        assert spilled
        files = [*spilled, work / "out.tsv"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert {stat.S_IMODE(p.stat().st_mode) for p in (work, work / "spilled")} == {0o700}
        process = engine._process
        assert process.stdin is not None
        process.stdin.write('"SELECT count(*) FROM range(100000000000) a, range(1000000) b"\n')
        process.stdin.close()
        assert process.wait(timeout=30) == 0
        process.stdin = None
    assert list((tmp_path / "work").iterdir()) == []
