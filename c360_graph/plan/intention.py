"""What a load is about to write, and what it leaves alone since it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.graph_manifest import Edges, GraphManifest, manifest_of
from c360_graph.mapping.model import GraphMapping, TableMapping
from c360_graph.mapping.table_index import TableIndex
from c360_graph.plan.decisions import LoadDecision, decide
from c360_graph.plan.holding import GraphHolding
from c360_graph.plan.model import Way
from c360_graph.property_types import property_type


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
            for table in self.mapping.tables
            if table.node_label and table.source.source_id in self.unasked
        )

    @cached_property
    def undecided(self) -> frozenset[Edges]:
        """Edges of rows that wait for a source that could not be asked."""
        waiting = frozenset(self.mapping.waiting)
        return frozenset(
            (row.relationship_type, row.from_label, row.to_label)
            for row in self.rows.relationships
            if row.relationship_id in waiting
        )

    def decide(self, holding: GraphHolding) -> LoadDecision:
        """What a load makes of a graph; one that clears it keeps nothing of refused rows."""
        return decide(
            desired=self.desired,
            kept=self.kept if self.way == "reconcile" else GraphManifest(),
            facts=holding.facts,
            unknown_labels=self.unknown_labels,
            undecided=self.undecided,
        )

    def told_of(self, holding: GraphHolding) -> Iterator[Edges]:
        """Relationships that are ours and come back with their nodes, or are told of where they go."""
        for edges, change in self.decide(holding).relationships.items():
            if change != "kept":
                yield edges

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
