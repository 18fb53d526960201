"""Finds the node that a value identifies, in whatever label and property the graph has."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from c360_graph.cypher import customer as text
from c360_graph.cypher.manifest import read_manifest
from c360_graph.errors import GraphError
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.neo4j_loader.graph import Graph
from c360_graph.neo4j_loader.reading import read

MOST_MATCHES = 20


@dataclass(frozen=True, kw_only=True)
class Match:
    """A node that has the value in a property that is unique within its label."""

    id: str
    label: str
    property: str
    properties: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """What a value identifies; `mentions` are `label.property` where it stands but is not unique."""

    matches: tuple[Match, ...]
    mentions: tuple[str, ...] = ()


class CustomerGraph:
    """The graph as a load described it, read within a time."""

    def __init__(self, graph: Graph, *, timeout_seconds: float) -> None:
        self._graph = graph
        self._timeout = timeout_seconds

    def schema(self) -> GraphManifest:
        """The labels, properties, keys and relationships that the last load wrote.

        Raises:
            GraphError: no load of ours has been here.
        """
        rows = self._graph.rows(read_manifest())
        try:
            return GraphManifest.model_validate_json(rows[0]["content"] if rows else "")
        except ValidationError:
            raise GraphError(
                f"{self._graph.place} holds no graph of this pipeline. Materialize neo4j_graph first."
            ) from None

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

    Indexed properties are asked first, since each is one seek; only where none identifies a node is
    every node read.

    Args:
        graph: where.
        value: such as an email or an id; compared with texts as it is.
        hash_key: of the `hash` treatment; then properties that hold the value's hash are found too.
        label: to look at this label alone.

    Raises:
        GraphError: the graph has no such label, or the server refuses.
    """
    schema = graph.schema()
    if label is not None and label not in schema.labels:
        raise GraphError(f"The graph has no label {label}; it has {', '.join(schema.labels)}.")
    labels = [label] if label else list(schema.labels)
    values = [value, *([hashed(value, hash_key)] if hash_key else [])]
    mentions: list[str] = []
    for found in (_by_index(graph, labels, values), _by_reading_all(graph, schema, labels, values)):
        matches: dict[str, Match] = {}
        for match in found:
            if _is_unique(graph, schema, match):
                matches.setdefault(match.id, match)
            else:
                mentions.append(f"{match.label}.{match.property}")
        if matches:
            return Lookup(matches=tuple(matches.values())[:MOST_MATCHES])
    return Lookup(matches=(), mentions=tuple(dict.fromkeys(mentions)))


def hashed(value: str, key: str) -> str:
    """What the `hash` treatment makes of a value."""
    return hmac.new(key.encode(), value.encode(), "sha256").hexdigest()


def _by_index(graph: CustomerGraph, labels: list[str], values: list[str]) -> Iterator[Match]:
    for row in graph.rows(text.indexed_properties()):
        if row["label"] in labels:
            statement = text.find_by_property(row["label"], row["property"])
            rows = graph.rows(statement, values=values, most=MOST_MATCHES)
            yield from _matches(row["label"], rows)


def _by_reading_all(
    graph: CustomerGraph, schema: GraphManifest, labels: list[str], values: list[str]
) -> Iterator[Match]:
    for label in labels:
        names = list(schema.labels[label])
        statement = text.find_by_any_property(label)
        rows = graph.rows(statement, names=names, values=values, most=MOST_MATCHES)
        yield from _matches(label, rows)


def _matches(label: str, rows: Iterable[dict[str, Any]]) -> Iterator[Match]:
    for row in rows:
        for name in row["found_in"]:
            yield Match(id=row["id"], label=label, property=name, properties=row["properties"])


def _is_unique(graph: CustomerGraph, schema: GraphManifest, match: Match) -> bool:
    if schema.keys.get(match.label) == (match.property,):
        return True
    return not graph.rows(text.find_repeated_value(match.label, match.property))
