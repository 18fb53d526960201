"""What is read of the graph for a request: by one statement each, and only of a graph that is whole."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar

from c360_graph.cypher import serving as text
from c360_graph.cypher.manifest import WHOLE
from c360_graph.cypher.serving import Arm
from c360_graph.graph.read_only import AsyncGraph
from c360_graph.mapping.names import IS, POSSIBLY_SAME_AS
from c360_graph.serve.clients import Client
from c360_graph.serve.schema import Branch, ServedGraph, ServedLabel
from c360_graph.serve.values import Problem, json_value, key_text, read_key, read_value, unavailable

_MOST_KEPT = 1_000
_T = TypeVar("_T")

REBUILDING = (
    "The graph is being rebuilt. Ask again in a moment; `c360 run` says how far the load is."
)

MOST_LISTED = 500

OPERATORS = {"": "=", ".gte": ">=", ".lt": "<"}
"""What follows a property's name in a parameter, and what it means."""

_MOST_CURSOR = 4_000


@dataclass(frozen=True, kw_only=True)
class Reader:
    """What a request is answered from: the graph, what is served of it, and to whom."""

    graph: AsyncGraph
    served: ServedGraph
    client: Client
    timeout_seconds: float
    max_degree: int
    loads: tuple[str, ...] = ()
    """What the graph's mark says of the load that `served` was read of."""
    kept: dict[Any, Any] = field(default_factory=dict)
    """What was made for earlier requests: to make a statement anew takes as long as to send it."""

    def once(self, name: tuple[Any, ...], make: Callable[[], _T]) -> _T:
        """What `make` returns, made once for a graph, the labels of a client, and its scope."""
        of = (self.served.fingerprint, self.client.labels, self.client.unmasked, *name)
        if of not in self.kept:
            if len(self.kept) >= _MOST_KEPT:
                self.kept.clear()
            self.kept[of] = make()
        found: _T = self.kept[of]
        return found

    def label(self, name: str) -> ServedLabel:
        """A label that is served to the client.

        Raises:
            Problem: 403, it is not; 404, the graph has it no more.
        """
        if name not in self.served.labels:
            raise Problem(404, f"The graph has no label {name} any more.")
        if not self.client.sees(name):
            raise Problem(403, f"The key does not permit the label {name}.")
        return self.served.labels[name]

    def customer_label(self) -> ServedLabel:
        """The label of the customers.

        Raises:
            Problem: 404, the graph has none; 403, it is not served to the client.
        """
        if self.served.customer is None:
            raise Problem(404, "The graph has no label with a key, so there are no customers.")
        return self.label(self.served.customer)

    def names(self, label: ServedLabel) -> tuple[str, ...]:
        """The properties of a label that the client may see."""
        make = partial(label.names, unmasked=self.client.unmasked)
        return self.once(("names", label.label), make)

    def read_names(self, label: ServedLabel) -> tuple[str, ...]:
        """Those, and the key, which names nodes even where it is not shown."""
        return tuple(dict.fromkeys((*self.names(label), *label.key)))

    def arms(self, at: Iterable[str]) -> tuple[tuple[Branch, ...], tuple[Arm, ...]]:
        """The kinds of relationships that are served, and how they are read."""
        labels = tuple(at)
        return self.once(("arms", labels), lambda: self._arms(labels))

    def _arms(self, at: tuple[str, ...]) -> tuple[tuple[Branch, ...], tuple[Arm, ...]]:
        seen = [name for name in self.served.labels if self.client.sees(name)]
        branches = self.served.branches([name for name in at if self.client.sees(name)], to=seen)
        return branches, tuple(self._arm(branch) for branch in branches)

    def customer_arms(self) -> tuple[tuple[Branch, ...], tuple[Arm, ...]]:
        """Those of a customer and its records that lead to no customer: neither back, nor to others that may be
        the same."""
        return self.once(("customer arms",), self._customer_arms)

    def _customer_arms(self) -> tuple[tuple[Branch, ...], tuple[Arm, ...]]:
        customer, records = self.customer_label().label, self.served.records
        found = zip(*self.arms((customer, *records)), strict=True)
        own = [
            (branch, arm)
            for branch, arm in found
            if not (branch.label == customer and branch.relationship_type in (IS, POSSIBLY_SAME_AS))
        ]
        return tuple(branch for branch, _ in own), tuple(arm for _, arm in own)

    def _arm(self, branch: Branch) -> Arm:
        far = self.served.labels[branch.label]
        names = self.names(far)
        return Arm(
            at=branch.at,
            relationship_type=branch.relationship_type,
            outward=branch.outward,
            label=branch.label,
            names=self.read_names(far),
            edge_names=self.served.edge_names(branch.pattern, unmasked=self.client.unmasked),
            moment=far.moment if far.moment in names else None,
            is_alone=branch.is_alone,
        )

    async def found(self, statement: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """What a statement of `cypher.serving` finds.

        Raises:
            Problem: 503, a load began meanwhile, or ended.
            GraphError: the server refuses, is away, or took too long.
        """
        (row,) = await self.graph.rows(statement, parameters, timeout_seconds=self.timeout_seconds)
        # Another load may have given ids of nodes to others since the last statement of the request.
        if tuple(row["states"]) != (WHOLE,) or tuple(row["loads"]) != self.loads:
            raise unavailable(REBUILDING)
        return tuple(row["found"])

    def key_parameters(self, label: ServedLabel, key: str) -> dict[str, Any]:
        """The parameters of a key that stands in a URL.

        Raises:
            Problem: 404, nodes of the label have no such key.
        """
        if not label.key:
            raise Problem(404, f"Nodes of {label.label} have no key, so none can be named.")
        try:
            return read_key(key, label.key_types)
        except ValueError as error:
            raise Problem(404, f"No {label.label} has such a key: {error}.") from None

    def key_of(self, label: ServedLabel, properties: Mapping[str, Any]) -> str | None:
        """The key of a node as it stands in a URL; None where it has none, or none that may be shown."""
        if not label.key or (label.has_personal_key and not self.client.unmasked):
            return None
        return key_text(tuple(properties.get(name) for name in label.key))

    def extra_labels(self, label: ServedLabel) -> tuple[str, ...]:
        """The further labels of a label's nodes that the client may see."""
        make = partial(label.extra_labels, unmasked=self.client.unmasked)
        return self.once(("extra labels", label.label), make)

    def node(self, label: ServedLabel, found: Mapping[str, Any]) -> dict[str, Any]:
        """A node as it is served: properties that it does not have are left out."""
        names, properties = self.names(label), found["properties"]
        return {
            "label": label.label,
            "extra_labels": [e for e in self.extra_labels(label) if e in found["labels"]],
            "key": self.key_of(label, properties),
            "properties": {
                name: value for name in names if (value := properties.get(name)) is not None
            },
        }


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
