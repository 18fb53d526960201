"""Nodes of a label: one by its key, and lists page by page."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from c360_graph.cypher import serving as text
from c360_graph.serve.problems import Problem
from c360_graph.serve.reading import Reader
from c360_graph.serve.schema import ServedLabel
from c360_graph.serve.values import json_value, read_value

MOST_LISTED = 500

OPERATORS = {"": "=", ".gte": ">=", ".lt": "<"}
"""What follows a property's name in a parameter, and what it means."""

_MOST_CURSOR = 4_000


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A condition as a request states it: `price.lt=10`."""

    property: str
    suffix: str
    value: str


async def read_node(reader: Reader, label: ServedLabel, key: str) -> dict[str, Any]:
    """One node.

    Raises:
        Problem: 404, there is none.
    """
    found = await reader.found(
        text.read_nodes(text.by_key(label.label, label.key), reader.read_names(label)),
        {**reader.key_parameters(label, key), "most": 1},
    )
    if not found:
        raise Problem(404, f"There is no {label.label} with this key.")
    return reader.node(label, found[0])


async def read_page(
    reader: Reader,
    label: ServedLabel,
    filters: Sequence[Filter],
    *,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """A page of nodes in the order of their key, and the cursor of the next one.

    The cursor names the last key of the page, so that nodes that are added or removed meanwhile move no
    other one to another page.

    Raises:
        Problem: 403, the key or a filter is personal and the client may not see it; 400, the cursor is
            not of this list; 422, a value of a filter is not of the property's type.
    """
    if label.has_personal_key and not reader.client.unmasked:
        raise Problem(
            403, f"The key of {label.label} is personal; listing needs the scope unmasked."
        )
    of = _digest(label, filters)
    types = label.key_types if _is_ordered_by_key(label) else ()
    after = _read_cursor(cursor, of, types) if cursor is not None else None
    conditions, parameters = _conditions(reader, label, filters)
    statement = text.page_of_nodes(
        label.label,
        reader.read_names(label),
        key=label.key if types else (),
        is_first=after is None,
        conditions=conditions,
    )
    found = await reader.found(statement, {**parameters, **(after or {}), "most": limit + 1})
    page = found[:limit]
    more = len(found) > limit
    return {
        "nodes": [reader.node(label, one) for one in page],
        "next": _cursor(of, page[-1]["after"]) if more else None,
    }


def _is_ordered_by_key(label: ServedLabel) -> bool:
    # Tables that share a label may have keys of other columns: a node lacks those of the others.
    return bool(label.key) and not label.is_shared


def _conditions(
    reader: Reader, label: ServedLabel, filters: Sequence[Filter]
) -> tuple[tuple[text.Condition, ...], dict[str, Any]]:
    seen = reader.names(label)
    conditions, parameters = [], {}
    for index, one in enumerate(filters):
        if one.property not in seen:
            raise Problem(
                403,
                f"{label.label}.{one.property} is personal; to filter by it needs the scope unmasked.",
            )
        try:
            value = read_value(one.value, label.by_name[one.property].type)
        except ValueError as error:
            name = f"{one.property}{one.suffix}"
            raise Problem(
                422, "A filter is wrong.", errors=({"parameter": name, "detail": str(error)},)
            ) from None
        parameters[f"filter{index}"] = value
        conditions.append(
            text.Condition(
                property=one.property, operator=OPERATORS[one.suffix], parameter=f"filter{index}"
            )
        )
    return tuple(conditions), parameters


def _digest(label: ServedLabel, filters: Sequence[Filter]) -> str:
    said = [label.label, *(f"{f.property}{f.suffix}={f.value}" for f in filters)]
    return sha256(json.dumps(said).encode()).hexdigest()[:12]


def _cursor(of: str, after: Sequence[Any]) -> str:
    said = json.dumps([of, *json_value(after)], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _read_cursor(cursor: str, of: str, types: Sequence[str]) -> Mapping[str, Any]:
    """The parameters `after0`, `after1` and so on; without types it is one number, of the database's ids."""
    try:
        if len(cursor) > _MOST_CURSOR:
            raise ValueError
        said = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        if not isinstance(said, list) or said[0] != of or len(said) != 1 + max(1, len(types)):
            raise ValueError
        return {
            f"after{index}": _as_type(value, type_name)
            for index, (value, type_name) in enumerate(
                zip(said[1:], types or ("INTEGER",), strict=True)
            )
        }
    except (ValueError, IndexError, RecursionError, UnicodeError):
        raise Problem(
            400, "The cursor is not one of this list. Begin again without a cursor."
        ) from None


def _as_type(value: Any, type_name: str) -> Any:
    if isinstance(value, bool) and type_name == "BOOLEAN":
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return read_value(json.dumps(value), type_name)
    if not isinstance(value, str):
        raise ValueError
    return read_value(value, type_name)
