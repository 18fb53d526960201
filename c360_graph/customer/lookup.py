"""Finds the node that a value identifies, in whatever label and property the graph has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from c360_graph.cypher import customers as text
from c360_graph.cypher.manifest import read_manifest
from c360_graph.errors import GraphError
from c360_graph.graph.connection import Graph
from c360_graph.graph.read_only import read
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.mapping.model import JOIN_PREFIX

_INTEGER = re.compile("-?[1-9][0-9]{0,18}|0")
_INTEGERS = range(-(2**63), 2**63)


@dataclass(frozen=True, kw_only=True)
class Match:
    """A node that is the only one of its label to have the value in the property."""

    id: str
    label: str
    property: str
    properties: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """What a value identifies; `mentions` are `label.property` where several nodes have it."""

    matches: tuple[Match, ...]
    mentions: tuple[str, ...] = ()


class CustomerGraph:
    """The graph as a load described it, read within a time."""

    def __init__(self, graph: Graph, *, timeout_seconds: float) -> None:
        self._graph = graph
        self._timeout = timeout_seconds

    @cached_property
    def schema(self) -> GraphManifest:
        """The labels, properties, keys and relationships that the last load wrote.

        Raises:
            GraphError: no load of ours has been here.
        """
        rows = self._graph.rows(read_manifest())
        try:
            manifest = GraphManifest.model_validate_json(rows[0]["content"] if rows else "")
        except ValidationError:
            raise GraphError(
                f"{self._graph.place} holds no graph of this pipeline. Materialize neo4j_graph first."
            ) from None
        # What joins compare says no more of a customer than the columns that it is made of.
        labels = {label: _without_forms(names) for label, names in manifest.labels.items()}
        return manifest.model_copy(update={"labels": labels})

    def rows(self, statement: str, *, most: int = 1000, **parameters: Any) -> list[dict[str, Any]]:
        """The records of a statement, which may only read; `$most` bounds them.

        Raises:
            GraphError: the server refuses, or ended it after the time.
        """
        reading = read(
            self._graph,
            statement,
            {**parameters, "most": most},
            timeout_seconds=self._timeout,
            keep=most,
        )
        return [dict(zip(reading.columns, row, strict=True)) for row in reading.rows]


def look_up(
    graph: CustomerGraph, value: str, *, hash_key: str | None, label: str | None = None
) -> Lookup:
    """Find what a value, or its hash, identifies.

    A property whose values are all different within its label goes first: it keeps out those that
    only refer to the node. Where there is none, any property counts that one node alone has the
    value in. Indexed properties are asked first, since each is one seek; only where none of the
    first kind has the value is every node read.

    Args:
        graph: where.
        value: such as an email or an id; compared with texts as it is, and with numbers where it is an
            integer as people write it.
        hash_key: of the `hash` treatment; then properties that hold the value's hash are found too.
        label: to look at this label alone.

    Raises:
        GraphError: the graph has no such label, or the server refuses.
    """
    schema = graph.schema
    if label is not None and label not in schema.labels:
        raise GraphError(f"The graph has no label {label}; it has {', '.join(schema.labels)}.")
    labels = [label] if label else list(schema.labels)
    values = _compared(value, hash_key)
    only: list[Match] = []
    mentions: list[str] = []
    for found in _first_by_index(graph, labels, values):
        unique: list[Match] = []
        for match, is_only in found:
            if not is_only:
                mentions.append(f"{match.label}.{match.property}")
            elif _is_unique(graph, match):
                unique.append(match)
            else:
                only.append(match)
        if unique:
            return Lookup(matches=_each_once(unique))
    return Lookup(matches=_each_once(only), mentions=() if only else tuple(mentions))


def hashed(value: str, key: str) -> str:
    """What the `hash` treatment makes of a value."""
    return KeyedHash(key).of(value)


def _compared(value: str, hash_key: str | None) -> list[str | int]:
    values: list[str | int] = [value]
    if hash_key:
        values.append(hashed(value, hash_key))
    # What is written otherwise, such as 007, is a text that an integer is not.
    if _INTEGER.fullmatch(value) and int(value) in _INTEGERS:
        values.append(int(value))
    return values


Found = Iterator[tuple[Match, bool]]
"""A node for each property that has the value, and whether it is the only one."""


def _first_by_index(
    graph: CustomerGraph, labels: list[str], values: list[str | int]
) -> Iterator[Found]:
    """By each property that has an index, then by each that has none."""
    rows = graph.rows(text.indexed_properties())
    indexed = [
        (row["label"], row["property"])
        for row in rows
        if row["label"] in labels and not row["property"].startswith(JOIN_PREFIX)
    ]
    yield _by_index(graph, indexed, values)
    others = {
        label: [name for name in graph.schema.labels[label] if (label, name) not in indexed]
        for label in labels
    }
    yield _by_reading_all(graph, others, values)


def _by_index(
    graph: CustomerGraph, indexed: list[tuple[str, str]], values: list[str | int]
) -> Found:
    for label, name in indexed:
        yield from _found(label, graph.rows(text.find_by_property(label, name), values=values))


def _by_reading_all(
    graph: CustomerGraph, names: dict[str, list[str]], values: list[str | int]
) -> Found:
    for label, some in names.items():
        statement = text.find_by_any_property(label)
        yield from _found(label, graph.rows(statement, names=some, values=values))


def _found(label: str, rows: Iterable[dict[str, Any]]) -> Found:
    for row in rows:
        properties = {name: row["properties"][name] for name in _without_forms(row["properties"])}
        match = Match(id=row["id"], label=label, property=row["property"], properties=properties)
        yield match, row["is_only"]


def _without_forms(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if not name.startswith(JOIN_PREFIX))


def _is_unique(graph: CustomerGraph, match: Match) -> bool:
    if graph.schema.keys.get(match.label) == (match.property,):
        return True
    return not graph.rows(text.find_repeated_value(match.label, match.property))


def _each_once(matches: Iterable[Match]) -> tuple[Match, ...]:
    by_id: dict[str, Match] = {}
    for match in matches:
        by_id.setdefault(match.id, match)
    return tuple(by_id.values())
