"""What a graph shall be after a load that reconciles it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from c360_graph.cypher.script import ScriptHeader, TableExtract, script_manifest
from c360_graph.mapping.graph_manifest import Edges, GraphManifest, edges_of
from c360_graph.mapping.model import RelationshipMapping
from c360_graph.neo4j_loader.changes import Changes


@dataclass(frozen=True, kw_only=True)
class Desired:
    """What the graph shall be. `kept` is left as it is: labels and edges of rows that were refused.

    `changes` compares with the extracts of these digests (by `source/table`); None has every row
    compared with the graph.
    """

    header: ScriptHeader
    extracts: tuple[TableExtract, ...]
    mappings: tuple[RelationshipMapping, ...]
    kept: GraphManifest = field(default_factory=GraphManifest)
    max_removed_share: float = 0.3
    changes: Callable[[Mapping[str, str]], Changes] | None = None

    @cached_property
    def manifest(self) -> GraphManifest:
        """What of the graph will be ours."""
        return script_manifest(
            self.extracts, self.mappings, rules=self.header.rules, owner=self.header.owner
        )

    def extracts_of(self, label: str) -> list[TableExtract]:
        """The extracts of the tables that feed a label."""
        return [extract for extract in self.extracts if extract.table.node_label == label]

    def mappings_of(self, edges: Edges) -> list[RelationshipMapping]:
        """The mappings that make relationships of a type between two labels."""
        return [mapping for mapping in self.mappings if edges_of(mapping) == edges]
