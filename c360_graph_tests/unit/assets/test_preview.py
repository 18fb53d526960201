"""The first rows of an extract as Markdown that shows values and obeys none."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from c360_graph.assets.markdown import code
from c360_graph.assets.preview import MOST_COLUMNS, preview_table
from c360_graph.mapping.model import TableMapping
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


def test_a_wide_table_shows_its_first_columns_and_says_how_many_more_there_are() -> None:
    wide = mapped("; ".join(f"c{n} int" for n in range(60)))
    text = preview_table(wide, "\t".join("1" for _ in range(60)).encode())
    assert text.splitlines()[2] == "| " + " | ".join(["`1`"] * MOST_COLUMNS) + " |"
    assert text.endswith("\nand 10 more columns\n")


@given(st.text())
def test_no_value_leaves_its_code_span_or_its_cell(value: str) -> None:
    shown = code(value)
    assert re.fullmatch(r"`[^`|\n\r]+`|``'[^`|\n\r]*'``", shown)
    assert len(shown) <= len(value) + 8
