"""PostgreSQL's COPY text form: rows as lines, columns between tabs, `\\N` for NULL, backslash escapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from c360_graph.property_types import ELEMENT_END, ESCAPE, JSON_MARK

MAX_BATCH_ROWS = 1_000
MAX_BATCH_BYTES = 4_000_000

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def blocks(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Cut an extract into (rows, text without its last newline), each a batch.

    A batch ends at 1,000 rows or 4 MB, whichever comes first; one longer row is a batch alone.
    """
    carried: list[bytes] = []
    while lines := carried + list(islice(file, MAX_BATCH_ROWS - len(carried))):
        if sum(map(len, lines)) <= MAX_BATCH_BYTES:
            taken, carried = lines, []
        else:
            taken, carried = _cut(lines)
        yield len(taken), b"".join(taken)[:-1]


def _cut(lines: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    size = 0
    for count, line in enumerate(lines):
        size += len(line)
        if size > MAX_BATCH_BYTES:
            return lines[: max(count, 1)], lines[max(count, 1) :]
    return lines, []


def decode_value(text: str) -> str | None:
    """One column's text as the value it stands for."""
    if text == "\\N":
        return None
    if "\\" not in text:
        return text
    # COPY TO writes no octal or hexadecimal escapes, so a backslash stands before one character.
    return _ESCAPE.sub(lambda match: _LETTERS.get(match.group(1), match.group(1)), text)


def decode_rows(block: bytes) -> list[list[str | None]]:
    """A block's rows; no column of the text form holds a raw tab or newline."""
    return [
        [decode_value(value) for value in line.split("\t")] for line in block.decode().split("\n")
    ]


def shown_list(text: str) -> str:
    """A list's rendered text for a reader: its elements in brackets, or its JSON."""
    if text.startswith(chr(JSON_MARK)):
        return text[1:]
    elements = text.split(chr(ELEMENT_END))[:-1]
    escape = chr(ESCAPE)
    marks = ((JSON_MARK, "2"), (ELEMENT_END, "1"), (ESCAPE, "0"))
    for code, digit in marks:
        elements = [element.replace(escape + digit, chr(code)) for element in elements]
    return f"[{', '.join(elements)}]"
