"""Which relationships a changed node may gain or lose: types between two labels, and the mappings that make them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from c360_graph.cypher.schema import LabelProperties, indexes, keys
from c360_graph.mapping.graph_manifest import RelationshipPattern, edges_of
from c360_graph.mapping.model import End, GraphMapping, RelationshipMapping, TableMapping
from c360_graph.mapping.table_index import grouped


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A type between two labels."""

    edges: RelationshipPattern
    mappings: tuple[RelationshipMapping, ...]

    @property
    def is_single(self) -> bool:
        """Whether one mapping without a junction makes it: then two nodes have one relationship or none."""
        return len(self.mappings) == 1 and self.mappings[0].junction is None

    def ends_of(self, label: str) -> tuple[tuple[RelationshipMapping, End], ...]:
        """The ends at which the nodes of a label may be, each with its mapping."""
        return tuple(
            (mapping, end)
            for mapping in self.mappings
            for end in (mapping.start, mapping.end)
            if end.label == label
        )


class Patterns:
    """All patterns of a mapping.

    Those that need a table without a label, whose rows the graph does not hold, are left to the loads.
    """

    def __init__(self, mapping: GraphMapping) -> None:
        self._mapping = mapping
        found = grouped(mapping.relationships, edges_of)
        patterns = [Pattern(edges=edges, mappings=those) for edges, those in found.items()]
        self.followed = tuple(p for p in patterns if not _needs_rows_without_label(p))
        self.left = tuple(p for p in patterns if _needs_rows_without_label(p))

    def of_label(self, label: str) -> tuple[Pattern, ...]:
        """Those at one of whose ends nodes of a label are."""
        return self._by_label.get(label, ())

    def through(self, table: TableMapping) -> tuple[tuple[Pattern, RelationshipMapping], ...]:
        """Those that go through a table, each with the mapping that does."""
        return tuple(
            (pattern, mapping)
            for pattern in self.followed
            for mapping in pattern.mappings
            if mapping.junction is not None and mapping.junction.table == table.asset_key
        )

    def joined(self, table: TableMapping) -> frozenset[str]:
        """The columns of a table that decide which relationships there are, and what they hold."""
        found: set[str] = set()
        for pattern in self.followed:
            for mapping in pattern.mappings:
                found.update(_joined(mapping, table))
        return frozenset(found)

    def indexes(self) -> tuple[LabelProperties, ...]:
        """The indexes that a late node finds its partners by, besides those that every load makes."""
        tables = self._mapping.tables
        there = {(key.label, frozenset(key.properties)) for key in keys(tables)}
        there |= {
            (index.label, frozenset(index.properties))
            for index in indexes(tables, self._mapping.relationships)
        }
        wanted = dict.fromkeys(
            group for pattern in self.followed for group in _sought_when_late(pattern)
        )
        return tuple(
            index for index in wanted if (index.label, frozenset(index.properties)) not in there
        )

    @cached_property
    def _by_label(self) -> Mapping[str, tuple[Pattern, ...]]:
        labels = dict.fromkeys(label for p in self.followed for label in p.edges[1:])
        return {label: tuple(p for p in self.followed if label in p.edges[1:]) for label in labels}


def _needs_rows_without_label(pattern: Pattern) -> bool:
    return any(m.junction is not None and m.junction.node_label is None for m in pattern.mappings)


def _joined(mapping: RelationshipMapping, table: TableMapping) -> Iterator[str]:
    for end in (mapping.start, mapping.end):
        if end.has(table):
            yield from (column for column, _ in end.pairs)
    junction = mapping.junction
    if junction is not None and junction.table == table.asset_key:
        yield from (column for _, column in (*junction.from_pairs, *junction.to_pairs))
        yield from junction.properties


def _sought_when_late(pattern: Pattern) -> Iterable[LabelProperties]:
    for mapping in pattern.mappings:
        junction = mapping.junction
        for end in (mapping.start, mapping.end):
            yield _columns(end.label, (column for column, _ in end.pairs))
            if junction is not None and junction.node_label is not None:
                yield _columns(junction.node_label, (column for _, column in end.pairs))


def _columns(label: str, columns: Iterable[str]) -> LabelProperties:
    return LabelProperties(label=label, properties=tuple(dict.fromkeys(columns)))
