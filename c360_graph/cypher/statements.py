"""Reading a script: any client's Cypher cut into statements, as a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pydantic import ValidationError

from c360_graph.cypher.quoting import literal_text
from c360_graph.cypher.script import (
    FACTS_PREFIX,
    FORMAT,
    HEADER_PREFIX,
    ScriptHeader,
    StatementFacts,
)
from c360_graph.errors import ScriptError

READ_BYTES = 1_000_000

_NEXT_TOKEN = re.compile(rb"""['"`;]|//|/\*""")
# Possessive and unrolled: a literal of many MB is passed over at the speed of a copy.
_REST_OF = {
    b"'": re.compile(rb"[^'\\]*+(?:\\.[^'\\]*+)*+'", re.DOTALL),
    b'"': re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL),
    b"`": re.compile(rb"[^`]*+`"),
    b"//": re.compile(rb"[^\n]*+\n"),
    b"/*": re.compile(rb".*?\*/", re.DOTALL),
}
_PRELUDE = re.compile(rb"(?:\s+|//[^\n]*+(?:\n|$)|/\*.*?\*/)*+", re.DOTALL)
_LIFTED = re.compile(
    rb"(?P<before>CYPHER 5 UNWIND split\()'(?P<literal>[^'\\]*+(?:\\.[^'\\]*+)*+)'", re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement without its semicolon; `number` counts from 1 in the script."""

    number: int
    text: bytes
    facts: StatementFacts | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A statement whose data was lifted out: `text` is the same for every batch of a table."""

    text: str
    rows: str


def read_header(file: BinaryIO) -> ScriptHeader | None:
    """The header where the script is one of ours; leaves the file at its beginning.

    Raises:
        ScriptError: it is ours, but of a format this version does not know.
    """
    line = file.readline(1_000_000)
    file.seek(0)
    if not line.startswith(HEADER_PREFIX):
        return None
    try:
        header = ScriptHeader.model_validate_json(line.removeprefix(HEADER_PREFIX))
    except ValidationError:
        raise ScriptError("the script's first line is damaged; write the script anew") from None
    if header.format != FORMAT:
        raise ScriptError(
            f"the script has format {header.format}, this version reads {FORMAT}; write it anew"
        )
    return header


def read_statements(file: BinaryIO) -> Iterator[Statement]:
    """Each statement in order; holds one in memory.

    Raises:
        ScriptError: the file ends inside a string, a name or a comment, or after a statement with no
            semicolon: it was cut short.
    """
    number = 0
    for raw in _split(file):
        prelude = _PRELUDE.match(raw)
        start = prelude.end() if prelude else 0
        if start == len(raw):
            continue
        number += 1
        yield Statement(number=number, text=raw[start:], facts=_facts(raw[:start], number))


def lift(statement: Statement) -> Batch | None:
    """Take the data out of a batch of ours; None for a statement of any other shape."""
    match = _LIFTED.match(statement.text)
    if match is None:
        return None
    text = match["before"] + b"$rows" + statement.text[match.end() :]
    return Batch(text=text.decode(), rows=literal_text(match["literal"]))


def _facts(prelude: bytes, number: int) -> StatementFacts | None:
    lines = [line for line in prelude.splitlines() if line.startswith(FACTS_PREFIX)]
    if not lines:
        return None
    try:
        return StatementFacts.model_validate_json(lines[-1].removeprefix(FACTS_PREFIX))
    except ValidationError:
        raise ScriptError(f"the comment before statement {number} is damaged") from None


def _split(file: BinaryIO) -> Iterator[bytes]:
    """The text up to each semicolon that is in no string, name or comment."""
    buffer, start, position = b"", 0, 0
    while True:
        found = _NEXT_TOKEN.search(buffer, position)
        if found is not None and found.group() == b";":
            yield buffer[start : found.start()]
            start = position = found.end()
            continue
        passed = _REST_OF[found.group()].match(buffer, found.end()) if found else None
        if passed is not None:
            position = passed.end()
            continue
        # A token may be cut by the buffer's end: keep one byte, read on, look again. Reading as much
        # as is held keeps the work linear in the size of the longest statement.
        position = found.start() if found else max(position, len(buffer) - 1)
        more = file.read(max(READ_BYTES, len(buffer) - start))
        if not more:
            break
        buffer, position, start = buffer[start:] + more, position - start, 0
    rest = buffer[start:]
    ended = _PRELUDE.match(rest)
    if ended is None or ended.end() != len(rest):
        shown = rest[ended.end() if ended else 0 :][:60].decode(errors="replace")
        raise ScriptError(f"the script is cut short: its last statement has no end ({shown!r}...)")
