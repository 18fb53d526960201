"""An extract's file knows what was written to it."""

from __future__ import annotations

import stat
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph import extract_files
from c360_graph.extracts import open_rows


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b" ") + b"\n")),
    buffer=st.integers(1, 100),
)
def test_size_lines_and_digest_are_those_of_the_file_however_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], buffer: int
) -> None:
    folder = tmp_path_factory.mktemp("extract")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extract_files, "WRITE_BYTES", buffer)
        with open_rows(folder) as (out, file):
            for line in lines:
                out.write(line)
    content = (folder / "rows.tsv").read_bytes()
    assert content == b"".join(lines)
    assert (file.size, file.lines) == (len(content), len(lines))
    assert file.digest == blake2b(content).hexdigest()
    assert stat.S_IMODE((folder / "rows.tsv").stat().st_mode) == 0o600
