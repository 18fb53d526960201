"""What a terminal or a page shows of any text."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.errors import C360Error, SourceError
from c360_graph.text import json_visible, visible, visible_line

ANY_TEXT = st.text(st.characters(codec=None))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("John\x1b]0;owned\x07", r"John\x1b]0;owned\x07"),
        ("\x9b2J\x7f\r\b\x00", r"\x9b2J\x7f\x0d\x08\x00"),
        ("\u202eevil\u2066\u061c", r"\u202eevil\u2066\u061c"),
        ("a\u2028b\ufeff\U000e0041", r"a\u2028b\ufeff\U000e0041"),
        ("\ud800", r"\ud800"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("Zoë 🧑‍🚀 שלום نام‌خانوادگی", "Zoë 🧑‍🚀 שלום نام‌خانوادگی"),
    ],
)
def test_a_character_that_acts_is_shown_as_its_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(ANY_TEXT)
def test_where_one_line_is_expected_a_text_is_one_line(text: str) -> None:
    shown = visible_line(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert visible_line(shown) == shown


@given(ANY_TEXT)
def test_no_control_is_left_and_showing_twice_changes_nothing(text: str) -> None:
    shown = visible(text)
    left = {unicodedata.category(c) for c in shown if c not in "\t\n"}
    assert not left & {"Cc", "Cs", "Zl", "Zp"}
    assert visible(shown) == shown
    shown.encode()


@given(ANY_TEXT)
def test_json_means_the_same_with_its_controls_escaped(text: str) -> None:
    document = json_visible(json.dumps({text: [text]}, ensure_ascii=False))
    assert visible(document) == document
    assert json.loads(document) == {text: [text]}


@pytest.mark.parametrize("error", [C360Error, SourceError])
def test_an_error_that_names_a_hostile_key_is_safe_to_print(error: type[C360Error]) -> None:
    assert str(error("row \x1b[31mred")) == r"row \x1b[31mred"
