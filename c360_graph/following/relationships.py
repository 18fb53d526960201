"""Which relationships a changed row may gain or lose: between nodes, and through junction tables whose rows are no nodes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from c360_graph.cypher.copy_text import decode_value
from c360_graph.cypher.schema import LabelProperties, indexes, keys
from c360_graph.mapping.catalog import INTEGERS
from c360_graph.mapping.graph_manifest import RelationshipPattern, pattern_of
from c360_graph.mapping.join_forms import source_column
from c360_graph.mapping.model import (
    GraphMapping,
    NodeTable,
    RelationshipEnd,
    RelationshipMapping,
    TableIndex,
    TableMapping,
    grouped,
)
from c360_graph.source.key_reads import Key, RowsRead

ReadLinks = Callable[[TableMapping, tuple[str, ...], list[Key]], list[bytes]]
"""Reads the rows of a junction table that have one of the values in these columns."""


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A type between two labels."""

    edges: RelationshipPattern
    mappings: tuple[RelationshipMapping, ...]

    @property
    def is_single(self) -> bool:
        """Whether one mapping without a junction makes it: then two nodes have one relationship or none."""
        return len(self.mappings) == 1 and self.mappings[0].junction is None

    @property
    def has_rows_without_label(self) -> bool:
        """Whether it goes through a table whose rows the graph does not hold."""
        return any(m.junction is not None and m.junction.node_label is None for m in self.mappings)

    def ends_of(self, label: str) -> tuple[tuple[RelationshipMapping, RelationshipEnd], ...]:
        """The ends at which the nodes of a label may be, each with its mapping."""
        return tuple(
            (mapping, end)
            for mapping in self.mappings
            for end in (mapping.start, mapping.end)
            if end.label == label
        )


class Patterns:
    """All patterns of a mapping.

    Those through a table without a label that is not followed are left to the loads: its rows are not in
    the graph. `followed` are qualified names (`source/table`).
    """

    def __init__(self, mapping: GraphMapping, followed: Collection[str]) -> None:
        self._mapping = mapping
        self._index = TableIndex(mapping.tables)
        found = grouped(mapping.relationships, pattern_of)
        patterns = [Pattern(edges=edges, mappings=those) for edges, those in found.items()]
        self.left = tuple(p for p in patterns if _lacks_rows(p, followed))
        self.followed = tuple(p for p in patterns if p not in self.left)

    def of_label(self, label: str) -> tuple[Pattern, ...]:
        """Those at one of whose ends nodes of a label are."""
        return self._by_label.get(label, ())

    def through(self, table: TableMapping) -> tuple[tuple[Pattern, RelationshipMapping], ...]:
        """Those that go through a table, each with the mapping that does."""
        return tuple(
            (pattern, mapping)
            for pattern in self.followed
            for mapping in pattern.mappings
            if _goes_through(mapping, table)
        )

    def links(self) -> Iterator[tuple[TableMapping, Pattern, RelationshipMapping]]:
        """Junction tables without a label, each with what goes through it."""
        for pattern in self.followed:
            for mapping in pattern.mappings if pattern.has_rows_without_label else ():
                table = self._mapping.table(mapping.junction.table) if mapping.junction else None
                if table is not None:
                    yield table, pattern, mapping

    def at(self, end: RelationshipEnd) -> tuple[NodeTable, ...]:
        """The tables whose rows are at an end."""
        return self._index.at(end)

    def told(self, table: TableMapping) -> tuple[str, ...]:
        """The columns of a table whose values rows of a junction without a label are read by."""
        found = (
            column
            for pattern in self.followed
            if pattern.has_rows_without_label
            for mapping in pattern.mappings
            for end in (mapping.start, mapping.end)
            if end.has(table)
            for column, _ in end.pairs
        )
        return tuple(dict.fromkeys(found))

    def joined(self, table: TableMapping) -> frozenset[str]:
        """The columns of a table that decide which relationships there are, and what they hold."""
        found: set[str] = set()
        for pattern in self.followed:
            for mapping in pattern.mappings:
                found.update(_joined(mapping, table))
        return frozenset(found)

    def indexes(self) -> tuple[LabelProperties, ...]:
        """The indexes that a late node finds its partners by, besides those that every load makes."""
        tables = self._mapping.node_tables
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


def _lacks_rows(pattern: Pattern, followed: Collection[str]) -> bool:
    return any(
        m.junction is not None
        and m.junction.node_label is None
        and "/".join(m.junction.table) not in followed
        for m in pattern.mappings
    )


def _goes_through(mapping: RelationshipMapping, table: TableMapping) -> bool:
    junction = mapping.junction
    if junction is None:
        return False
    if junction.node_label is None:
        return junction.table == table.asset_key
    # Whatever feeds the label drives the relationships.
    return junction.node_label == table.node_label


_READ_BY = (INTEGERS, frozenset(["text", "varchar"]), frozenset(["uuid"]))
"""Types of which a value of the graph is one of the source, found by an index."""


def why_links_are_left(mapping: GraphMapping, table: TableMapping) -> str | None:
    """Why a junction table that is no node cannot be followed; None where it can, or is no such table.

    Its rows are not in the graph. What one joined before is said by its key alone, and what a late node
    joins is asked of the source.
    """
    if isinstance(table, NodeTable):
        return None
    for relationship in mapping.relationships:
        junction = relationship.junction
        if junction is None or not _goes_through(relationship, table):
            continue
        joined = {source_column(column) for _, column in (*junction.from_pairs, *junction.to_pairs)}
        if not joined <= {*table.key}:
            return (
                "it is a junction table without a label, and its key does not hold the columns that it"
                f" joins by ({', '.join(sorted(joined))}): after a change nobody knows what it joined"
                " before; give it a label in node_label_mappings"
            )
        alike = [m for m in mapping.relationships if pattern_of(m) == pattern_of(relationship)]
        if len(alike) > 1:
            return (
                f"it is a junction table without a label, and other rows make {alike[0].relationship_type}"
                " too; give it a label in node_label_mappings"
            )
        if not all(
            _is_read_by(mapping, table, end) for end in (relationship.start, relationship.end)
        ):
            return (
                "it is a junction table without a label, and its columns cannot be looked up by the"
                " values of the graph: they are hashed or masked, or neither integers, texts nor uuids"
                " on both sides; give it a label in node_label_mappings"
            )
    return None


def _is_read_by(mapping: GraphMapping, table: TableMapping, end: RelationshipEnd) -> bool:
    ends = [other for other in mapping.tables if end.has(other)]
    for name, column in end.pairs:
        properties = [table.property_of(column), *(other.property_of(name) for other in ends)]
        if any(p is None or p.treatment or p.form or p.cast_from for p in properties):
            return False
        bases = {prop.type.base for prop in properties if prop is not None}
        if not any(bases <= family for family in _READ_BY):
            return False
    return True


def _joined(mapping: RelationshipMapping, table: TableMapping) -> Iterator[str]:
    for end in (mapping.start, mapping.end):
        if end.has(table):
            yield from (column for column, _ in end.pairs)
            yield from mapping.properties if end == mapping.driving else ()
    junction = mapping.junction
    if junction is not None and _goes_through(mapping, table):
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


@dataclass(kw_only=True)
class JunctionRows:
    """Of one junction table and the mapping through it."""

    mapping: RelationshipMapping
    table: TableMapping
    rows: dict[bytes, None] = field(default_factory=dict)
    """Whole rows, all that join the pairs which are made anew."""
    gone: tuple[bytes, ...] = ()
    """Keys of rows that are no more."""

    def read_changed(self, read: RowsRead, reader: ReadLinks) -> None:
        """Rows that join what the changed ones do: a pair of nodes may be joined by several."""
        columns = self._columns(*self.mapping.sought)
        self.gone = read.gone
        keys = [_values(line, self._indexes(columns, self._names)) for line in read.rows]
        keys += [_values(line, self._indexes(columns, self.table.key)) for line in read.gone]
        self._add(columns, keys, reader)

    def read_of_end(
        self, end: RelationshipEnd, told: Iterable[Sequence[str | None]], reader: ReadLinks
    ) -> None:
        """Rows that refer to changed nodes of one end, given by the texts of its columns."""
        self._add(self._columns(end), [tuple(texts) for texts in told], reader)

    def _add(
        self, columns: tuple[str, ...], keys: Iterable[tuple[str | None, ...]], reader: ReadLinks
    ) -> None:
        wanted = [
            tuple(text for text in key if text is not None)
            for key in dict.fromkeys(keys)
            if None not in key
        ]
        if wanted:
            self.rows.update(dict.fromkeys(reader(self.table, columns, wanted)))

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(prop.column for prop in self.table.properties)

    @staticmethod
    def _columns(*ends: RelationshipEnd) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column for end in ends for _, column in end.pairs))

    @staticmethod
    def _indexes(columns: tuple[str, ...], names: tuple[str, ...]) -> list[int]:
        return [names.index(column) for column in columns]


def _values(line: bytes, indexes: list[int]) -> tuple[str | None, ...]:
    texts = line.decode().split("\t")
    return tuple(decode_value(texts[index]) for index in indexes)
