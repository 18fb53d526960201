"""The columns that relationships look their ends up by: an index has them, so their values may not be too long."""

from __future__ import annotations

from collections.abc import Iterable

from c360_graph.mapping.model import RelationshipMapping, TableMapping
from c360_graph.mapping.table_index import grouped

Tables = tuple[TableMapping, ...]


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
        table.model_copy(
            update={"indexed": _indexed(table, by_label.get(table.node_label or "", ()))}
        )
        for table in tables
    )


def _indexed(
    table: TableMapping, groups: Iterable[tuple[str, tuple[str, ...]]]
) -> tuple[tuple[str, ...], ...]:
    """Of these groups those that an index has besides the key; a row that lacks a column is in none."""
    return tuple(
        names
        for _, names in groups
        if {*names} != {*table.key} and all(table.property_of(name) for name in names)
    )
