"""What a target graph holds, as its manifest, its counts and bounded samples show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from c360_graph.cypher.graph_schema import GraphSchema
from c360_graph.cypher.schema import LabelProperties
from c360_graph.mapping.control_rows import Treatment
from c360_graph.mapping.graph_manifest import Edges, GraphManifest, edges_named
from c360_graph.plan.decisions import GraphFacts, LabelProperty


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What has to be counted before a plan can be made."""

    holders: tuple[LabelProperty, ...] = ()
    """Nodes of a label that have a property."""
    untreated: tuple[tuple[str, str, Treatment], ...] = ()
    """Nodes of a label whose property does not look as its treatment would leave it."""
    all_properties: tuple[str, ...] = ()
    """Labels whose properties are lost, those of others too, however few nodes have them."""
    losing: tuple[str, ...] = ()
    """Labels whose nodes go, and with them the relationships that others made."""
    edges: tuple[Edges, ...] = ()
    """Relationships that are told of anyway: all others at those nodes are counted."""
    keys: tuple[LabelProperties, ...] = ()
    """Keys without constraint whose nodes stay: copies would keep one from being made."""


@dataclass(frozen=True, kw_only=True)
class GraphHolding:
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
            relationships={edges_named(name): count for name, count in self.edges.items()},
            holders=self.holders,
        )

    @property
    def listed(self) -> GraphManifest:
        """The manifest; an empty one where there is none."""
        return self.manifest or GraphManifest()
