"""Names and strings as Cypher text, and back: the one place where foreign text meets Cypher."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from c360_graph.errors import ScriptError

_LITERAL_ESCAPES = {
    "\\": "\\\\",
    "'": "\\'",
    # cypher-shell reads a file by lines and would turn a carriage return into a newline; other
    # control characters are escaped so that the file stays readable.
    **{chr(code): f"\\u{code:04x}" for code in (*range(0x20), 0x7F) if chr(code) not in "\t\n"},
}
_LITERAL_TABLE = str.maketrans(_LITERAL_ESCAPES)
_ESCAPE_SEQUENCE = re.compile(r"\\(u+[0-9a-fA-F]{4}|.)", re.DOTALL)
_SHORT_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_QUICK_ESCAPES = (
    (b"\\'", b"'"),
    (b"\\u000b", b"\v"),
    *(
        (b"\\" + letter.encode(), character.encode())
        for letter, character in _SHORT_ESCAPES.items()
    ),
)
_NULL_MARK = rb"\N"


def statement(text: str) -> str:
    """A statement that names its language, so that a server's default cannot change what it means.

    >>> statement("MATCH (n) RETURN n")
    'CYPHER 5 MATCH (n) RETURN n'
    """
    return f"CYPHER 5 {text}"


def planned_once(text: str) -> str:
    """A statement whose plan the server keeps, however much the graph has grown since.

    Only for one whose plan does not depend on what is in the graph. Without it Neo4j plans every batch of a
    growing label anew each ten seconds, which took seconds for a wide table (`Cypher replanning
    <https://neo4j.com/docs/cypher-manual/current/planning-and-tuning/query-tuning/>`_).

    >>> planned_once("CYPHER 5 UNWIND $rows AS row CREATE (:Account)")
    'CYPHER 5 replan=skip UNWIND $rows AS row CREATE (:Account)'
    """
    return statement("replan=skip " + text.removeprefix(statement("")))


def identifier(name: str) -> str:
    """A label, type, property or index name in backticks.

    A backtick is doubled, and every backslash is written as its own escape: Neo4j resolves \\uXXXX
    before it looks for the closing backtick, so that ``\\u0060`` would close the name. It passes over
    a pair of backslashes while it does, which is why none is left as it is.

    Raises:
        ScriptError: the name is empty or holds a NUL character.

    >>> print(identifier("Account"), identifier("odd`name"))
    `Account` `odd``name`
    """
    if not name:
        raise ScriptError("an empty name cannot be a label, relationship type or property")
    if "\x00" in name:
        raise ScriptError(f"the name {name!r} holds a NUL character, which Neo4j does not allow")
    return "`" + name.replace("\\", "\\u005c").replace("`", "``") + "`"


def string_literal(text: str) -> str:
    r"""A text as a single-quoted literal.

    >>> print(string_literal("it's"))
    'it\'s'
    """
    return "'" + text.translate(_LITERAL_TABLE) + "'"


def copy_literal(block: bytes) -> bytes:
    r"""A block of COPY text as a literal, where its only backslashes are those of `\N`.

    >>> print(copy_literal(b"1\tAda\n2\t\\N").decode())
    '1  Ada
    2   \\N'
    """
    return b"'" + block.replace(b"\\", b"\\\\").replace(b"'", b"\\'") + b"'"


def has_plain_backslashes_only(block: bytes) -> bool:
    r"""Whether every backslash of the COPY text belongs to a `\N`, so that bytes can be quoted as they are.

    >>> has_plain_backslashes_only(rb"1 \N"), has_plain_backslashes_only(rb"two\nlines")
    (True, False)
    """
    return block.count(b"\\") == block.count(_NULL_MARK)


def copy_literal_between_marks(
    block: bytes, *, row_mark: str, column_mark: str, null_mark: str, spare: str
) -> bytes:
    """A block of any COPY text as a literal of its decoded values, with marks between them.

    Args:
        block: COPY text.
        row_mark: stands between rows; as the other marks, a character that is nowhere in the block.
        column_mark: stands between columns.
        null_mark: stands for NULL.
        spare: one more such character, which does not reach the literal.
    """
    # With its pairs of backslashes out of sight, each other backslash begins an escape; all of COPY's
    # mean the same in Cypher, but for \\v and \\N.
    text = block.replace(b"\\\\", spare.encode())
    text = text.replace(b"\\N", null_mark.encode()).replace(b"\\v", b"\\u000b")
    text = text.replace(b"\t", column_mark.encode()).replace(b"\n", row_mark.encode())
    return b"'" + text.replace(b"'", b"\\'").replace(spare.encode(), b"\\\\") + b"'"


def free_characters(block: bytes) -> Iterator[str]:
    """Characters that are nowhere in a block of COPY text, escaped or not."""
    # Control characters first, then the private use area and the planes above.
    for code in chain(range(0x1E, 0x0D, -1), range(0x07, 0x00, -1), range(0xE000, 0xF900)):
        if chr(code).encode() not in block:
            yield chr(code)
    yield from (chr(code) for code in range(0x10000, 0x110000) if chr(code).encode() not in block)


def literal_text(literal: bytes) -> str:
    r"""The text that a single-quoted literal stands for; `literal` comes without its quotes.

    >>> literal_text(rb"it\'s")
    "it's"
    """
    if b"\\" not in literal:
        return literal.decode()
    spare = next(free_characters(literal), "")
    text = literal.replace(b"\\\\", spare.encode()) if spare else literal
    for escape, character in _QUICK_ESCAPES:
        text = text.replace(escape, character)
    if not spare or b"\\" in text:
        return _ESCAPE_SEQUENCE.sub(_unescape, literal.decode())
    return text.replace(spare.encode(), b"\\").decode()


def _unescape(match: re.Match[str]) -> str:
    escape = match.group(1)
    if escape[0] == "u" and len(escape) > 1:
        return chr(int(escape.lstrip("u"), 16))
    return _SHORT_ESCAPES.get(escape, escape)


_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r"|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
    r"|(?P<mark>[:|&!.{,])?\s*(?:`(?P<quoted>(?:``|[^`])+)`|(?P<word>[^\W\d]\w*))(?P<colon>\s*:)?"
    r"|(?P<other>.)",
    re.DOTALL,
)
_LABEL_MARKS = frozenset(":|&!")


def used_names(statement: str) -> tuple[str, ...]:
    r"""`:Name` of each label and relationship type, `.name` of each property, each once.

    Comments and strings are passed over. A variable before a colon is no name of the graph.

    >>> used_names("MATCH (a:Account {email: $e})-[:PLAYED|WATCHED]->(m) // :Not\nRETURN m.title")
    (':Account', '.email', ':PLAYED', ':WATCHED', '.title')
    """
    found: dict[str, None] = {}
    previous = ""
    brackets: list[str] = []
    for match in _TOKEN.finditer(statement):
        word = match["word"]
        name = match["quoted"].replace("``", "`") if match["quoted"] else word
        for character in (match["mark"], match["other"]):
            if character and character in "([{":
                brackets.append(character)
            elif character and character in ")]}" and brackets:
                brackets.pop()
        if name is None:
            previous = match["other"] or previous
            continue
        mark = match["mark"] or (previous if previous in _LABEL_MARKS or previous == "." else "")
        is_key = mark in ("{", ",") and bool(match["colon"]) and brackets[-1:] == ["{"]
        if mark and mark in _LABEL_MARKS:
            found[f":{name}"] = None
        elif mark == "." or is_key:
            found[f".{name}"] = None
        # What follows a key of a map is its value.
        previous = ":" if match["colon"] and not is_key else ""
    return tuple(found)
