"""PostgreSQL's COPY text form: rows as lines, columns between tabs, `\\N` for NULL, backslash escapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from c360_graph.mapping.property_types import ELEMENT_END, ESCAPE, JSON_MARK

MAX_BATCH_ROWS = 2_000
"""Measured with 300,000 rows of 8 properties: 1,000 rows 54,000 rows/s, 2,000 65,000, 5,000 55,000, 10,000 52,000."""
MAX_BATCH_BYTES = 1_000_000
MAX_BATCH_VALUES = 100_000
"""What a server's transaction holds grows with the values: a batch of a wide table has fewer rows."""

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def blocks(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    r"""Cut an extract into (rows, text without its last newline), each a batch.

    A batch ends at 2,000 rows, 100,000 values or 1 MB, whichever comes first; one longer row is a
    batch alone.

    >>> from io import BytesIO
    >>> list(blocks(BytesIO(b"1\tAda\n2\tBob\n")))
    [(2, b'1\tAda\n2\tBob')]
    """
    lines: list[bytes] = []
    size = 0
    most = MAX_BATCH_ROWS
    while True:
        if len(lines) < most and size <= MAX_BATCH_BYTES:
            # By bytes, not by rows: a thousand rows may be a gigabyte.
            more = file.readlines(MAX_BATCH_BYTES)
            lines += more
            size += sum(map(len, more))
        if not lines:
            return
        most = min(MAX_BATCH_ROWS, max(1, MAX_BATCH_VALUES // (lines[0].count(b"\t") + 1)))
        taken = _fitting(lines[:most])
        del lines[: len(taken)]
        block = b"".join(taken)
        size -= len(block)
        yield len(taken), block[:-1]


def _fitting(lines: list[bytes]) -> list[bytes]:
    """The first lines that make 1 MB together, one at least."""
    if sum(map(len, lines)) <= MAX_BATCH_BYTES:
        return lines
    size = 0
    for count, line in enumerate(lines):
        size += len(line)
        if size > MAX_BATCH_BYTES:
            return lines[: max(count, 1)]
    return lines


def decode_value(text: str) -> str | None:
    r"""One column's text as the value it stands for.

    >>> decode_value(r"two\nlines")
    'two\nlines'
    >>> decode_value(r"\N") is None
    True
    """
    if text == "\\N":
        return None
    if "\\" not in text:
        return text
    # COPY TO writes no octal or hexadecimal escapes, so a backslash stands before one character.
    return _ESCAPE.sub(lambda match: _LETTERS.get(match.group(1), match.group(1)), text)


def decode_rows(block: bytes) -> list[list[str | None]]:
    r"""A block's rows; no column of the text form holds a raw tab or newline.

    >>> decode_rows(b"1\tAda\n2\t\\N")
    [['1', 'Ada'], ['2', None]]
    """
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
