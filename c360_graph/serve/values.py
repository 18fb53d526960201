"""Values and errors on their way out as JSON, errors as RFC 9457 has them, and texts of a URL on their way in."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import unquote

from fastapi import Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

_PLAIN = frozenset({str, int, bool, type(None)})
INTEGERS = range(-(2**63), 2**63)

MEDIA_TYPE = "application/problem+json"

TITLES = {
    400: "The request cannot be understood",
    401: "A key is needed",
    403: "The key does not permit this",
    404: "Not found",
    405: "The method is not allowed",
    406: "No such format",
    413: "The request is too large",
    422: "A parameter is wrong",
    429: "Too many requests",
    500: "The server failed",
    503: "Not available at the moment",
    504: "The query took too long",
}


def json_bytes(value: Any) -> bytes:
    r"""A value as JSON, as `json_value` makes it.

    >>> json_bytes({"at": datetime(2025, 11, 3, tzinfo=UTC), "rate": math.nan, "image": b"\xfb\xff"})
    b'{"at":"2025-11-03T00:00:00Z","rate":null,"image":"+/8="}'
    """
    return to_json(json_value(value))


def _text(value: Any) -> Any:
    return value.iso_format() if hasattr(value, "iso_format") else str(value)


def json_value(value: Any) -> Any:
    """A value as JSON has it.

    Moments and durations are texts of ISO 8601, bytes are base64 of the standard alphabet (`+` and `/`), a number
    that JSON lacks is null.

    >>> json_value((date(2025, 11, 3), b"x"))
    ['2025-11-03', 'eA==']
    """
    # First, since almost all are.
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else _text(value)


def read_value(text: str, type_name: str) -> Any:
    """What a text of a URL means as a value of one of Neo4j's types.

    Raises:
        ValueError: it is none; the message says what was expected and not what was given.

    >>> read_value("12", "INTEGER"), read_value("true", "BOOLEAN"), read_value("x", "STRING")
    (12, True, 'x')
    """
    if "\x00" in text:
        raise ValueError("a text without NUL characters is expected")
    try:
        match type_name:
            case "INTEGER":
                return _integer(text)
            case "FLOAT":
                return float(text)
            case "BOOLEAN":
                return {"true": True, "false": False}[text.lower()]
            case "DATE":
                return date.fromisoformat(text)
            case "ZONED DATETIME":
                moment = datetime.fromisoformat(text)
                return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            case "LOCAL DATETIME":
                return datetime.fromisoformat(text).replace(tzinfo=None)
    except (ValueError, KeyError, OverflowError):
        raise ValueError(f"a value of the type {type_name} is expected") from None
    return text


FILTERED = ("STRING", "INTEGER", "FLOAT", "BOOLEAN", "DATE", "ZONED DATETIME", "LOCAL DATETIME")
"""Types of properties that lists are filtered by."""
ORDERED = tuple(name for name in FILTERED if name != "BOOLEAN")


def _integer(text: str) -> int:
    # Python's int() takes underscores, blanks and digits of other scripts.
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise ValueError
    number = int(text)
    if number not in INTEGERS:
        raise ValueError
    return number


def key_text(values: tuple[Any, ...]) -> str:
    """A key as it stands in a URL: one value as its text, several as a JSON array of texts.

    >>> key_text((12,)), key_text(("eu", 4))
    ('12', '["eu","4"]')
    """
    texts = [_key_part(value) for value in values]
    return (
        texts[0]
        if len(texts) == 1
        else json.dumps(texts, separators=(",", ":"), ensure_ascii=False)
    )


def split_path(raw: bytes) -> str:
    """A path as routes see it: a slash that belongs to a key stays apart from those between the parts.

    >>> split_path(b"/v1/customers/a%2Fb%25/journey")
    '/v1/customers/a%2Fb%25/journey'
    >>> split_path(b"/v1/customers/%C3%A9%20x")
    '/v1/customers/é x'
    """
    parts = raw.decode("latin-1").split("/")
    return "/".join(unquote(part).replace("%", "%25").replace("/", "%2F") for part in parts)


def whole_segment(part: str) -> str:
    """A part of such a path as it was meant.

    >>> whole_segment("a%2Fb%25")
    'a/b%'
    """
    return part.replace("%2F", "/").replace("%25", "%")


def _key_part(value: Any) -> str:
    shown = json_value(value)
    if isinstance(shown, bool):
        return str(shown).lower()
    return shown if isinstance(shown, str) else json.dumps(shown)


def read_key(text: str, types: tuple[str, ...]) -> dict[str, Any]:
    """The parameters `key0`, `key1` and so on of a key that stands in a URL.

    Raises:
        ValueError: it is no key of these types.

    >>> read_key('["eu","4"]', ("STRING", "INTEGER"))
    {'key0': 'eu', 'key1': 4}
    """
    texts: Any = [text]
    if len(types) > 1:
        try:
            texts = json.loads(text)
        except (ValueError, RecursionError):
            texts = None
        if not (
            isinstance(texts, list)
            and len(texts) == len(types)
            and all(isinstance(part, str) for part in texts)
        ):
            raise ValueError(f"a JSON array of {len(types)} texts is expected")
    return {
        f"key{index}": read_value(part, type_name)
        for index, (part, type_name) in enumerate(zip(texts, types, strict=True))
    }


class ProblemDocument(BaseModel):
    """What is sent with a status of 400 or more."""

    type: str = Field(default="about:blank", description="Always `about:blank`.")
    title: str = Field(description="What the status means.")
    status: int = Field(description="The status of the response.")
    detail: str = Field(default="", description="What is wrong, and what to do.")
    errors: list[dict[str, str]] | None = Field(
        default=None, description="The parameters that are wrong: `parameter` and `detail`."
    )


@dataclass
class Problem(Exception):
    """Ends a request. The detail never repeats a value that was sent."""

    status: int
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[Mapping[str, str], ...] = ()

    def response(self) -> Response:
        """As it is sent."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = [dict(error) for error in self.errors]
        return Response(
            json_bytes(document),
            self.status,
            headers={"Cache-Control": "no-store", **self.headers},
            media_type=MEDIA_TYPE,
        )


def unavailable(detail: str, *, retry_after: int = 2) -> Problem:
    """Something that is needed is away for the moment."""
    return Problem(503, detail, headers={"Retry-After": str(retry_after)})
