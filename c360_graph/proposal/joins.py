"""Which columns of which tables are equal: by foreign keys, also into other schemas, by agreement of values, by rows
that stand. Tables that only link two others are found here, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.join_forms import source_column
from c360_graph.mapping.join_functions import Calls
from c360_graph.mapping.model import GraphMapping, RelationshipMapping, TableMapping
from c360_graph.mapping.table_index import TableIndex
from c360_graph.proposal.model import ForeignKey, QualifiedColumn, SourceSchema, is_key

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


def joins_between(own: SourceSchema, schemas: Iterable[SourceSchema]) -> tuple[ProposedJoin, ...]:
    """A join for each foreign key between this schema and another that a source reads.

    Keys that lead here from the others count as well as those that lead there: whichever source is
    mapped last gets them.
    """
    others = [schema for schema in schemas if schema.source != own.source]
    found: dict[Fact, ProposedJoin] = {}
    for referring, candidates in ((own, others), *((other, [own]) for other in others)):
        for key in referring.foreign_keys:
            if referring.catalog.table(key.table_name) is None:
                continue
            for referred in referred_schemas(key, referring, candidates):
                join = join_of_key(key, referring, referred)
                found.setdefault(fact(join.edges), join)
    return tuple(found.values())


def referred_schemas(
    key: ForeignKey, own: SourceSchema, schemas: Iterable[SourceSchema]
) -> Iterator[SourceSchema]:
    """The sources that read the table which a foreign key refers to in another schema."""
    if key.to_schema == own.source.db_schema:
        return
    for schema in schemas:
        if (
            schema.source.db_schema == key.to_schema
            and schema.is_of_same_database(own)
            and schema.catalog.table(key.to_table) is not None
        ):
            yield schema


def join_of_key(key: ForeignKey, referring: SourceSchema, referred: SourceSchema) -> ProposedJoin:
    """The join that a foreign key is."""
    return ProposedJoin(
        child=(referring.source.source_name, key.table_name),
        parent=(referred.source.source_name, key.to_table),
        pairs=tuple(zip(key.columns, key.to_columns, strict=True)),
        required=all(not referring.column(key.table_name, c).nullable for c in key.columns),
        evidence=f"foreign key {key.name}",
    )


def joins_of(
    schema: SourceSchema, tables: Iterable[CatalogTable], schemas: Iterable[SourceSchema] = ()
) -> tuple[tuple[ProposedJoin, ...], tuple[str, ...]]:
    """A join for each foreign key between tables that are read, and a remark on each other one.

    Keys that lead to a schema which one of `schemas` reads are told of elsewhere.
    """
    others = tuple(schemas)
    read = {table.table_name for table in tables}
    found: dict[Fact, ProposedJoin] = {}
    remarks: list[str] = []
    for key in schema.foreign_keys:
        if key.table_name not in read or any(referred_schemas(key, schema, others)):
            continue
        reason = _reason_against(key, schema, read)
        if reason:
            table = f"{schema.source.source_name}/{key.table_name}"
            remarks.append(f"{table}: foreign key {key.name} is not proposed: {reason}")
        else:
            join = join_of_key(key, schema, schema)
            found.setdefault(fact(join.edges), join)
    return tuple(found.values()), tuple(remarks)


def _reason_against(key: ForeignKey, schema: SourceSchema, read: set[str]) -> str | None:
    if key.to_schema != schema.source.db_schema:
        return f"it refers to schema {key.to_schema}, which this source does not read."
    if key.to_table not in read:
        return f"{key.to_table} is not read."
    return None


def links_of(
    schema: SourceSchema, joins: Iterable[ProposedJoin], referring: Iterable[ProposedJoin] = ()
) -> tuple[ProposedJunction, ...]:
    """The tables that only link: two foreign keys, and nothing that makes their rows things.

    Either the two keys' columns are the table's own key (further columns then tell of the link), or
    there is nothing else but a key of one column; and no other table refers to it. `joins` are those
    of this schema's tables, `referring` those of others that lead to them.
    """
    by_child: dict[QualifiedTable, list[ProposedJoin]] = defaultdict(list)
    for join in joins:
        by_child[join.child].append(join)
    parents = {join.parent for ends in by_child.values() for join in ends}
    parents |= {join.parent for join in referring}
    found = []
    for table, ends in by_child.items():
        if len(ends) == 2 and table not in parents and _only_links(schema.table(table[1]), ends):
            first, second = sorted(ends, key=lambda join: _order(schema.table(join.child[1]), join))
            found.append(ProposedJunction(junction=first.child, ends=(first, second)))
    return tuple(found)


def _only_links(table: CatalogTable, ends: list[ProposedJoin]) -> bool:
    joined = {own for join in ends for own, _ in join.pairs}
    if is_key(table, tuple(joined)):
        return True
    others = {column.name for column in table.columns} - joined
    return not others or (len(table.primary_key) == 1 and others == set(table.primary_key))


def _order(table: CatalogTable, join: ProposedJoin) -> list[int]:
    """Where the columns of a join stand in its table."""
    order = [column.name for column in table.columns]
    return sorted(order.index(own) for own, _ in join.pairs)
