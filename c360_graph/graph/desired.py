"""What a graph shall be after a load that reconciles it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO, Protocol

from c360_graph.cypher.relationships import LinkTables
from c360_graph.cypher.script_writer import (
    ExtractIndex,
    NodeExtract,
    ScriptHeader,
    TableExtract,
    script_manifest,
)
from c360_graph.mapping.graph_manifest import GraphManifest, RelationshipPattern, pattern_of
from c360_graph.mapping.model import NodeTable, RelationshipMapping, grouped, node_tables


@dataclass(frozen=True, kw_only=True)
class RowChanges:
    """Rows of a table: those that are new or have changed, and those that were deleted, as they were."""

    upserted: NodeExtract
    deleted: NodeExtract


@dataclass(frozen=True, kw_only=True)
class RelationshipRows:
    """Rows of links in COPY's text form; those to remove have how many as a last column."""

    count: int
    open: Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, kw_only=True)
class LinkChanges:
    """Relationships of a mapping that the extracts make now and did not, and the other way round."""

    tables: LinkTables
    added: RelationshipRows
    removed: RelationshipRows


class Changes(Protocol):
    """Compares the extracts of now with those that a graph holds, named by their digests.

    None means that it is not known: then everything is compared with the graph itself.
    """

    def rows_before(self, qualified_name: str) -> int | None:
        """Rows of the extract of a table (`source/table`) that the graph holds."""

    def of_table(self, table: NodeTable) -> RowChanges | None:
        """Of a table with a key."""

    def of_mapping(self, mapping: RelationshipMapping) -> LinkChanges | None:
        """Of a mapping that is the same as before, and the only one of its type between its labels."""


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
        return script_manifest(self.header, self.extracts, self.mappings)

    def extracts_of(self, label: str) -> tuple[NodeExtract, ...]:
        """The extracts of the tables that feed a label."""
        return self.index.labelled(label)

    @cached_property
    def index(self) -> ExtractIndex:
        """The extracts by table and label."""
        return ExtractIndex(self.extracts)

    @cached_property
    def node_tables(self) -> tuple[NodeTable, ...]:
        """The tables whose rows become nodes."""
        return node_tables(extract.table for extract in self.extracts)

    def mappings_of(self, edges: RelationshipPattern) -> tuple[RelationshipMapping, ...]:
        """The mappings that make relationships of a type between two labels."""
        return self._by_edges.get(edges, ())

    @cached_property
    def _by_edges(self) -> Mapping[RelationshipPattern, tuple[RelationshipMapping, ...]]:
        return grouped(self.mappings, pattern_of)
