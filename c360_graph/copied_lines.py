"""Lines of COPY's text form whose values are replaced before they are written anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Replacement = Callable[[bytes], bytes | None]
"""Takes a value's bytes and gives what stands for it, as COPY would write it; None for NULL."""

_NULL, _BACKSLASH = b"\\N", b"\\"
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_MARKS = {value: _BACKSLASH + letter for letter, value in _LETTERS.items()} | {b"\\": b"\\\\"}
_ESCAPED = re.compile(rb"[\x08-\x0d\\]")


def replacing_values(replacements: Mapping[int, Replacement]) -> Callable[[bytes], bytes]:
    """What replaces the values at some positions of a line; NULL stays NULL.

    A line ends with its newline.
    """
    chosen = tuple(replacements.items())

    def replace(line: bytes) -> bytes:
        fields = line[:-1].split(b"\t")
        for position, replaced in chosen:
            value = fields[position]
            if value == _NULL:
                continue
            found = replaced(_decoded(value) if _BACKSLASH in value else value)
            fields[position] = _NULL if found is None else found
        return b"\t".join(fields) + b"\n"

    return replace


def copied_text(text: str) -> bytes:
    """A text as COPY writes it.

    >>> copied_text("a\\tb")
    b'a\\\\tb'
    """
    encoded = text.encode()
    if not _ESCAPED.search(encoded):
        return encoded
    return _ESCAPED.sub(lambda match: _MARKS.get(match[0], match[0]), encoded)


def _decoded(value: bytes) -> bytes:
    # COPY TO writes no octal or hexadecimal escapes, so a backslash stands before one character.
    return _ESCAPE.sub(lambda match: _LETTERS.get(match[1], match[1]), value)
