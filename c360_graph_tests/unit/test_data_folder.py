"""Folders of customers' data are private, and one that cannot be written is one sentence."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from c360_graph.errors import DataFolderError
from c360_graph.extracts import ExtractStore, open_rows, write_whole
from c360_graph.files import make_private_folder, writing_into
from c360_graph.report.files import ReportStore


@pytest.fixture(params=[0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*")) if path.is_dir()}


@pytest.mark.usefixtures("umask")
def test_every_folder_of_an_extract_is_the_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "a" / "data"
    with ExtractStore(data).new_folder() as folder, open_rows(folder) as made:
        made[0].write(b"1\n")
    ReportStore(data).write("<html>")
    assert modes(tmp_path / "a") == {0o700}
    files = [path for path in data.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_folders_that_others_could_enter_are_closed_and_the_users_own_is_left(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    (data / "extracts" / "source").mkdir(parents=True)
    for folder in (data, data / "extracts", data / "extracts" / "source"):
        folder.chmod(0o755)
    with ExtractStore(data).new_folder():
        pass
    make_private_folder(data / "extracts" / "source" / "table", within=data)
    assert data.stat().st_mode & 0o777 == 0o755
    assert modes(data / "extracts") == {0o700}


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "data"
    with pytest.raises(DataFolderError) as refused, writing_into(folder):
        make_private_folder(folder)
    assert str(refused.value) == (
        f"{folder} cannot be written: Not a directory. Make room or grant the right to write there,"
        " or set C360_DATA_DIR to another folder."
    )


def test_a_full_disk_is_one_sentence_and_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from c360_graph.extracts import ExtractStore, open_rows\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with ExtractStore(Path(sys.argv[1])).new_folder() as folder:\n"
        "    with open_rows(folder) as (out, _):\n"
        "        out.write(b'x' * 5000)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 1
    last = done.stderr.rstrip().splitlines()[-1]
    assert last.startswith(f"c360_graph.errors.DataFolderError: {tmp_path}")
    assert "cannot be written: File too large." in last
    assert not list(tmp_path.rglob("rows.tsv"))


def test_a_small_file_that_could_not_be_written_whole_leaves_no_part(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        with pytest.raises(OSError, match="File too large") as refused:
            write_whole(tmp_path / "file", b"x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert refused.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []


def test_only_reports_are_removed_from_the_folder_of_reports(tmp_path: Path) -> None:
    store = ReportStore(tmp_path)
    written = store.write('<meta name="c360-rules" content="old">')
    mine = store.folder / "customer_360_for_the_board.html"
    mine.write_text("mine")
    assert store.prune(keep=1, rules="new") == 1
    assert not written.exists()
    assert mine.read_text() == "mine"
