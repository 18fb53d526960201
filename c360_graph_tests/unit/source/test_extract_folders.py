"""Where extracts lie, whatever their tables are called."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from c360_graph.extracts import ExtractStore

NAMES = st.text(
    st.one_of(st.sampled_from("aA~.%/ eE7"), st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    min_size=1,
    max_size=80,
)  # fmt: skip


@given(one=NAMES, other=NAMES)
def test_no_two_names_share_a_folder_even_where_letter_case_is_ignored(
    one: str, other: str
) -> None:
    root = Path("/somewhere")
    first = ExtractStore(root).table_folder(("s", one))
    second = ExtractStore(root).table_folder(("s", other))
    assert (str(first).lower() == str(second).lower()) == (one == other)


@given(NAMES)
def test_a_folder_lies_in_its_sources_folder_and_its_name_fits_a_file_system(name: str) -> None:
    root = Path("/somewhere")
    folder = ExtractStore(root).table_folder((name, name))
    assert folder.parent.parent == root / "extracts"
    assert folder.name not in (".", "..")
    assert "/" not in folder.name
    assert len(folder.name.encode()) <= 255
    assert folder.name.isascii()
    assert folder.name.strip(". ") == folder.name


def test_a_plain_name_is_its_folder() -> None:
    store = ExtractStore(Path("/somewhere"))
    assert store.table_folder(("streaming_db", "play_events")) == Path(
        "/somewhere/extracts/streaming_db/play_events"
    )
