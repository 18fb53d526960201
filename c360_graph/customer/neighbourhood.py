"""What lies around one node or one entity, hop by hop, and what the last hop names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from c360_graph.customer.lookup import CustomerGraph, Match, entity_edges
from c360_graph.cypher import customers as text
from c360_graph.mapping.graph_manifest import GraphManifest, RelationshipPattern
from c360_graph.mapping.names import POSSIBLY_SAME_AS

MOST_NEIGHBOURS = 500
"""Of a kind of relationship at a hop."""
MOST_RELATED = 10
MOST_SCANNED = 100_000
"""Relationships of a kind that are read to find the newest neighbours."""
MOST_HOPS = 5
MOST_SIMILAR = 10
"""Entities that may be the same as one, the most similar ones."""


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A node of the graph; `key` names the properties that identify it."""

    id: str
    label: str
    key: tuple[str, ...]
    properties: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Item:
    """A neighbour, and what it names: (relationship type, node).

    `more` counts relationships beyond those. `parents` are ids of nodes that it was reached from, the
    first of them. An item that is not its own is shared with others, and nothing beyond it is read.
    """

    thing: Thing
    related: tuple[tuple[str, Thing], ...] = ()
    more: int = 0
    parents: tuple[str, ...] = ()
    is_own: bool = True


@dataclass(frozen=True, kw_only=True)
class Group:
    """The newest neighbours by one kind of relationship, of `total`.

    `start` is the label that they were reached from, at the hop `hop`; the records of an entity are at 0.
    Where there are so many that not all were read, they are some and not the newest, and `total` counts
    relationships.
    """

    relationship_type: str
    label: str
    start: str
    hop: int = 1
    properties: tuple[str, ...]
    items: tuple[Item, ...]
    total: int
    newest: bool = True


@dataclass(frozen=True, kw_only=True)
class SimilarEntity:
    """Another entity that may be the same; `score` is how probable it is."""

    thing: Thing
    score: float | None


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """A node and the groups around it; a kind of relationship it does not have has no group.

    Nothing of the entities in `possibly_same` is in the groups.
    """

    centre: Thing
    groups: tuple[Group, ...]
    possibly_same: tuple[SimilarEntity, ...] = ()

    @property
    def records(self) -> tuple[Thing, ...]:
        """The records of the centre; none where it is no entity."""
        return tuple(item.thing for group in self.groups if not group.hop for item in group.items)


def read_customer_neighbourhood(
    graph: CustomerGraph, match: Match, *, hops: int = 2
) -> Neighbourhood:
    """Read it, bounded in every direction.

    The hops are counted from the node, or from the records if it is an entity. What the last hop
    reaches is only named, in `related` of the items before it, unless there is one hop alone. A node that
    others share is not followed.

    Raises:
        GraphError: the server refuses, or it took too long.
    """
    schema = graph.schema
    centre = _thing(schema, match.label, {"id": match.id, "properties": match.properties})
    walk = _Walk(graph=graph, schema=schema, last=max(1, hops - 1), names_next=hops > 1)
    walk.known.add(centre.id)
    records = [edges for edges in entity_edges(schema) if edges[1] == match.label]
    own = [e for e in schema.edges if e not in records and e[0] != POSSIBLY_SAME_AS]
    walk.owners = tuple(dict.fromkeys(edges[2] for edges in records)) or (match.label,)
    frontier = {match.label: [centre.id]}
    if records:
        frontier = walk.step(frontier, records, hop=0)
    for hop in range(1, walk.last + 1):
        edges = own if hop == 1 else [e for e in own if not {*e[1:]} & {*walk.owners}]
        frontier = walk.step(frontier, edges, hop=hop)
    return Neighbourhood(
        centre=centre,
        groups=tuple(walk.groups),
        possibly_same=_similar_entities(graph, match) if records else (),
    )


def _similar_entities(graph: CustomerGraph, match: Match) -> tuple[SimilarEntity, ...]:
    if (POSSIBLY_SAME_AS, match.label, match.label) not in graph.schema.edges:
        return ()
    rows = graph.rows(text.similar_entities(match.label), id=match.id, most=MOST_SIMILAR)
    return tuple(
        SimilarEntity(thing=_thing(graph.schema, match.label, row), score=row["score"])
        for row in rows
    )


@dataclass(kw_only=True)
class _Walk:
    """Reads hop after hop; `known` are ids of all nodes that were found."""

    graph: CustomerGraph
    schema: GraphManifest
    last: int
    names_next: bool
    owners: tuple[str, ...] = ()
    known: set[str] = field(default_factory=set)
    groups: list[Group] = field(default_factory=list)

    def step(
        self, frontier: dict[str, list[str]], edges: Sequence[RelationshipPattern], *, hop: int
    ) -> dict[str, list[str]]:
        """Read the neighbours of nodes, by label; what may be followed from there is returned."""
        reached: dict[str, list[str]] = {}
        found: set[str] = set()
        for label, ids in frontier.items():
            for one, outward in _around(edges, label):
                group = self._group(label, ids, one, outward=outward, hop=hop)
                if group is None:
                    continue
                self.groups.append(group)
                for item in group.items:
                    if item.thing.id not in found and (item.is_own or not hop):
                        reached.setdefault(group.label, []).append(item.thing.id)
                    found.add(item.thing.id)
        self.known |= found
        return reached

    def _group(
        self,
        label: str,
        ids: list[str],
        edges: RelationshipPattern,
        *,
        outward: bool,
        hop: int,
    ) -> Group | None:
        schema = self.schema
        far = edges[2] if outward else edges[1]
        names = schema.labels.get(far, ())
        owners = {*self.owners, label} if hop else set()
        onward = self._onward(far, owners) if hop and self.names_next else []
        shared_by = [e for e in schema.edges if far in e[1:] and {*e[1:]} & owners]
        rows = self.graph.rows(
            text.neighbours(label, edges, onward, outward=outward, shared_by=shared_by),
            ids=ids,
            known=sorted(self.known),
            names=list(names),
            most=MOST_NEIGHBOURS,
            most_related=MOST_RELATED,
            most_scanned=MOST_SCANNED,
        )
        if not rows:
            return None
        complete = rows[0]["scanned"] < MOST_SCANNED
        total = rows[0]["total"]
        if not complete:
            statement = text.degree(label, edges, outward=outward)
            total = max(total, self.graph.rows(statement, ids=ids)[0]["total"])
        return Group(
            relationship_type=edges[0],
            label=far,
            start=label,
            hop=hop,
            properties=names,
            items=tuple(_item(schema, far, row, onward) for row in rows),
            total=total,
            newest=complete,
        )

    def _onward(self, far: str, owners: set[str]) -> list[RelationshipPattern]:
        """What a neighbour is asked for: never the way back, nor to other customers."""
        return [
            edges
            for edges in self.schema.edges
            if far in edges[1:]
            and edges[0] != POSSIBLY_SAME_AS
            and not {*edges[1:]} & owners
            and edges not in entity_edges(self.schema)
        ]


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
    asked = [*zip(onward, row["related"], strict=False)]
    related = tuple(
        (edges[0], _thing(schema, edges[2] if edges[1] == label else edges[1], far))
        for edges, found in asked
        for far in found["ends"]
    )
    full = (found for _, found in asked if len(found["ends"]) == MOST_RELATED)
    return Item(
        thing=_thing(schema, label, row),
        related=related,
        more=sum(found["total"] - MOST_RELATED for found in full),
        parents=tuple(row["parents"]),
        is_own=row["is_own"],
    )


def _thing(schema: GraphManifest, label: str, row: dict[str, Any]) -> Thing:
    known = [name for name in schema.labels.get(label, ()) if name in row["properties"]]
    return Thing(
        id=row["id"],
        label=label,
        key=schema.keys.get(label, ()),
        properties={name: row["properties"][name] for name in known},
    )
