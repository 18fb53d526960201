"""What the functions of a join condition make of texts."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.mapping.join_forms import lower, normaliser
from c360_graph.source.copy_query import copied_text, replacing_values

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("call", "text", "found"),
    [
        ("lower", "ÄÖ İ ΟΔΟΣ ẞ", "äö i οδοσ ß"),
        ("trim", " \ta\n ", "\ta\n"),
        ("unaccent_ascii", "Núñez Łódź Weiß Ærø", "Nunez Lodz Weiss AEro"),
        ("unaccent_ascii", "e\u0301 \u212b ﬁ", "e A fi"),
        ("unaccent_ascii", "日本 Иван", "日本 Иван"),
        ("digits", "+49 (0)30-55 ٣", "4903055"),
        ("digits", "n/a", None),
        ("email", "  USER3@EXAMPLE.COM", "user3@example.com"),
        ("email", "   ", None),
        ("email_local", "A.Nn+x+y@Sub.Example.com ", "ann@sub.example.com"),
        ("email_local", "a.b@c@d.e", "ab@c@d.e"),
        ("email_local", "+tag@x.y", "+tag@x.y"),
        ("email_local", "no.at+sign", "no.at+sign"),
        ("email_local", "", None),
        ("phone_DE", "030/5550101", "+49305550101"),
        ("phone_DE", "+49 30 5550101", "+49305550101"),
        ("phone_DE", "0049 (0)30 5550101", "+49305550101"),
        ("phone_DE", "+1 (202) 555-0101", "+12025550101"),
        ("phone_US", "(202) 555-0101 ext. 7", "+12025550101"),
        ("phone_DE", "0000", None),
        ("phone_DE", "call me", None),
        ("phone_DE", "", None),
    ],
)
def test_each_function_makes_what_is_documented(call: str, text: str, found: str | None) -> None:
    assert normaliser((call,))(text) == found


def test_functions_are_applied_from_within() -> None:
    assert normaliser(("lower", "unaccent_ascii", "trim"))("  ÉCOLE ") == "ecole"
    assert normaliser(("trim", "digits"))("none") is None


def test_a_long_text_is_stood_for_by_its_digest() -> None:
    assert normaliser(("trim",))("é" * 500) == "é" * 500
    assert normaliser(("trim",))("é" * 501) == sha256(("é" * 501).encode()).hexdigest()


@given(TEXTS)
def test_a_letter_becomes_one_letter_and_a_second_time_changes_nothing(text: str) -> None:
    assert len(lower(text)) == len(text)
    assert lower(lower(text)) == lower(text)


@given(st.lists(TEXTS | st.none(), min_size=1, max_size=4))
def test_a_replaced_value_is_written_as_copy_writes_it(values: list[str | None]) -> None:
    fields = [b"\\N" if value is None else copied_text(value) for value in values]
    assert all(b"\t" not in field and b"\n" not in field for field in fields)
    line = b"\t".join(fields) + b"\n"
    same = replacing_values(
        dict.fromkeys(range(len(values)), lambda value: copied_text(value.decode()))
    )
    assert same(line) == line
    nothing = replacing_values({0: lambda value: None})
    assert nothing(line) == b"\t".join((b"\\N", *fields[1:])) + b"\n"
