"""Errors as RFC 9457 has them: `application/problem+json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field

from c360_graph.serve.values import json_bytes

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
