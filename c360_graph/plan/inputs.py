"""What a plan is made from: what a graph holds, and what a load is about to write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from c360_graph.cypher.schema import GraphSchema, LabelProperties
from c360_graph.mapping.control_rows import ControlRows, Treatment
from c360_graph.mapping.graph_manifest import (
    GraphManifest,
    RelationshipPattern,
    manifest_of,
    pattern_named,
)
from c360_graph.mapping.model import GraphMapping, TableIndex, TableMapping
from c360_graph.mapping.property_types import property_type
from c360_graph.plan.decisions import GraphFacts, LabelProperty, LoadDecision, decide
from c360_graph.plan.model import Way


@dataclass(frozen=True, kw_only=True)
class CountsNeeded:
    """What has to be counted before a plan can be made."""

    holders: tuple[LabelProperty, ...] = ()
    """Nodes of a label that have a property."""
    untreated: tuple[tuple[str, str, Treatment], ...] = ()
    """Nodes of a label whose property does not look as its treatment would leave it."""
    all_properties: tuple[str, ...] = ()
    """Labels whose properties are lost, those of others too, however few nodes have them."""
    losing: tuple[str, ...] = ()
    """Labels whose nodes go, and with them the relationships that others made."""
    edges: tuple[RelationshipPattern, ...] = ()
    """Relationships that are told of anyway: all others at those nodes are counted."""
    keys: tuple[LabelProperties, ...] = ()
    """Keys without constraint whose nodes stay: copies would keep one from being made."""


@dataclass(frozen=True, kw_only=True)
class GraphState:
    """A graph at one moment.

    `nodes` counts by label, `relationships` by type, both without the loader's own; `edges` by the
    manifest's names of edges. `of_others` counts the nodes of a label that have a property that is not
    listed. `lost` counts relationships by type that go with the nodes of a label. `types` are those a sample of nodes has, by label and property.
    `duplicates` counts the values of a key that several nodes have.
    """

    manifest: GraphManifest | None = None
    is_whole: bool = True
    all_nodes: int = 0
    nodes: Mapping[str, int] = field(default_factory=dict)
    relationships: Mapping[str, int] = field(default_factory=dict)
    edges: Mapping[str, int] = field(default_factory=dict)
    types: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    schema: GraphSchema = field(default_factory=GraphSchema)
    duplicates: Mapping[LabelProperties, int] = field(default_factory=dict)
    holders: Mapping[LabelProperty, int] = field(default_factory=dict)
    untreated: Mapping[LabelProperty, int] = field(default_factory=dict)
    of_others: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    lost: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def facts(self) -> GraphFacts:
        """What decisions rest on."""
        return GraphFacts(
            listed=self.listed,
            nodes=self.nodes,
            relationships={pattern_named(name): count for name, count in self.edges.items()},
            holders=self.holders,
        )

    @property
    def listed(self) -> GraphManifest:
        """The manifest; an empty one where there is none."""
        return self.manifest or GraphManifest()


@dataclass(frozen=True, kw_only=True)
class Intention:
    """The mapping and the way of loading. `unasked` are ids of sources whose catalog is not known.

    `kept` is what control rows that are refused now made before.
    """

    way: Way
    rows: ControlRows
    mapping: GraphMapping
    kept: GraphManifest
    unasked: frozenset[int] = frozenset()

    @cached_property
    def desired(self) -> GraphManifest:
        """What of the graph will be ours."""
        return manifest_of(self.mapping.tables, self.mapping.relationships, {})

    @cached_property
    def unknown_labels(self) -> frozenset[str]:
        """Labels of tables whose columns are not known."""
        return frozenset(
            table.node_label
            for table in self.mapping.node_tables
            if table.source.source_id in self.unasked
        )

    @cached_property
    def undecided(self) -> frozenset[RelationshipPattern]:
        """Edges of rows that wait for a source that could not be asked."""
        undecided = frozenset(self.mapping.undecided_relationship_ids)
        return frozenset(
            (row.relationship_type, row.from_label, row.to_label)
            for row in self.rows.relationships
            if row.relationship_id in undecided
        )

    def decide(self, holding: GraphState) -> LoadDecision:
        """What a load makes of a graph; one that clears it keeps nothing of refused rows."""
        return decide(
            desired=self.desired,
            kept=self.kept if self.way == "reconcile" else GraphManifest(),
            facts=holding.facts,
            unknown_labels=self.unknown_labels,
            undecided=self.undecided,
        )

    def tables_of(self, label: str) -> tuple[TableMapping, ...]:
        """The tables that feed a label."""
        return self._index.labelled(label)

    @cached_property
    def _index(self) -> TableIndex:
        return TableIndex(self.mapping.tables)

    def types_of(self, label: str, name: str) -> tuple[str, ...]:
        """The types that a property of a label will have, by the tables that feed it."""
        found = {
            property_type(
                prop.type, treatment=prop.treatment, time_zone=table.source.time_zone
            ).name
            for table in self.tables_of(label)
            if (prop := table.property_of(name)) is not None
        }
        return tuple(sorted(found))
