"""What of a graph is ours: the labels, properties, keys and relationships that a load wrote."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from pydantic import Field

from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.model import TABLE_PROPERTY, RelationshipMapping, TableMapping

Edges = tuple[str, str, str]
"""Relationship type, label they start from, label they end at."""


class Owner(Frozen):
    """The control database that a graph is loaded from. `name` is for people, `id` is compared."""

    id: str
    name: str


class GraphManifest(Frozen):
    """Kept in the graph itself, in one node. Everything of a listed label or type is ours."""

    labels: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Properties that were written, by label."""
    keys: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Properties that identify a node, by label; a label of a table without key is absent."""
    edges: tuple[Edges, ...] = ()
    digests: dict[str, str] = Field(default_factory=dict)
    """What each table's extract held, by `source/table`; what each mapping said, by `type from to`."""
    nodes: dict[str, int] = Field(default_factory=dict)
    """Nodes of each label that were there at the end; nobody counts after a script that a client ran."""
    relationships: dict[str, int] = Field(default_factory=dict)
    """Relationships of each type that were there at the end."""
    rules: str = ""
    """Fingerprint of the exclusion rules that were followed."""
    owner: Owner | None = None
    """Who loads the graph; None in a manifest of a version that did not say so."""

    def to_json(self) -> str:
        """The text that the graph keeps."""
        return self.model_dump_json(ensure_ascii=True, exclude_none=True)

    def without(self, other: GraphManifest) -> GraphManifest:
        """The labels and edges of this one that the other has not."""
        return GraphManifest(
            labels={name: p for name, p in self.labels.items() if name not in other.labels},
            edges=tuple(edges for edges in self.edges if edges not in other.edges),
        )

    def known_of(self, other: GraphManifest) -> GraphManifest:
        """The labels and edges of the other, with the properties and keys that this one knows."""
        return GraphManifest(
            labels={name: self.labels.get(name, p) for name, p in other.labels.items()},
            keys={name: key for name, key in self.keys.items() if name in other.labels},
            edges=other.edges,
        )

    def joined(self, other: GraphManifest) -> GraphManifest:
        """All labels, properties and edges of both: what is ours while one becomes the other.

        A label of both has the key that this one says.
        """
        further = {name: key for name, key in other.keys.items() if name not in self.labels}
        names = (*self.labels, *(name for name in other.labels if name not in self.labels))
        return GraphManifest(
            labels={
                name: tuple(
                    dict.fromkeys((*self.labels.get(name, ()), *other.labels.get(name, ())))
                )
                for name in names
            },
            keys=further | self.keys,
            edges=tuple(dict.fromkeys((*self.edges, *other.edges))),
        )


def manifest_of(
    tables: Iterable[TableMapping],
    mappings: Iterable[RelationshipMapping],
    digests: dict[str, str],
) -> GraphManifest:
    """What a load of these tables and mappings writes."""
    labels: dict[str, tuple[str, ...]] = {}
    keys: dict[str, tuple[str, ...]] = {}
    for table in tables:
        if table.node_label is None:
            continue
        own = (TABLE_PROPERTY,) if table.label_is_shared else ()
        written = (*labels.get(table.node_label, ()), *own, *(p.column for p in table.properties))
        labels[table.node_label] = tuple(dict.fromkeys(written))
        if table.key:
            keys[table.node_label] = own + table.key
    said: dict[Edges, list[str]] = {}
    for mapping in mappings:
        said.setdefault(edges_of(mapping), []).append(mapping.described)
    joins = {
        edges_name(edges): sha256("\n".join(sorted(texts)).encode()).hexdigest()
        for edges, texts in said.items()
    }
    return GraphManifest(labels=labels, keys=keys, edges=tuple(said), digests=digests | joins)


def edges_of(mapping: RelationshipMapping) -> Edges:
    """What a mapping makes."""
    return (mapping.relationship_type, mapping.from_label, mapping.to_label)


def edges_name(edges: Edges) -> str:
    """The name of edges in `digests`; a tab stands in no message of ours."""
    return "\t".join(edges)
