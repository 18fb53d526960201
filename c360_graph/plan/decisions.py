"""What a load does with each label, relationship and property: decided once, shown by a plan, executed by a load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from c360_graph.mapping.graph_manifest import Edges, GraphManifest, edges_name
from c360_graph.plan.model import EdgesChange, LabelChange


@dataclass(frozen=True, kw_only=True)
class GraphFacts:
    """What a decision rests on: the manifest, nodes by label, relationships by type and labels."""

    listed: GraphManifest = field(default_factory=GraphManifest)
    nodes: Mapping[str, int] = field(default_factory=dict)
    relationships: Mapping[Edges, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LoadDecision:
    """What happens to each label and relationship that is mapped or listed, and what is purged.

    `purged` are label and property of what was ours and is no longer read.
    """

    labels: Mapping[str, LabelChange]
    relationships: Mapping[Edges, EdgesChange]
    purged: tuple[tuple[str, str], ...]

    def labels_that_are(self, change: LabelChange) -> Iterator[str]:
        """The labels with this change."""
        return (label for label, found in self.labels.items() if found == change)

    def relationships_that_are(self, change: EdgesChange) -> Iterator[Edges]:
        """The relationships with this change."""
        return (edges for edges, found in self.relationships.items() if found == change)


def decide(
    *,
    desired: GraphManifest,
    kept: GraphManifest,
    facts: GraphFacts,
    unknown_labels: frozenset[str] = frozenset(),
    undecided: frozenset[Edges] = frozenset(),
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
    relationships: dict[Edges, EdgesChange] = {
        edges: _mapped_relationship(edges, desired, facts) for edges in desired.edges
    }
    for edges in facts.listed.edges:
        if edges not in relationships:
            relationships[edges] = _unmapped_relationship(edges, kept, undecided)
    return LoadDecision(
        labels=labels, relationships=relationships, purged=tuple(_purged(desired, facts.listed))
    )


def _mapped_label(label: str, desired: GraphManifest, facts: GraphFacts) -> LabelChange:
    listed = facts.listed
    # A label without properties was listed by older versions for a refused row of which nothing was
    # ever loaded: the nodes are those of others.
    is_ours = label in listed.labels and bool(listed.labels[label] or not desired.labels[label])
    if not facts.nodes.get(label):
        return "unchanged" if is_ours else "new"
    if not is_ours:
        return "taken over"
    same = listed.keys.get(label) == desired.keys.get(label)
    # MERGE finds no node by a text that was a number before, and finds 1 by 1.0 and keeps it.
    types = desired.key_types.get(label)
    same_types = listed.key_types.get(label, types) == types
    return "unchanged" if same and same_types else "made anew"


def _unmapped_label(label: str, kept: GraphManifest, facts: GraphFacts) -> LabelChange:
    if label in kept.labels:
        return "kept"
    return "removed" if facts.listed.labels[label] else "foreign"


def _mapped_relationship(edges: Edges, desired: GraphManifest, facts: GraphFacts) -> EdgesChange:
    if not facts.listed.makes(edges):
        return "taken over" if facts.relationships.get(edges) else "new"
    # A row's digest is in the manifest only where the load that wrote it made the relationships.
    former = facts.listed.digests.get(edges_name(edges))
    return "unchanged" if former in (None, desired.digests[edges_name(edges)]) else "changed"


def _unmapped_relationship(
    edges: Edges, kept: GraphManifest, undecided: frozenset[Edges]
) -> EdgesChange:
    if kept.makes(edges):
        return "kept"
    return "unknown" if edges in undecided else "removed"


def _purged(desired: GraphManifest, listed: GraphManifest) -> Iterator[tuple[str, str]]:
    for label in desired.labels:
        for name in purged_properties(label, desired=desired, listed=listed):
            yield label, name


def purged_properties(label: str, *, desired: GraphManifest, listed: GraphManifest) -> list[str]:
    """Properties of a label that were ours and are read no longer."""
    names = frozenset(desired.labels[label])
    return [name for name in listed.labels.get(label, ()) if name not in names]
