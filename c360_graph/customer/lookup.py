"""Finds the node that a value identifies, in whatever label and property the graph has, and the entity that it is of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
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
from c360_graph.mapping.graph_manifest import GraphManifest, RelationshipPattern
from c360_graph.mapping.join_forms import is_normalised, normaliser, parsed, shown_column
from c360_graph.mapping.join_functions import JoinFunctions
from c360_graph.mapping.model import JOIN_PREFIX
from c360_graph.mapping.names import IS, identity_name, snake_case


def entity_edges(schema: GraphManifest) -> tuple[RelationshipPattern, ...]:
    """The relationships from entities to their records, as identity resolution makes them.

    >>> entity_edges(
    ...     GraphManifest(
    ...         edges=(("IS", "Customer", "Account"), ("IS", "Account", "Blocked")),
    ...         table_keys={"Customer": {"customer_identity/customer": ()}, "Account": {"shop/accounts": ()}},
    ...     )
    ... )
    (('IS', 'Customer', 'Account'),)
    """
    return tuple(edges for edges in schema.edges if edges[0] == IS and _is_entity(schema, edges[1]))


def _is_entity(schema: GraphManifest, label: str) -> bool:
    return [*schema.table_keys.get(label, {})] == [f"{identity_name(label)}/{snake_case(label)}"]


_INTEGER = re.compile("-?[1-9][0-9]{0,18}|0")
_INTEGERS = range(-(2**63), 2**63)

Values = list[str | int]


@dataclass(frozen=True, kw_only=True)
class Match:
    """A node that is the only one of its label to have the value in the property.

    Where the value is that of a record, it is the entity that the record is of, and `property` says
    `label.property` of the record.
    """

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
    def _manifest(self) -> GraphManifest:
        rows = self._graph.rows(read_manifest())
        try:
            return GraphManifest.model_validate_json(rows[0]["content"] if rows else "")
        except ValidationError:
            raise GraphError(
                f"{self._graph.server} holds no graph of this pipeline. Materialize neo4j_graph first."
            ) from None

    @cached_property
    def schema(self) -> GraphManifest:
        """The labels, properties, keys and relationships that the last load wrote.

        Raises:
            GraphError: no load of ours has been here.
        """
        # What joins compare says no more of a customer than the columns that it is made of.
        labels = {label: _without_forms(names) for label, names in self._manifest.labels.items()}
        return self._manifest.model_copy(update={"labels": labels})

    @cached_property
    def searched(self) -> dict[str, tuple[str, ...]]:
        """The properties that may have a value, by label: those of the schema, and normalised ones."""
        return {
            label: tuple(n for n in names if not n.startswith(JOIN_PREFIX) or is_normalised(n))
            for label, names in self._manifest.labels.items()
        }

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
    """Find what a value, its normalised form, or the hash of either, identifies.

    A property whose values are all different within its label goes first: it keeps out those that
    only refer to the node. Where there is none, any property counts that one node alone has the
    value in, then one whose nodes with the value are all records of one entity. Indexed properties are
    asked first, since each is one seek; only where none of the first kind has the value is every node read.

    Args:
        graph: where.
        value: such as an email or an id; compared with texts as it is, with numbers where it is an
            integer as people write it, and with normalised values as the functions of the identity rule or
            the join condition make them of it.
        hash_key: of the `hash` treatment; then properties that hold the value's hash are found too.
        label: to look at this label alone, or at the records of this label of entities.

    Raises:
        GraphError: the graph has no such label, or the server refuses.
    """
    schema = graph.schema
    if label is not None and label not in schema.labels:
        raise GraphError(f"The graph has no label {label}; it has {', '.join(schema.labels)}.")
    records = tuple(edges[2] for edges in entity_edges(schema) if edges[1] == label)
    labels = [label, *records] if label else list(schema.labels)
    entities = [e for e in entity_edges(schema) if not records or e[1] == label]
    asked = _Asked(value, hash_key)
    only: list[Match] = []
    shared: list[Match] = []
    for found in _first_by_index(graph, labels, asked):
        unique: list[Match] = []
        for match, is_only in found:
            if not is_only:
                shared.append(match)
            elif _is_unique(graph, match):
                unique.append(match)
            else:
                only.append(match)
        if unique:
            return Lookup(matches=_whole(graph, unique, entities))
    if not only:
        only = [e for match in shared for e in _entity_of_all(graph, match, entities, asked)]
    if only:
        return Lookup(matches=_whole(graph, only, entities))
    mentions = dict.fromkeys(f"{m.label}.{shown_column(m.property)}" for m in shared)
    return Lookup(matches=(), mentions=tuple(mentions))


def hashed(value: str, key: str) -> str:
    """What the `hash` treatment makes of a value."""
    return KeyedHash(key).of(value)


class _Asked:
    """What a property has to be equal to."""

    def __init__(self, value: str, hash_key: str | None) -> None:
        self._value = value
        self._key = hash_key
        self._plain = self._with_hash(value)
        # What is written otherwise, such as 007, is a text that an integer is not.
        if _INTEGER.fullmatch(value) and int(value) in _INTEGERS:
            self._plain.append(int(value))

    def of(self, name: str) -> Values:
        """The values of a property; none where its functions make nothing of the value."""
        found = parsed(name)
        if found is None or not isinstance(found[0], JoinFunctions):
            return self._plain
        text = normaliser(found[0].calls)(self._value)
        return [] if text is None else self._with_hash(text)

    def _with_hash(self, text: str) -> Values:
        return [text, hashed(text, self._key)] if self._key else [text]


Found = Iterator[tuple[Match, bool]]
"""A node for each property that has the value, and whether it is the only one."""


def _first_by_index(graph: CustomerGraph, labels: list[str], asked: _Asked) -> Iterator[Found]:
    """By each property that has an index, then by each that has none."""
    rows = graph.rows(text.indexed_properties())
    indexed = [
        (row["label"], row["property"])
        for row in rows
        if row["label"] in labels and row["property"] in graph.searched[row["label"]]
    ]
    yield _by_index(graph, indexed, asked)
    others = {
        label: {
            name: asked.of(name) for name in graph.searched[label] if (label, name) not in indexed
        }
        for label in labels
    }
    yield _by_reading_all(graph, others)


def _by_index(graph: CustomerGraph, indexed: list[tuple[str, str]], asked: _Asked) -> Found:
    for label, name in indexed:
        values = asked.of(name)
        if values:
            yield from _found(label, graph.rows(text.find_by_property(label, name), values=values))


def _by_reading_all(graph: CustomerGraph, values: Mapping[str, dict[str, Values]]) -> Found:
    for label, some in values.items():
        yield from _found(label, graph.rows(text.find_by_any_property(label), values=some))


def _found(label: str, rows: Iterable[dict[str, Any]]) -> Found:
    for row in rows:
        yield _match(label, row["property"], row), row["is_only"]


def _match(label: str, name: str, row: dict[str, Any]) -> Match:
    properties = {name: row["properties"][name] for name in _without_forms(row["properties"])}
    return Match(id=row["id"], label=label, property=name, properties=properties)


def _whole(
    graph: CustomerGraph, matches: Iterable[Match], entities: list[RelationshipPattern]
) -> tuple[Match, ...]:
    return _each_once(_entity(graph, match, entities) for match in _each_once(matches))


def _entity(graph: CustomerGraph, match: Match, entities: Iterable[RelationshipPattern]) -> Match:
    """The entity that a record is of; the node itself where it is no record, or of no entity yet."""
    for edges in entities:
        if edges[2] == match.label:
            for row in graph.rows(text.entity_of(edges), id=match.id):
                return _match(edges[1], f"{match.label}.{shown_column(match.property)}", row)
    return match


def _entity_of_all(
    graph: CustomerGraph, match: Match, entities: Iterable[RelationshipPattern], asked: _Asked
) -> Iterator[Match]:
    """The entity of which all records are that have the value; none where there are several."""
    for edges in entities:
        if edges[2] == match.label:
            rows = graph.rows(
                text.entities_by_property(edges, match.property), values=asked.of(match.property)
            )
            if len(rows) == 1:
                named = f"{match.label}.{shown_column(match.property)}"
                yield _match(edges[1], named, rows[0])
                return


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
