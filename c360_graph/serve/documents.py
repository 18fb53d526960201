"""What the OpenAPI document says of every route alike."""

from __future__ import annotations

from typing import Any

from c360_graph.serve.problems import MEDIA_TYPE, TITLES, ProblemDocument

DESCRIPTION = (
    "The graph that c360_graph loads, read-only. Labels, properties and relationships are those of the last load."
    " Send a key as `Authorization: Bearer KEY` or `X-API-Key: KEY`. What is not served to the key is left"
    " out: labels, and personal properties without the scope `unmasked`. Errors are documents of RFC 9457."
)

_EVERYWHERE = (401, 413, 429, 502, 503, 504)
_RETRY = {
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route: those of every route, and its own."""
    return {
        status: {
            "description": TITLES.get(status, "Error"),
            # Named instead of given as a model, of which FastAPI would make one for each route and status.
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
            **({"headers": _RETRY} if status in (429, 503) else {}),
        }
        for status in sorted({*_EVERYWHERE, *statuses})
    }


def validators() -> dict[str, Any]:
    """The headers by which a client asks whether anything changed."""
    text = {"type": "string"}
    return {
        "headers": {
            "ETag": {"description": "Changes with the graph.", "schema": text},
            "Last-Modified": {"description": "When the graph last changed.", "schema": text},
        }
    }


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what errors look like, and with the ways to send a key."""
    components = document.setdefault("components", {})
    schema = ProblemDocument.model_json_schema()
    components.setdefault("schemas", {})["ProblemDocument"] = schema
    schemes = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    components["securitySchemes"] = schemes
    document["security"] = [{name: []} for name in schemes]
    return document
