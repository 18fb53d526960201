"""A script may be compressed, and reads alike."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import assume, given
from hypothesis import strategies as st

from c360_graph.checks import exclusions
from c360_graph.checks.exclusions import holds_any
from c360_graph.cypher.script_reader import check_whole, read_header
from c360_graph.errors import ScriptError
from c360_graph.scripts import new_script, open_script

TEXT = b'// c360_graph {"format":1,"created":"now"}\n' + b"RETURN 'text';\n" * 50_000
SCRIPT = TEXT + b"// c360_graph end 50000\n"


@pytest.fixture
def compressed(tmp_path: Path) -> Path:
    path = tmp_path / "s.cypher.zst"
    with new_script(path, compressed=True) as out:
        for start in range(0, len(SCRIPT), 70_000):
            out.write(SCRIPT[start : start + 70_000])
    return path


def test_a_compressed_script_is_an_ordinary_zstd_file_that_only_its_owner_reads(
    compressed: Path,
) -> None:
    assert zstd.decompress(compressed.read_bytes()) == SCRIPT
    assert stat.S_IMODE(compressed.stat().st_mode) == 0o600


def test_whatever_a_script_is_called_it_is_read_as_what_it_is(
    compressed: Path, tmp_path: Path
) -> None:
    renamed = compressed.rename(tmp_path / "copied.cypher")
    plain = tmp_path / "plain.cypher.zst"
    plain.write_bytes(SCRIPT)
    for path in (renamed, plain):
        with open_script(path) as file:
            header = read_header(file)
            assert header is not None
            assert header.created == "now"
            check_whole(file)
            file.seek(0)
            assert file.read() == SCRIPT


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
    ],
)
def test_a_compressed_script_that_is_cut_short_or_damaged_is_refused(
    compressed: Path, damage: Callable[[bytes], bytes]
) -> None:
    compressed.write_bytes(damage(compressed.read_bytes()))
    with (
        pytest.raises(ScriptError, match=r"cut short|damaged"),
        open_script(compressed) as file,
    ):
        check_whole(file)


@given(
    before=st.binary(max_size=30),
    value=st.text("ab'\\\t", min_size=1, max_size=20),
    behind=st.binary(max_size=30),
    read_bytes=st.integers(1, 16),
    is_compressed=st.booleans(),
)
def test_a_value_is_found_wherever_reading_cuts_it(
    tmp_path_factory: pytest.TempPathFactory,
    before: bytes,
    value: str,
    behind: bytes,
    read_bytes: int,
    is_compressed: bool,
) -> None:
    path = tmp_path_factory.mktemp("f") / "s.cypher"
    content = before + value.encode() + behind
    # What begins so is taken for compressed, and no text does.
    assume(not content.startswith(b"\x28\xb5\x2f\xfd"))
    with new_script(path, compressed=is_compressed) as out:
        out.write(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exclusions, "_READ_BYTES", read_bytes)
        assert holds_any(path, [value])
        absent = "absent" + value
        assert holds_any(path, [absent]) == (absent.encode() in content)
        assert not holds_any(path, [])
