"""Rows as one literal: whatever road they take, Neo4j cuts them into the same values."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.cypher.copy_text import MAX_BATCH_BYTES, blocks, decode_rows
from c360_graph.cypher.quoting import (
    free_characters,
    has_plain_backslashes_only,
    identifier,
    literal_text,
    string_literal,
)
from c360_graph.cypher.rows import MOST_COLUMNS_NULLED_APART, RowLiteral, row_literal
from c360_graph.errors import ScriptError

ESCAPES = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}  # fmt: skip
VALUES = st.none() | st.text(
    st.one_of(
        st.sampled_from("\\\\\\Nnu0'\t\n\r\v\b\f\x1c\x1d\x1e"),
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    ),
    max_size=10,
)
ROWS = st.integers(1, 4).flatmap(
    lambda columns: st.lists(
        st.lists(VALUES, min_size=columns, max_size=columns), min_size=1, max_size=6
    )
)


def copy_text(rows: list[list[str | None]]) -> bytes:
    """What COPY writes for these rows, without the last newline."""
    return "\n".join(
        "\t".join(
            "\\N" if v is None else "".join(ESCAPES.get(character, character) for character in v)
            for v in row
        )
        for row in rows
    ).encode()


def as_neo4j_reads(literal: RowLiteral) -> list[list[str | None]]:
    """Escapes undone as Cypher's grammar says, then split by the marks."""
    assert literal.literal[:1] == literal.literal[-1:] == b"'"
    inside = literal.literal[1:-1].decode()
    letters = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "'": "'", "\\": "\\"}

    def undo(match: re.Match[str]) -> str:
        escape = match[1]
        return chr(int(escape[1:], 16)) if escape[0] == "u" else letters[escape]

    assert not re.search(r"(?<!\\)(?:\\\\)*'", inside)
    text = re.sub(r"\\(u[0-9a-f]{4}|.)", undo, inside, flags=re.DOTALL)
    return [
        [None if value == literal.null_mark else value for value in row.split(literal.column_mark)]
        for row in text.split(literal.row_mark)
    ]


@given(ROWS)
def test_a_literal_is_cut_into_the_values_that_were_copied(rows: list[list[str | None]]) -> None:
    assert as_neo4j_reads(row_literal(copy_text(rows))) == rows


@given(ROWS)
def test_both_roads_give_the_same_values(rows: list[list[str | None]]) -> None:
    plain = [[v and re.sub(r"[\\\b\f\n\r\t\v]", "", v) for v in row] for row in rows]
    block = copy_text(plain)
    assert has_plain_backslashes_only(block)
    width = len(plain[0])
    decoded = row_literal(block + b"\n" + b"\t".join([b"\\\\"] * width))
    assert decoded.row_mark != "\n"
    assert as_neo4j_reads(decoded)[:-1] == as_neo4j_reads(row_literal(block)) == plain


@given(ROWS)
def test_a_lifted_literal_is_the_text_that_neo4j_would_read(rows: list[list[str | None]]) -> None:
    literal = row_literal(copy_text(rows))
    text = literal_text(literal.literal[1:-1])
    assert [
        [None if value == literal.null_mark else value for value in row.split(literal.column_mark)]
        for row in text.split(literal.row_mark)
    ] == rows


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_string_literal_is_read_back(text: str) -> None:
    assert literal_text(string_literal(text)[1:-1].encode()) == text


@given(ROWS)
def test_copy_text_is_decoded(rows: list[list[str | None]]) -> None:
    assert decode_rows(copy_text(rows)) == rows


def test_marks_are_found_where_every_control_character_is_used() -> None:
    values: list[str | None] = ["".join(chr(code) for code in range(1, 32)), "\ue000\\", None]
    literal = row_literal(copy_text([values]))
    assert (literal.row_mark, literal.column_mark, literal.null_mark) == ("\ue001", "\ue002", "\ue003")  # fmt: skip
    assert as_neo4j_reads(literal) == [values]


def test_a_literal_that_somebody_wrote_by_hand_is_read_as_cypher_reads_it() -> None:
    assert literal_text(rb"\u0041\"\\u0041\x\'") == "A\"\\u0041x'"


def test_a_wide_row_loses_its_null_marks_in_one_place() -> None:
    row = b"\t".join([b"1"] * (MOST_COLUMNS_NULLED_APART + 1))
    assert row_literal(row).unwound.endswith(
        rb", '\n') AS line WITH split(line, '\t') AS row WITH [value IN row | nullIf(value, '\\N')] AS row"
    )
    assert row_literal(row[2:]).unwound.endswith(rb", '\n') AS line WITH split(line, '\t') AS row")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", "`plain`"),
        ("a`b", "`a``b`"),
        ("\\u0060", r"`\u005cu0060`"),
        ("\\\\u0060", r"`\u005c\u005cu0060`"),
        ("a\\", r"`a\u005c`"),
    ],
)
def test_a_name_is_quoted_so_that_nothing_in_it_ends_it(name: str, expected: str) -> None:
    assert identifier(name) == expected


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_that_neo4j_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(ScriptError):
        identifier(name)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_free_character_is_nowhere_in_the_block(text: str) -> None:
    assert next(free_characters(text.encode())) not in text


def test_a_batch_ends_at_two_thousand_rows_or_a_megabyte() -> None:
    def cut(lines: list[bytes]) -> list[int]:
        found = list(blocks(io.BytesIO(b"".join(line + b"\n" for line in lines))))
        assert b"\n".join(block for _, block in found) == b"\n".join(lines)
        return [rows for rows, _ in found]

    assert MAX_BATCH_BYTES == 1_000_000
    assert cut([]) == []
    assert cut([b""]) == [1]
    assert cut([b"x"] * 4_001) == [2_000, 2_000, 1]
    big = b"x" * MAX_BATCH_BYTES
    assert cut([big, b"x", big, big, b"x"]) == [1, 1, 1, 1, 1]
    assert cut([b"x" * (MAX_BATCH_BYTES // 4 - 1)] * 9) == [4, 4, 1]
