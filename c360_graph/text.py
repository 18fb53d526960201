"""Text that is shown: counts with their nouns, and characters that would act on a terminal or a page."""

from __future__ import annotations

import re

_ACTING = re.compile(
    # Controls, but for tab and newline.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    # Marks that change the direction of what follows.
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    # Line and paragraph separators, the byte order mark, annotations, invisible tags.
    "\u2028\u2029\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    # Halves of a pair, which no encoding can write.
    "\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""A text with every character that acts, rather than being seen, as its escape.

    A customer's name may hold an escape sequence that changes the terminal of whoever prints it, or a
    mark that turns the direction of the text around it (https://unicode.org/reports/tr36/).

    >>> print(visible("John\x1b]0;owned\x07 \u202eevil"))
    John\x1b]0;owned\x07 \u202eevil
    """
    return _ACTING.sub(lambda match: _escape(match[0]), text)


def visible_line(text: str) -> str:
    r"""As `visible`, for where one line is expected: line breaks and tabs are escapes, too.

    A customer's name with line breaks could forge rows of the table that it is printed in.

    >>> print(visible_line("John\n| Admin\t|"))
    John\n| Admin\t|
    """
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def json_visible(text: str) -> str:
    r"""JSON with such characters as the escapes of JSON, so that it means the same.

    >>> print(json_visible('{"name": "\x9b2J"}'))
    {"name": "\u009b2J"}
    """
    return _ACTING.sub(lambda match: "".join(f"\\u{unit:04x}" for unit in _utf16(match[0])), text)


def _escape(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _utf16(character: str) -> list[int]:
    number = ord(character)
    if number < 0x10000:
        return [number]
    number -= 0x10000
    return [0xD800 + (number >> 10), 0xDC00 + (number & 0x3FF)]


def plural(count: int, noun: str) -> str:
    """`1 table`, `2 tables`.

    >>> plural(1, "table"), plural(2_000, "row")
    ('1 table', '2,000 rows')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
