"""Which columns of which tables are equal: by foreign keys, by agreement of values, by rows that stand."""

from __future__ import annotations

from collections.abc import Iterator

from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.join_columns import source_column
from c360_graph.mapping.join_functions import Calls
from c360_graph.mapping.model import GraphMapping, RelationshipMapping, TableMapping
from c360_graph.mapping.table_index import TableIndex
from c360_graph.proposal.schema import QualifiedColumn

QualifiedTable = tuple[str, str]
Edge = tuple[QualifiedColumn, QualifiedColumn]
Fact = frozenset[frozenset[QualifiedColumn]]
"""What a relationship says, whichever way round it is and whatever it is called."""


class ProposedJoin(Frozen):
    """Rows of `child` refer to rows of `parent`; pairs are (child's column, parent's column)."""

    child: QualifiedTable
    parent: QualifiedTable
    pairs: tuple[tuple[str, str], ...]
    functions: Calls = ()
    """What stands around each column where values agree only so."""
    required: bool = False
    """Whether no row of the child is without a reference."""
    is_natural: bool = False
    """Whether the parent's columns mean the same in other databases: an e-mail address does, an id does not."""
    evidence: str

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The columns that are equal."""
        return tuple(
            (QualifiedColumn(*self.child, own), QualifiedColumn(*self.parent, other))
            for own, other in self.pairs
        )


class ProposedJunction(Frozen):
    """A junction table: each row of it joins a row of one parent to a row of the other."""

    junction: QualifiedTable
    ends: tuple[ProposedJoin, ProposedJoin]

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The columns that are equal."""
        return self.ends[0].edges + self.ends[1].edges


def fact(edges: tuple[Edge, ...]) -> Fact:
    """What these equalities say together."""
    return frozenset(frozenset(edge) for edge in edges)


def proposed_edges(mapping: GraphMapping) -> Iterator[tuple[Edge, ...]]:
    """The equalities of each relationship that stands, for each choice of tables it joins."""
    index = TableIndex(mapping.tables)
    for relationship in mapping.relationships:
        for start in index.at(relationship.start):
            for end in index.at(relationship.end):
                yield _edges(relationship, start, end)


def _edges(
    relationship: RelationshipMapping, start: TableMapping, end: TableMapping
) -> tuple[Edge, ...]:
    junction = relationship.junction
    if junction is None:
        return tuple(
            (_compared_column(start.asset_key, left), _compared_column(end.asset_key, right))
            for left, right in relationship.pairs
        )
    return tuple(
        (_compared_column(side.asset_key, left), _compared_column(junction.table, right))
        for side, pairs in ((start, junction.from_pairs), (end, junction.to_pairs))
        for left, right in pairs
    )


def _compared_column(table: QualifiedTable, column: str) -> QualifiedColumn:
    """The column behind what is compared."""
    return QualifiedColumn(*table, source_column(column))
