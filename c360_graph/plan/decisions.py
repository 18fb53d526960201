"""What a load does with each label, relationship and property: decided once, shown by a plan, executed by a load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from c360_graph.cypher.schema import GraphSchema, LabelProperties
from c360_graph.mapping.graph_manifest import (
    GraphManifest,
    OthersFound,
    RelationshipPattern,
    TableKey,
    pattern_name,
)
from c360_graph.mapping.model import TABLE_PROPERTY, is_kept_name
from c360_graph.plan.model import EdgesChange, LabelChange

LabelProperty = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class GraphFacts:
    """What a decision rests on: the manifest, nodes by label, relationships by type and labels.

    `holders` counts the nodes of a label that have a property, of those in `properties_to_count`.
    """

    listed: GraphManifest = field(default_factory=GraphManifest)
    nodes: Mapping[str, int] = field(default_factory=dict)
    relationships: Mapping[RelationshipPattern, int] = field(default_factory=dict)
    holders: Mapping[LabelProperty, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LoadDecision:
    """What happens to each label and relationship that is mapped or listed, and what is purged.

    `purged` are label and property of what was ours and is no longer read. `taken_properties` are
    those that others wrote on nodes of ours and a column overwrites, with how many nodes have them.
    The surplus is what a label or relationship has beyond what the last load left: others made it.
    """

    labels: Mapping[str, LabelChange]
    relationships: Mapping[RelationshipPattern, EdgesChange]
    purged: tuple[LabelProperty, ...]
    taken_properties: Mapping[LabelProperty, int] = field(default_factory=dict)
    surplus_nodes: Mapping[str, int] = field(default_factory=dict)
    surplus_relationships: Mapping[RelationshipPattern, int] = field(default_factory=dict)

    def others(self, listed: GraphManifest) -> OthersFound:
        """What a load that breaks off must leave word of, as its own rows stand beside it then."""
        kept = {*self.labels_that_are("kept")}
        properties = {label: p for label, p in listed.others.properties.items() if label in kept}
        for label, name in self.taken_properties:
            properties[label] = (*properties.get(label, ()), name)
        return OthersFound(
            labels=(
                *self.labels_that_are("taken over"),
                *(label for label in listed.others.labels if label in kept),
            ),
            properties=properties,
            edges=(
                *self.relationships_that_are("taken over"),
                *(e for e in self.relationships_that_are("kept") if e in listed.others.edges),
            ),
            surplus_nodes=dict(self.surplus_nodes),
            surplus_relationships={
                pattern_name(edges): count for edges, count in self.surplus_relationships.items()
            },
        )

    def labels_that_are(self, change: LabelChange) -> Iterator[str]:
        """The labels with this change."""
        return (label for label, found in self.labels.items() if found == change)

    def relationships_that_are(self, change: EdgesChange) -> Iterator[RelationshipPattern]:
        """The relationships with this change."""
        return (edges for edges, found in self.relationships.items() if found == change)


def decide(
    *,
    desired: GraphManifest,
    kept: GraphManifest,
    facts: GraphFacts,
    unknown_labels: frozenset[str] = frozenset(),
    undecided: frozenset[RelationshipPattern] = frozenset(),
) -> LoadDecision:
    """What a load makes of a graph.

    Args:
        desired: what of the graph will be ours.
        kept: labels and relationships of refused rows, which stay as they are where they are ours.
        facts: the graph as it is.
        unknown_labels: labels of tables whose columns are not known.
        undecided: relationships of rows that wait for a source.

    >>> before = GraphManifest(labels={"Plan": ("plan_id",)}, keys={"Plan": ("plan_id",)})
    >>> now = GraphManifest(labels={"Vip": ("vip_id",)}, keys={"Vip": ("vip_id",)})
    >>> facts = GraphFacts(listed=before, nodes={"Plan": 5, "Vip": 3})
    >>> dict(decide(desired=now, kept=GraphManifest(), facts=facts).labels)
    {'Vip': 'taken over', 'Plan': 'removed'}
    """
    labels: dict[str, LabelChange] = {}
    for label in desired.labels:
        unknown = label in unknown_labels
        labels[label] = "unknown" if unknown else _mapped_label(label, desired, facts)
    for label in facts.listed.labels:
        if label not in labels:
            labels[label] = _unmapped_label(label, kept, facts)
    relationships: dict[RelationshipPattern, EdgesChange] = {
        edges: _mapped_relationship(edges, desired, facts) for edges in desired.edges
    }
    for edges in facts.listed.edges:
        if edges not in relationships:
            relationships[edges] = _unmapped_relationship(edges, kept, undecided)
    return LoadDecision(
        labels=labels,
        relationships=relationships,
        purged=tuple(_purged(desired, facts.listed)),
        taken_properties={
            asked: facts.holders[asked]
            for asked in properties_to_count(desired, facts.listed)
            if facts.holders.get(asked)
        },
        surplus_nodes=dict(_surplus_nodes(labels, facts)),
        surplus_relationships=dict(_surplus_relationships(relationships, facts)),
    )


def label_conflicts(desired: GraphManifest, listed: GraphManifest) -> Iterator[str]:
    """Why nodes of one table cannot be told from those of another while the graph is updated.

    >>> before = GraphManifest(labels={"Vip": ("vip_id",)})
    >>> now = GraphManifest(labels={"Person": ("id",)}, extras={"Person": {"crm/people": ("Vip",)}})
    >>> for reason in label_conflicts(now, before):
    ...     print(reason)
    Vip is a further label of other nodes now, and the graph has nodes that a table gave it. Load without
    the further label first, or with clear_database: true.
    """
    for label in sorted(desired.extra_labels & listed.labels.keys()):
        yield (
            f"{label} is a further label of other nodes now, and the graph has nodes that a table gave it."
            " Load without the further label first, or with clear_database: true."
        )
    for label in sorted(listed.extra_labels & desired.labels.keys()):
        yield (
            f"{label} is the label of a table now, and the graph has other nodes with it as a further label."
            " Load without the table first, or with clear_database: true."
        )


def extras_to_remove(
    desired: GraphManifest, listed: GraphManifest
) -> Iterator[tuple[str, str, str]]:
    """Label, `source/table` and a further label that nodes of the table had and have no more.

    >>> before = GraphManifest(labels={"P": ("id",)}, extras={"P": {"crm/people": ("A", "B")}})
    >>> now = GraphManifest(labels={"P": ("id",)}, extras={"P": {"crm/people": ("B",)}})
    >>> list(extras_to_remove(now, before))
    [('P', 'crm/people', 'A')]
    """
    for label, tables in listed.extras.items():
        for table, former in tables.items() if label in desired.labels else ():
            kept = desired.extras.get(label, {}).get(table, ())
            yield from ((label, table, name) for name in former if name not in kept)


def relationship_properties_to_remove(
    desired: GraphManifest, listed: GraphManifest, kept: GraphManifest
) -> Iterator[tuple[RelationshipPattern, str]]:
    """Properties of relationships that were ours and are no longer, of relationships that stay.

    Those of refused rows, `kept`, lose what the nodes at both ends have no more, such as an excluded column.

    >>> edges = ("WATCHED", "Account", "PlayEvent")
    >>> before = GraphManifest(edges=(edges,), edge_properties={pattern_name(edges): ("at", "by")})
    >>> now = GraphManifest(edges=(edges,), edge_properties={pattern_name(edges): ("by",)})
    >>> list(relationship_properties_to_remove(now, before, GraphManifest()))
    [(('WATCHED', 'Account', 'PlayEvent'), 'at')]
    """
    for edges in listed.edges:
        name = pattern_name(edges)
        former = listed.edge_properties.get(name, ())
        if desired.makes(edges):
            # A row that names no junction table now keeps the relationships that one made.
            former = (*former, *listed.junction_properties.get(name, ()))
            stay = (
                *desired.edge_properties.get(name, ()),
                *desired.junction_properties.get(name, ()),
            )
        elif kept.makes(edges) and all(label in desired.labels for label in edges[1:]):
            stay = (*desired.labels[edges[1]], *desired.labels[edges[2]])
        else:
            continue
        yield from ((edges, each) for each in dict.fromkeys(former) if each not in stay)


def properties_to_count(desired: GraphManifest, listed: GraphManifest) -> Iterator[LabelProperty]:
    """Properties that will be ours on nodes that are ours already: where nodes have them, others wrote them.

    >>> before = GraphManifest(labels={"Plan": ("plan_id",)})
    >>> now = GraphManifest(labels={"Plan": ("plan_id", "risk"), "Vip": ("vip_id",)})
    >>> list(properties_to_count(now, before))
    [('Plan', 'risk')]
    """
    for label, names in desired.labels.items():
        if not _is_ours(label, desired, listed):
            continue
        of_others = listed.others.properties.get(label, ())
        for name in names:
            known = name in listed.labels[label] and name not in of_others
            if not known and not is_kept_name(name):
                yield label, name


def keys_to_constrain(
    decision: LoadDecision, keys: Iterable[LabelProperties], schema: GraphSchema
) -> Iterator[LabelProperties]:
    """Keys without constraint of nodes that stay. Those made anew have no copies."""
    staying = {*decision.labels_that_are("unchanged"), *decision.labels_that_are("taken over")}
    for key in keys:
        if key.label in staying and not schema.has_constraint(key):
            yield key


def _mapped_label(label: str, desired: GraphManifest, facts: GraphFacts) -> LabelChange:
    is_ours = _is_ours(label, desired, facts.listed)
    if not facts.nodes.get(label):
        return "unchanged" if is_ours else "new"
    if not is_ours:
        return "taken over"
    return "unchanged" if _same_keys(label, desired, facts.listed) else "made anew"


def _is_ours(label: str, desired: GraphManifest, listed: GraphManifest) -> bool:
    # A label without properties was listed by older versions for a refused row of which nothing was
    # ever loaded: the nodes are those of others.
    if label not in listed.labels or label in listed.others.labels:
        return False
    return bool(listed.labels[label] or not desired.labels[label])


def _same_keys(label: str, desired: GraphManifest, listed: GraphManifest) -> bool:
    """Whether every row finds its node. No key does, so the nodes of a table without are made anew.

    MERGE finds no node by a text that was a number before, and finds 1 by 1.0 and keeps it.
    """
    now = desired.table_keys.get(label, {})
    if not all(now.values()):
        return False
    before = listed.table_keys.get(label)
    if before and now:
        # A table that is new finds nodes only where the label was another one's alone.
        return all(
            before[table] == key if table in before else _finds(key, before.values())
            for table, key in now.items()
        )
    # An older version listed the key of the label's last table.
    key = dict(list(now.values())[-1]) if now else None
    names = tuple(key) if key else desired.keys.get(label)
    types = tuple(key.values()) if key else desired.key_types.get(label)
    return listed.keys.get(label) == names and listed.key_types.get(label, types) == types


def _finds(key: TableKey, others: Iterable[TableKey]) -> bool:
    return key[0][0] == TABLE_PROPERTY or key in others


def _surplus_nodes(
    labels: Mapping[str, LabelChange], facts: GraphFacts
) -> Iterator[tuple[str, int]]:
    listed = facts.listed
    for label, change in labels.items():
        if change in ("unchanged", "made anew", "kept"):
            surplus = _surplus(
                facts.nodes.get(label, 0),
                left=listed.nodes.get(label),
                told=listed.others.surplus_nodes.get(label, 0),
            )
            if surplus:
                yield label, surplus


def _surplus_relationships(
    relationships: Mapping[RelationshipPattern, EdgesChange], facts: GraphFacts
) -> Iterator[tuple[RelationshipPattern, int]]:
    listed = facts.listed
    for edges, change in relationships.items():
        if change in ("unchanged", "changed", "kept"):
            name = pattern_name(edges)
            surplus = _surplus(
                facts.relationships.get(edges, 0),
                left=listed.between.get(name),
                told=listed.others.surplus_relationships.get(name, 0),
            )
            if surplus:
                yield edges, surplus


def _surplus(existing: int, *, left: int | None, told: int) -> int:
    """How many are beyond those that a load left, and those that it told to be of others."""
    added = 0 if left is None else max(0, existing - left)
    return min(existing, added + told)


def _unmapped_label(label: str, kept: GraphManifest, facts: GraphFacts) -> LabelChange:
    if label in kept.labels:
        return "kept"
    return "removed" if facts.listed.labels[label] else "foreign"


def _mapped_relationship(
    edges: RelationshipPattern, desired: GraphManifest, facts: GraphFacts
) -> EdgesChange:
    if not facts.listed.makes(edges) or edges in facts.listed.others.edges:
        return "taken over" if facts.relationships.get(edges) else "new"
    # A row's digest is in the manifest only where the load that wrote it made the relationships.
    former = facts.listed.digests.get(pattern_name(edges))
    return "unchanged" if former in (None, desired.digests[pattern_name(edges)]) else "changed"


def _unmapped_relationship(
    edges: RelationshipPattern, kept: GraphManifest, undecided: frozenset[RelationshipPattern]
) -> EdgesChange:
    if kept.makes(edges):
        return "kept"
    return "unknown" if edges in undecided else "removed"


def _purged(desired: GraphManifest, listed: GraphManifest) -> Iterator[LabelProperty]:
    for label in desired.labels:
        for name in purged_properties(label, desired=desired, listed=listed):
            yield label, name


def purged_properties(label: str, *, desired: GraphManifest, listed: GraphManifest) -> list[str]:
    """Properties of a label that were ours and are read no longer."""
    names = frozenset(desired.labels[label])
    return [name for name in listed.labels.get(label, ()) if name not in names]
