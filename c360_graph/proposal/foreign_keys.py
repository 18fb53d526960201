"""Joins from foreign keys, and which tables only link two others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from c360_graph.mapping.catalog import CatalogTable
from c360_graph.proposal.cross_schema import join_of_key, referred_schemas
from c360_graph.proposal.joins import Fact, ProposedJoin, ProposedJunction, QualifiedTable, fact
from c360_graph.proposal.schema import ForeignKey, SourceSchema, is_key


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
