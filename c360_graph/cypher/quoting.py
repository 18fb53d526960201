"""Names and strings as Cypher text, and back: the one place where foreign text meets Cypher."""

from __future__ import annotations

import re

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
_NULL_MARK = rb"\N"


def identifier(name: str) -> str:
    """A label, type, property or index name in backticks.

    A backtick is doubled, and a backslash before `u` is written as its own escape: Neo4j resolves
    \\uXXXX before it looks for the closing backtick, so that ``\\u0060`` would close the name.

    Raises:
        ScriptError: the name is empty or holds a NUL character.
    """
    if not name:
        raise ScriptError("an empty name cannot be a label, relationship type or property")
    if "\x00" in name:
        raise ScriptError(f"the name {name!r} holds a NUL character, which Neo4j does not allow")
    return "`" + re.sub(r"\\(?=u)", r"\\u005c", name).replace("`", "``") + "`"


def string_literal(text: str) -> str:
    """A text as a single-quoted literal."""
    return "'" + text.translate(_LITERAL_TABLE) + "'"


def copy_literal(block: bytes) -> bytes:
    """A block of COPY text as a literal, where its only backslashes are those of `\\N`."""
    return b"'" + block.replace(b"\\", b"\\\\").replace(b"'", b"\\'") + b"'"


def has_plain_backslashes_only(block: bytes) -> bool:
    """Whether every backslash of the COPY text belongs to a `\\N`, so that bytes can be quoted as they are."""
    return block.count(b"\\") == block.count(_NULL_MARK)


def literal_text(literal: bytes) -> str:
    """The text that a single-quoted literal stands for; `literal` comes without its quotes."""
    if b"\\" not in literal:
        return literal.decode()
    quotes_undone = literal.replace(b"\\'", b"'") if b"\\\\'" not in literal else literal
    if quotes_undone.count(b"\\") == 2 * quotes_undone.count(b"\\\\N"):
        return quotes_undone.replace(b"\\\\N", b"\\N").decode()
    return _ESCAPE_SEQUENCE.sub(_unescape, literal.decode())


def _unescape(match: re.Match[str]) -> str:
    escape = match.group(1)
    if escape[0] == "u" and len(escape) > 1:
        return chr(int(escape.lstrip("u"), 16))
    return _SHORT_ESCAPES.get(escape, escape)
