"""The `hash` treatment on lines of COPY's text form."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.hashing import KeyedHash
from c360_graph.source.copy_query import replacing_values

ESCAPES = str.maketrans(
    {"\\": r"\\", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}
)
VALUES = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.text(max_size=200), st.text())
def test_a_hash_is_what_hmac_says_for_any_key_and_value(key: str, value: str) -> None:
    key = key.encode("utf-8", "ignore").decode()
    value = value.encode("utf-8", "ignore").decode()
    expected = hmac.new(key.encode(), value.encode(), "sha256").hexdigest()
    assert KeyedHash(key).of(value) == expected


@given(st.lists(VALUES, min_size=1, max_size=6), st.sets(st.integers(0, 5)))
def test_a_line_keeps_all_but_the_chosen_columns(
    values: list[str | None], positions: set[int]
) -> None:
    hashing, chosen = KeyedHash("k"), {p for p in positions if p < len(values)}
    texts = [r"\N" if v is None else v.translate(ESCAPES) for v in values]
    line = ("\t".join(texts) + "\n").encode()
    expected = [
        hashing.of(value) if index in chosen and value is not None else text
        for index, (value, text) in enumerate(zip(values, texts, strict=True))
    ]
    assert (
        replacing_values(dict.fromkeys(chosen, hashing.of_bytes))(line)
        == ("\t".join(expected) + "\n").encode()
    )


@pytest.mark.parametrize("key", ["a key", "k" * 100])
def test_a_key_is_not_shown(key: str) -> None:
    hashing = KeyedHash(key)
    assert key not in repr(hashing) + repr(vars(hashing))
