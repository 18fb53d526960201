"""The first rows of an extract as Markdown that shows values and obeys none."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from c360_graph.assets.metadata import MOST_BYTES, MOST_COLUMNS, code, preview, preview_table
from c360_graph.extracts import Extract, ExtractStore
from c360_graph.mapping.model import TableMapping
from c360_graph_tests.unit.files.extracted import extract
from c360_graph_tests.unit.mapping.given import Case, table


def mapped(columns: str) -> TableMapping:
    return Case().source("a", table("t", columns)).label("t", "T").resolve().tables[0]


def test_rows_are_shown_with_their_values_as_text() -> None:
    block = (
        "1\tplain\ta\x1fb\x1f\n"
        "2\t\\N\t\n"
        "3\t![x](http://evil) | `` <b>\\n\\tend\t\x1c[[1],[2]]\n"
        f"4\t{'x' * 60}\t\x1d1\x1f"
    )
    assert preview_table(mapped("id int; note text?; tags text[]?"), block.encode()) == (
        "| `id` | `note` | `tags` |\n"
        "| --- | --- | --- |\n"
        "| `1` | `plain` | `[a, b]` |\n"
        "| `2` | *absent* | `[]` |\n"
        "| `3` | `![x](http://evil) ｜ ˋˋ <b>⏎⇥end` | `[[1],[2]]` |\n"
        f"| `4` | `{'x' * 39}…` | `[�]` |\n"
    )


def test_an_extract_without_rows_says_so() -> None:
    assert preview_table(mapped("id int"), b"") == "No rows."


def test_rows_of_nothing_but_excluded_columns_are_not_shown() -> None:
    mapping = mapped("id int").model_copy(update={"properties": ()})
    assert preview_table(mapping, b"\n\n") == "Every column is excluded."


def test_a_wide_table_shows_its_first_columns_and_says_how_many_more_there_are() -> None:
    wide = mapped("; ".join(f"c{n} int" for n in range(60)))
    text = preview_table(wide, "\t".join("1" for _ in range(60)).encode())
    assert text.splitlines()[2] == "| " + " | ".join(["`1`"] * MOST_COLUMNS) + " |"
    assert text.endswith("\nand 10 more columns\n")


def test_rows_are_shown_up_to_the_first_that_is_longer_than_a_megabyte(tmp_path: Path) -> None:
    # Characters of three bytes, so that a cut at a megabyte is within one.
    long = f"2\t{'漢' * (MOST_BYTES // 2)}\n"
    assert preview(extracted(tmp_path / "a", f"1\tone\n{long}3\tthree\n"), rows=10) == (
        "| `id` | `note` |\n| --- | --- |\n| `1` | `one` |\n"
    )
    assert preview(extracted(tmp_path / "b", f"{long}3\tthree\n"), rows=10) == (
        "The first row is longer than 1 MB and is not shown."
    )
    assert preview(extracted(tmp_path / "c", ""), rows=10) == "No rows."


def test_a_row_of_just_a_megabyte_is_shown(tmp_path: Path) -> None:
    line = f"1\t{'x' * (MOST_BYTES - 3)}\n"
    assert len(line) == MOST_BYTES
    assert f"`{'x' * 39}…`" in preview(extracted(tmp_path / "a", line), rows=10)


def extracted(folder: Path, rows: str) -> Extract:
    return extract(ExtractStore(folder), mapped("id int; note text?"), rows.splitlines())


@given(st.text())
def test_no_value_leaves_its_code_span_or_its_cell(value: str) -> None:
    shown = code(value)
    assert re.fullmatch(r"`[^`|\n\r]+`|``'[^`|\n\r]*'``", shown)
    assert len(shown) <= len(value) + 8
