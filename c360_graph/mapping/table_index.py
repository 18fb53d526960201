"""Mapped tables by what control rows and relationships name them by, so that nothing searches through all of them,
and the columns that relationships look their ends up by.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TypeVar

from c360_graph.mapping.model import (
    NodeTable,
    RelationshipEnd,
    RelationshipMapping,
    TableMapping,
    node_tables,
)

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

Tables = tuple[TableMapping, ...]


class TableIndex:
    """Mapped tables in their order, found by label, name or asset key."""

    def __init__(self, tables: Iterable[TableMapping]) -> None:
        self.tables = tuple(tables)

    @cached_property
    def labels(self) -> frozenset[str]:
        """The labels of all tables."""
        return frozenset(self._by_label)

    def labelled(self, label: str) -> tuple[NodeTable, ...]:
        """The tables that feed a label."""
        return self._by_label.get(label, ())

    def named(self, table_name: str) -> Tables:
        """The tables of a name, in whichever source."""
        return self._by_name.get(table_name, ())

    def at(self, end: RelationshipEnd) -> tuple[NodeTable, ...]:
        """The tables whose rows take part at an end of a relationship."""
        labelled = self.labelled(end.label)
        return tuple(table for table in labelled if end.has(table)) if end.tables else labelled

    def driving(self, mapping: RelationshipMapping) -> Tables:
        """The tables for whose rows the other ends are looked up."""
        if mapping.junction is not None:
            return self._by_key.get(mapping.junction.table, ())
        return self.at(mapping.driving) if mapping.driving else ()

    def of(self, mapping: RelationshipMapping) -> Tables:
        """The tables of both ends and the junction, each once."""
        through = self.driving(mapping) if mapping.junction else ()
        found = (*self.at(mapping.start), *self.at(mapping.end), *through)
        return tuple({table.asset_key: table for table in found}.values())

    @cached_property
    def _by_label(self) -> Mapping[str, tuple[NodeTable, ...]]:
        return grouped(node_tables(self.tables), lambda table: table.node_label)

    @cached_property
    def _by_name(self) -> Mapping[str, Tables]:
        return grouped(self.tables, lambda table: table.table_name)

    @cached_property
    def _by_key(self) -> Mapping[tuple[str, str], Tables]:
        return grouped(self.tables, lambda table: table.asset_key)


def relationships_by_table(
    relationships: Iterable[RelationshipMapping], tables: Iterable[TableMapping]
) -> Mapping[tuple[str, str], tuple[RelationshipMapping, ...]]:
    """The relationships that each table takes part in, by its asset key."""
    index = TableIndex(tables)
    found: dict[tuple[str, str], list[RelationshipMapping]] = defaultdict(list)
    for mapping in relationships:
        for table in index.of(mapping):
            found[table.asset_key].append(mapping)
    return {key: tuple(those) for key, those in found.items()}


def grouped(
    values: Iterable[_Value], key: Callable[[_Value], _Key]
) -> Mapping[_Key, tuple[_Value, ...]]:
    """The values by a key of theirs, each group in the values' order.

    >>> grouped(["ant", "bee", "cat", "asp"], lambda word: word[0])["a"]
    ('ant', 'asp')
    """
    found: dict[_Key, list[_Value]] = defaultdict(list)
    for value in values:
        found[key(value)].append(value)
    return {name: tuple(those) for name, those in found.items()}


def sought_columns(
    mappings: Iterable[RelationshipMapping],
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Label and columns of each group that mappings seek by, once, in the mappings' order."""
    ends = (end for mapping in mappings for end in mapping.sought)
    groups = ((end.label, tuple(dict.fromkeys(column for column, _ in end.pairs))) for end in ends)
    return tuple(dict.fromkeys(groups))


def indexed_tables(tables: Tables, mappings: Iterable[RelationshipMapping]) -> Tables:
    """The tables, each with the columns of its label that mappings seek by and its key does not hold.

    An index is of a label, so that every table of the label counts, whether or not it takes part.
    """
    by_label = grouped(sought_columns(mappings), lambda group: group[0])
    return tuple(
        table.model_copy(update={"indexed": _indexed(table, by_label.get(table.node_label, ()))})
        if isinstance(table, NodeTable)
        else table
        for table in tables
    )


def _indexed(
    table: NodeTable, groups: Iterable[tuple[str, tuple[str, ...]]]
) -> tuple[tuple[str, ...], ...]:
    """Of these groups those that an index has besides the key; a row that lacks a column is in none."""
    return tuple(
        names
        for _, names in groups
        if {*names} != {*table.key} and all(table.property_of(name) for name in names)
    )
