"""What of a graph is ours: the labels, properties, keys and relationships that a load wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any

from pydantic import Field

from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.model import (
    TABLE_PROPERTY,
    RelationshipMapping,
    TableMapping,
    node_tables,
)
from c360_graph.mapping.property_types import property_type

RelationshipPattern = tuple[str, str, str]
"""Relationship type, label they start from, label they end at."""


TableKey = tuple[tuple[str, str], ...]
"""The properties that identify a table's nodes, with their types; none where it has no key."""


EdgeColumn = tuple[str, str, str]
"""`source/table` and column that a property of relationships is made of, and its type."""


class Owner(Frozen):
    """The control database that a graph is loaded from. `name` is for people, `id` is compared."""

    id: str
    name: str


class OthersFound(Frozen):
    """What a load found under names that become ours, and had no right to call ours before it ended.

    `labels` and `edges` are taken over as a whole, `properties` by label. The counts are of nodes and
    relationships beyond those that the last load left, the latter by `pattern_name`.
    """

    labels: tuple[str, ...] = ()
    properties: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    edges: tuple[RelationshipPattern, ...] = ()
    surplus_nodes: dict[str, int] = Field(default_factory=dict)
    surplus_relationships: dict[str, int] = Field(default_factory=dict)

    def known_of(self, other: GraphManifest) -> OthersFound:
        """What of it is under the other's labels and edges."""
        return OthersFound(
            labels=tuple(name for name in self.labels if name in other.labels),
            properties={name: p for name, p in self.properties.items() if name in other.labels},
            edges=tuple(edges for edges in self.edges if other.makes(edges)),
            surplus_nodes={n: c for n, c in self.surplus_nodes.items() if n in other.labels},
            surplus_relationships={
                name: count
                for name, count in self.surplus_relationships.items()
                if other.makes(pattern_named(name))
            },
        )


class GraphManifest(Frozen):
    """Kept in the graph itself, in one node. Everything of a listed label or type is ours."""

    labels: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Properties that were written, by label."""
    keys: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Properties that identify a node, by label; a label of a table without key is absent."""
    key_types: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """The types of those properties; absent where an older version wrote the manifest."""
    table_keys: dict[str, dict[str, TableKey]] = Field(default_factory=dict)
    """Properties that identify a node and their types, by label and `source/table`; none for a table
    without key. Absent where an older version wrote the manifest."""
    property_types: dict[str, dict[str, str]] = Field(default_factory=dict)
    """The type of each property, by label; that of the first table where several feed the label. Absent
    where an older version wrote the manifest."""
    origins: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    """The columns that properties of another name are made of, by label and property."""
    extras: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    """Labels that nodes may have beside the main one, by that and `source/table`. Absent where there are none."""
    value_labels: dict[str, dict[str, dict[str, str]]] = Field(default_factory=dict)
    """Of those the ones that a node has by the value of a property: the property, by label, `source/table` and
    further label. Absent where there are none."""
    edges: tuple[RelationshipPattern, ...] = ()
    edge_properties: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Properties that relationships have of the nodes at one end, by `pattern_name`."""
    junction_properties: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Properties that relationships have of the rows of a junction table, by `pattern_name`. Absent where an
    older version wrote the manifest."""
    edge_columns: dict[str, dict[str, tuple[EdgeColumn, ...]]] = Field(default_factory=dict)
    """What those properties, and those of rows of a junction table, are made of, by `pattern_name` and
    property. Absent where there are none, or where a control row is refused now."""
    digests: dict[str, str] = Field(default_factory=dict)
    """What each table's extract held, by `source/table`; what each mapping said, by `type from to`."""
    nodes: dict[str, int] = Field(default_factory=dict)
    """Nodes of each label that were there at the end; nobody counts after a script that a client ran."""
    relationships: dict[str, int] = Field(default_factory=dict)
    """Relationships of each type that were there at the end."""
    between: dict[str, int] = Field(default_factory=dict)
    """Of them those between the labels of `edges`, by `pattern_name`: the others are not ours."""
    others: OthersFound = Field(default_factory=OthersFound)
    """What a load that did not end, or that left it alone, found of others."""
    rules: str = ""
    """Fingerprint of the exclusion rules that were followed."""
    refused: dict[str, str] = Field(default_factory=dict)
    """Labels and relationship types of control rows that were refused, and why."""
    excluded: dict[str, str] = Field(default_factory=dict)
    """Properties that no label has since a rule excludes their columns, and which rule."""

    @property
    def names(self) -> frozenset[str]:
        """Labels and relationship types that are listed, and those that refused control rows name."""
        return frozenset((*self.labels, *(kind for kind, _, _ in self.edges), *self.refused))

    @property
    def extra_labels(self) -> frozenset[str]:
        """Labels that nodes may have beside the main one."""
        return frozenset(
            label for tables in self.extras.values() for found in tables.values() for label in found
        )

    def makes(self, edges: RelationshipPattern) -> bool:
        """Whether relationships of a type between two labels are listed."""
        return edges in self._edge_set

    def makes_alone(self, edges: RelationshipPattern) -> bool:
        """Whether they are listed, and no others of their type."""
        return edges in self._edge_set and self._edges_by_type[edges[0]] == 1

    @cached_property
    def _edges_by_type(self) -> Counter[str]:
        return Counter(edges[0] for edges in self.edges)

    @cached_property
    def _edge_set(self) -> frozenset[RelationshipPattern]:
        return frozenset(self.edges)

    owner: Owner | None = None
    """Who loads the graph; None in a manifest of a version that did not say so."""

    def to_json(self) -> str:
        """The text that the graph keeps."""
        return self.model_dump_json(ensure_ascii=True, exclude_none=True)

    def with_counts(
        self,
        *,
        nodes: Mapping[str, int],
        relationships: Mapping[str, int],
        between: Mapping[RelationshipPattern, int],
    ) -> GraphManifest:
        """This manifest with what a graph holds of its labels, types and edges; 0 of those that are not named."""
        types = dict.fromkeys(kind for kind, _, _ in self.edges)
        return self.model_copy(
            update={
                "nodes": {label: nodes.get(label, 0) for label in self.labels},
                "relationships": {kind: relationships.get(kind, 0) for kind in types},
                "between": {pattern_name(edges): between.get(edges, 0) for edges in self.edges},
            }
        )

    def without(self, other: GraphManifest) -> GraphManifest:
        """The labels and edges of this one that the other has not."""
        return GraphManifest(
            labels={name: p for name, p in self.labels.items() if name not in other.labels},
            edges=tuple(edges for edges in self.edges if not other.makes(edges)),
        )

    def known_of(self, other: GraphManifest) -> GraphManifest:
        """The labels and edges of the other that this one has, as this one knows them.

        What the other alone names is not ours: nothing of it was ever loaded.
        """
        return GraphManifest(
            labels={name: p for name, p in self.labels.items() if name in other.labels},
            keys={name: key for name, key in self.keys.items() if name in other.labels},
            key_types={name: t for name, t in self.key_types.items() if name in other.labels},
            table_keys={name: k for name, k in self.table_keys.items() if name in other.labels},
            extras={name: found for name, found in self.extras.items() if name in other.labels},
            value_labels={
                name: found for name, found in self.value_labels.items() if name in other.labels
            },
            edges=tuple(edges for edges in other.edges if self.makes(edges)),
            edge_properties=_of_edges(self.edge_properties, other),
            junction_properties=_of_edges(self.junction_properties, other),
        )

    def joined(self, other: GraphManifest) -> GraphManifest:
        """All labels, properties and edges of both: what is ours while one becomes the other.

        A label of both has the key that this one says.
        """
        further = {name: key for name, key in other.keys.items() if name not in self.labels}
        types = {name: key for name, key in other.key_types.items() if name not in self.labels}
        tables = {name: k for name, k in other.table_keys.items() if name not in self.labels}
        names = (*self.labels, *(name for name in other.labels if name not in self.labels))
        return GraphManifest(
            labels={
                name: tuple(
                    dict.fromkeys((*self.labels.get(name, ()), *other.labels.get(name, ())))
                )
                for name in names
            },
            keys=further | self.keys,
            key_types=types | self.key_types,
            table_keys=tables | self.table_keys,
            extras=_joined_extras(self.extras, other.extras),
            value_labels={
                label: other.value_labels.get(label, {}) | self.value_labels.get(label, {})
                for label in (*self.value_labels, *other.value_labels)
            },
            edges=tuple(dict.fromkeys((*self.edges, *other.edges))),
            edge_properties=_joined_names(self.edge_properties, other.edge_properties),
            junction_properties=_joined_names(self.junction_properties, other.junction_properties),
        )


Names = Mapping[str, tuple[str, ...]]


def _of_edges(names: Names, other: GraphManifest) -> dict[str, tuple[str, ...]]:
    return {name: found for name, found in names.items() if other.makes(pattern_named(name))}


def _joined_names(one: Names, other: Names) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(dict.fromkeys((*one.get(name, ()), *other.get(name, ()))))
        for name in (*one, *other)
    }


Extras = Mapping[str, Mapping[str, tuple[str, ...]]]


def _joined_extras(one: Extras, other: Extras) -> dict[str, dict[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for extras in (one, other):
        for label, tables in extras.items():
            of_label = found.setdefault(label, {})
            for table, labels in tables.items():
                of_label[table] = tuple(dict.fromkeys((*of_label.get(table, ()), *labels)))
    return found


def manifest_of(
    tables: Iterable[TableMapping],
    mappings: Iterable[RelationshipMapping],
    digests: dict[str, str],
) -> GraphManifest:
    """What a load of these tables and mappings writes."""
    known = tuple(tables)
    labels: dict[str, tuple[str, ...]] = {}
    keys: dict[str, tuple[str, ...]] = {}
    key_types: dict[str, tuple[str, ...]] = {}
    table_keys: dict[str, dict[str, TableKey]] = {}
    types: dict[str, dict[str, str]] = {}
    origins: dict[str, dict[str, tuple[str, ...]]] = {}
    extras: dict[str, dict[str, tuple[str, ...]]] = {}
    by_value: dict[str, dict[str, dict[str, str]]] = {}
    for table in node_tables(known):
        types[table.node_label] = _types(table) | types.get(table.node_label, {})
        for prop in table.columns_read:
            if prop.origin != prop.column:
                made_of = origins.setdefault(table.node_label, {})
                made_of[prop.column] = (*made_of.get(prop.column, ()), prop.origin)
        own = (TABLE_PROPERTY,) if table.label_is_shared else ()
        written = (*labels.get(table.node_label, ()), *own, *(p.column for p in table.properties))
        labels[table.node_label] = tuple(dict.fromkeys(written))
        key = _key(table, own)
        table_keys.setdefault(table.node_label, {})[table.qualified_name] = key
        if table.extra.all:
            extras.setdefault(table.node_label, {})[table.qualified_name] = table.extra.all
        if table.extra.by_property:
            of_values = dict.fromkeys(table.extra.values, table.extra.by_property)
            by_value.setdefault(table.node_label, {})[table.qualified_name] = of_values
        if key:
            # For people, and for versions that know no keys of tables: those of all tables together.
            former = zip(
                keys.get(table.node_label, ()), key_types.get(table.node_label, ()), strict=True
            )
            joined = dict((*former, *key))
            keys[table.node_label] = tuple(joined)
            key_types[table.node_label] = tuple(joined.values())
    return GraphManifest(
        labels=labels,
        keys=keys,
        key_types=key_types,
        table_keys=table_keys,
        property_types=types,
        origins=origins,
        extras=extras,
        value_labels=by_value,
        **_edge_parts(tuple(mappings), known, digests),
    )


def _edge_parts(
    mappings: tuple[RelationshipMapping, ...],
    tables: tuple[TableMapping, ...],
    digests: dict[str, str],
) -> dict[str, Any]:
    """The parts of a manifest that mappings make, with the digests of the tables."""
    said: dict[RelationshipPattern, list[str]] = {}
    columns: dict[str, dict[str, tuple[EdgeColumn, ...]]] = {}
    for mapping in mappings:
        name = pattern_name(pattern_of(mapping))
        for prop, made_of in _edge_columns(mapping, tables).items():
            of_pattern = columns.setdefault(name, {})
            of_pattern[prop] = tuple(dict.fromkeys((*of_pattern.get(prop, ()), *made_of)))
        said.setdefault(pattern_of(mapping), []).append(mapping.fingerprint_source)
    joins = {
        pattern_name(edges): sha256("\n".join(sorted(texts)).encode()).hexdigest()
        for edges, texts in said.items()
    }
    return {
        "edges": tuple(said),
        "edge_properties": _copied(mapping for mapping in mappings if not mapping.junction),
        "junction_properties": _copied(mapping for mapping in mappings if mapping.junction),
        "edge_columns": columns,
        "digests": digests | joins,
    }


def _copied(mappings: Iterable[RelationshipMapping]) -> dict[str, tuple[str, ...]]:
    """The properties that rows give relationships, by `pattern_name`."""
    found: dict[str, tuple[str, ...]] = {}
    for mapping in mappings:
        if mapping.copied:
            name = pattern_name(pattern_of(mapping))
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *mapping.copied)))
    return found


def _edge_columns(
    mapping: RelationshipMapping, tables: Iterable[TableMapping]
) -> dict[str, tuple[EdgeColumn, ...]]:
    """What the properties of a mapping's relationships are made of, in each table whose rows drive."""
    found: dict[str, tuple[EdgeColumn, ...]] = {}
    for table in tables if mapping.copied else ():
        types = _types(table) if mapping.is_driven_by(table) else {}
        for name in mapping.copied:
            prop = table.property_of(name)
            if prop is not None and name in types:
                column = (table.qualified_name, prop.origin, types[name])
                found[name] = (*found.get(name, ()), column)
    return found


def _key(table: TableMapping, own: tuple[str, ...]) -> TableKey:
    if not table.key:
        return ()
    return (*((name, "STRING") for name in own), *zip(table.key, _key_types(table), strict=True))


def _key_types(table: TableMapping) -> Iterator[str]:
    types = _types(table)
    yield from (types[column] for column in table.key)


def _types(table: TableMapping) -> dict[str, str]:
    zone = table.source.time_zone
    return {
        prop.column: property_type(prop.type, treatment=prop.treatment, time_zone=zone).name
        for prop in table.properties
    }


def pattern_of(mapping: RelationshipMapping) -> RelationshipPattern:
    """What a mapping makes."""
    return (mapping.relationship_type, mapping.from_label, mapping.to_label)


def pattern_name(edges: RelationshipPattern) -> str:
    r"""The name of edges in `digests`; a tab stands in no message of ours.

    >>> pattern_name(("WATCHED", "Account", "PlayEvent"))
    'WATCHED\tAccount\tPlayEvent'
    """
    return "\t".join(edges)


def pattern_named(name: str) -> RelationshipPattern:
    r"""The edges of such a name.

    >>> pattern_named("WATCHED\tAccount\tPlayEvent")
    ('WATCHED', 'Account', 'PlayEvent')
    """
    kind, from_label, to_label = name.split("\t")
    return (kind, from_label, to_label)
