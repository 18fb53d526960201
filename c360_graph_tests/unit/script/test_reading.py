"""A script is cut into statements alike whatever is in its strings and however it is read."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.cypher import script_reader
from c360_graph.cypher.quoting import (
    copy_literal,
    has_plain_backslashes_only,
    identifier,
    literal_text,
    string_literal,
)
from c360_graph.cypher.script_reader import Statement, check_whole, lift, read_statements
from c360_graph.errors import ScriptError

TEXT = st.text(
    st.one_of(st.sampled_from("\\'\"`;/*\n\r\tuN0041 $"), st.characters(exclude_categories=["Cs"]))
)
NAME = TEXT.filter(lambda text: bool(text) and "\x00" not in text)
COMMENT_TEXT = TEXT.map(lambda text: text.replace("\n", " ").replace("*/", ""))

PIECE = st.one_of(
    TEXT.map(string_literal),
    TEXT.map(lambda text: '"' + string_literal(text)[1:-1].replace('"', '\\"') + '"'),
    NAME.map(identifier),
    COMMENT_TEXT.map(lambda text: f"// {text}\n"),
    COMMENT_TEXT.map(lambda text: f"/* {text} */"),
    st.sampled_from(["CREATE (n)", " ", "\n", "1 / 2", "{a: 1}"]),
)
STATEMENT = st.lists(PIECE, max_size=6).map(lambda pieces: "RETURN 1 " + " ".join(pieces))


def read(script: bytes) -> list[bytes]:
    return [statement.text for statement in read_statements(BytesIO(script))]


@given(st.lists(STATEMENT, max_size=4), st.sampled_from([1, 2, 3, 7, 64, 1_000_000]))
def test_semicolons_in_strings_names_and_comments_end_no_statement(
    parts: list[str], read_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script_reader, "READ_BYTES", read_bytes)
        assert read("".join(f"{part};\n" for part in parts).encode()) == [
            part.encode() for part in parts
        ]


@given(st.lists(STATEMENT, min_size=1, max_size=3))
def test_a_script_whose_last_statement_has_no_end_is_refused(parts: list[str]) -> None:
    script = ";\n".join(parts).encode()
    with pytest.raises(ScriptError, match="cut short"):
        read(script)


@pytest.mark.parametrize("rest", ["RETURN 'a;", 'RETURN "a;', "RETURN `a;", "RETURN 1 /* ;"])
def test_a_script_that_ends_inside_of_something_is_refused(rest: str) -> None:
    with pytest.raises(ScriptError, match="cut short"):
        read(f"RETURN 1;\n{rest}".encode())


def test_what_stands_between_statements_is_no_statement() -> None:
    script = b"\xef\xbb\xbf ;; // a; b\n/* c; */ ;RETURN 1;\n\n// the end; no newline"
    assert read(script) == [b"RETURN 1"]


def test_a_long_statement_is_looked_through_a_few_times_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # After each read the statement is looked through from its last token on: were so many bytes more
    # read each time, not twice as many, the work would grow with the square of the size.
    monkeypatch.setattr(script_reader, "READ_BYTES", 1_000)
    script = b"RETURN '" + b"it\\'s; " * 300_000 + b"';\nRETURN 2;\n"
    file = Watched(script)
    assert len(list(read_statements(file))) == 2
    assert file.taken == len(script)
    assert file.reads < 20


@given(TEXT)
def test_a_string_literal_stands_for_its_text(text: str) -> None:
    assert literal_text(string_literal(text)[1:-1].encode()) == text


@given(TEXT.map(lambda text: text.replace("\\", "\\N")))
def test_a_literal_of_copy_text_stands_for_that_text(text: str) -> None:
    block = text.encode()
    assert has_plain_backslashes_only(block)
    assert literal_text(copy_literal(block)[1:-1]) == text


@given(st.lists(TEXT.map(lambda text: text.replace("|", "")), min_size=1, max_size=5))
def test_a_lifted_batch_has_its_rows_and_can_be_cut(rows: list[str]) -> None:
    literal = string_literal("|".join(rows))
    text = f"CYPHER 5 UNWIND split({literal}, '|') AS line WITH split(line, ',') AS row\nCREATE (n)"
    batch = lift(Statement(number=1, text=text.encode()))
    assert batch is not None
    # It looks nothing up, and its plan is kept.
    assert batch.text == text.replace(literal, "$rows", 1).replace(
        "5 UNWIND", "5 replan=skip UNWIND", 1
    )
    assert batch.unwound == batch.text.removesuffix("\nCREATE (n)")
    assert batch.rows.split(batch.row_mark) == rows
    assert batch.cut(0, 1).rows == rows[0]
    assert batch.cut(len(rows) - 1, len(rows)).rows == rows[-1]


def test_a_lifted_batch_that_looks_nodes_up_is_planned_by_what_the_graph_holds() -> None:
    text = "CYPHER 5 UNWIND split('1', '|') AS line WITH split(line, ',') AS row\nMATCH (n {id: row[0]})"
    batch = lift(Statement(number=1, text=text.encode()))
    assert batch is not None
    assert batch.text == text.replace("'1'", "$rows", 1)


@pytest.mark.parametrize(
    "text",
    ["UNWIND split('a', 'b') AS line RETURN line", "CYPHER 5 UNWIND split($a, 'b') AS line"],
)
def test_a_statement_of_another_shape_is_not_lifted(text: str) -> None:
    assert lift(Statement(number=1, text=text.encode())) is None


HEADER = b'// c360_graph {"format":1,"created":"now"}\n'


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (HEADER + b"RETURN 1;\n// c360_graph end 2\n", "cut short or was changed"),
        (HEADER + b"RETURN 1;\n", "cut short or was changed"),
        (HEADER.replace(b"1", b"7"), "has format 7"),
        (HEADER.replace(b"{", b"("), "first line is damaged"),
        (HEADER.replace(b"\n", b"\r\n"), "CRLF"),
        (HEADER + b'// c360 {"kind":"what"}\nRETURN 1;\n', "comment before statement 1 is damaged"),
        (b":use neo4j\nRETURN 1;", "begins with :use"),
    ],
)
def test_a_script_that_cannot_be_run_to_its_end_is_refused(script: bytes, reason: str) -> None:
    with pytest.raises(ScriptError, match=reason):
        check_whole(BytesIO(script))


def test_a_whole_script_is_accepted() -> None:
    check_whole(BytesIO(HEADER + b"RETURN 1;\n// c360_graph end 1\n"))
    check_whole(BytesIO(b"RETURN 1;"))


class Watched(BytesIO):
    """Counts how often it is read, and the bytes that are read from it."""

    reads = taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.reads += 1
        self.taken += len(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        # To go back, or to the end, a compressed file is read again from its beginning.
        assert (offset, whence) == (0, 0)
        assert self.taken == 0
        return super().seek(offset, whence)


@pytest.mark.parametrize("read_bytes", [1, 5, 1_000_000])
def test_a_script_is_read_through_once_to_tell_that_it_is_whole(
    monkeypatch: pytest.MonkeyPatch, read_bytes: int
) -> None:
    monkeypatch.setattr(script_reader, "READ_BYTES", read_bytes)
    script = HEADER + b"RETURN 1;\n" * 30 + b"// c360_graph end 30\n"
    file = Watched(script)
    check_whole(file)
    assert file.taken == len(script)
    with pytest.raises(ScriptError, match="cut short"):
        check_whole(BytesIO(script[:-1]))


@pytest.mark.parametrize(
    ("facts", "title"),
    [
        ('{"kind":"constraint","label":"Person"}', "constraint of Person"),
        ('{"kind":"index","label":"Person"}', "index of Person"),
        ('{"kind":"await"}', "await"),
        (
            '{"kind":"nodes","table":"hr/people","label":"P","rows":2}',
            "nodes of hr/people, label P",
        ),
    ],
)
def test_the_comments_of_older_scripts_are_still_read(facts: str, title: str) -> None:
    (statement,) = read_statements(BytesIO(f"// c360 {facts}\nRETURN 1;\n".encode()))
    assert statement.title == f"Statement 1 ({title})"


def test_a_comment_that_is_not_of_this_project_is_refused() -> None:
    with pytest.raises(ScriptError, match="the comment before statement 1 is damaged"):
        read(b'// c360 {"kind":"nodes","label":"P"}\nRETURN 1;\n')
