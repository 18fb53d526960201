"""What lies around one node: its neighbours and, through those that are its own, what they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from c360_graph.customer.lookup import CustomerGraph, Match
from c360_graph.cypher import customers as text
from c360_graph.mapping.graph_manifest import GraphManifest, RelationshipPattern

MOST_NEIGHBOURS = 500
MOST_RELATED = 10


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A node of the graph; `key` names the properties that identify it."""

    id: str
    label: str
    key: tuple[str, ...]
    properties: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Item:
    """A neighbour, and what it names: (relationship type, node)."""

    thing: Thing
    related: tuple[tuple[str, Thing], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Group:
    """The newest neighbours by one kind of relationship, of `total`."""

    relationship_type: str
    label: str
    properties: tuple[str, ...]
    items: tuple[Item, ...]
    total: int


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """A node and the groups around it; a kind of relationship it does not have has no group."""

    centre: Thing
    groups: tuple[Group, ...]


def read_neighbourhood(graph: CustomerGraph, match: Match) -> Neighbourhood:
    """Read it, bounded in every direction.

    Raises:
        GraphError: the server refuses, or it took too long.
    """
    schema = graph.schema
    groups = []
    for edges, outward in _around(schema.edges, match.label):
        label = edges[2] if outward else edges[1]
        names = schema.labels.get(label, ())
        onward = [e for e in schema.edges if label in e[1:] and match.label not in e[1:]]
        rows = graph.rows(
            text.neighbours(match.label, edges, onward, outward=outward),
            id=match.id,
            names=list(names),
            most=MOST_NEIGHBOURS,
            most_related=MOST_RELATED,
        )
        items = tuple(_item(schema, label, row, onward) for row in rows)
        if items:
            groups.append(
                Group(
                    relationship_type=edges[0],
                    label=label,
                    properties=names,
                    items=items,
                    total=rows[0]["total"],
                )
            )
    centre = _thing(schema, match.label, {"id": match.id, "properties": match.properties})
    return Neighbourhood(centre=centre, groups=tuple(groups))


def _around(
    edges: Sequence[RelationshipPattern], label: str
) -> Iterator[tuple[RelationshipPattern, bool]]:
    """Each kind of relationship that the label has, and whether it starts there; one to itself twice."""
    for one in edges:
        if one[1] == label:
            yield one, True
        if one[2] == label:
            yield one, False


def _item(
    schema: GraphManifest,
    label: str,
    row: dict[str, Any],
    onward: Sequence[RelationshipPattern],
) -> Item:
    # What several share has nothing related, whatever there is to follow.
    related = (
        (edges[0], _thing(schema, edges[2] if edges[1] == label else edges[1], far))
        for edges, ends in zip(onward, row["related"], strict=False)
        for far in ends
    )
    return Item(thing=_thing(schema, label, row), related=tuple(related))


def _thing(schema: GraphManifest, label: str, row: dict[str, Any]) -> Thing:
    known = [name for name in schema.labels.get(label, ()) if name in row["properties"]]
    return Thing(
        id=row["id"],
        label=label,
        key=schema.keys.get(label, ()),
        properties={name: row["properties"][name] for name in known},
    )
