"""Which columns of which tables are equal, and the row of relationship_mappings that such a join or a junction becomes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count

from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.control_rows import Frozen, RelationshipRow
from c360_graph.mapping.join_forms import source_column
from c360_graph.mapping.join_functions import Calls, around
from c360_graph.mapping.model import GraphMapping, RelationshipMapping, TableIndex, TableMapping
from c360_graph.proposal.model import ForeignKey, Proposed, QualifiedColumn, SourceSchema, is_key
from c360_graph.proposal.naming import (
    ROLE_ENDINGS,
    alias_for,
    column_in_condition,
    role_words,
    singular_words,
    upper_snake,
    words,
)

QualifiedTable = tuple[str, str]
Edge = tuple[QualifiedColumn, QualifiedColumn]
Fact = frozenset[frozenset[QualifiedColumn]]
"""What a relationship says, whichever way round it is and whatever it is called."""

SAME = "SAME_AS"
_LINKING = frozenset(
    ["link", "links", "map", "mapping", "rel", "relation", "xref", "join", "junction", "to", "has"]
)
"""Words of a junction table's name that say no more than that it links."""

Labels = Mapping[QualifiedTable, str]
Names = tuple[str, str, str]


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


class ProposedRelationships:
    """Makes the rows one after the other: no two with the same type between the same labels."""

    def __init__(self, labels: Labels, taken: frozenset[Names], last_order: int) -> None:
        self._labels = labels
        self._taken = set(taken)
        self._standing = taken
        self._order = last_order
        self._id = 0

    def of_join(self, join: ProposedJoin) -> Proposed[RelationshipRow] | None:
        """The row of a join, None where its name is taken by a row that stands.

        A row that cannot be without its parent is a part of it: the parent HAS it. Any other refers
        to its parent, and so does a row of the same table.
        """
        owned = join.required and join.child != join.parent and not _is_same(join)
        start, end = (join.parent, join.child) if owned else (join.child, join.parent)
        kind = _type(join, owned=owned)
        from_alias = alias_for(start[1], ())
        to_alias = alias_for(end[1], (from_alias,))
        pairs = tuple((theirs, own) for own, theirs in join.pairs) if owned else join.pairs
        return self._row(
            kind,
            (start, end),
            why=_why(join, owned=owned),
            source_db=join.child[0],
            join_condition=_condition(from_alias, to_alias, pairs, join.functions),
            from_alias=from_alias,
            to_alias=to_alias,
        )

    def of_link(self, link: ProposedJunction) -> Proposed[RelationshipRow] | None:
        """The row of a junction, None where its name is taken by a row that stands."""
        start, end = link.ends
        from_alias = alias_for(start.parent[1], ())
        to_alias = alias_for(end.parent[1], (from_alias,))
        alias = alias_for(link.junction[1], (from_alias, to_alias))
        conditions = (
            _condition(
                from_alias,
                alias,
                tuple((theirs, own) for own, theirs in start.pairs),
                start.functions,
            ),
            _condition(alias, to_alias, end.pairs, end.functions),
        )
        return self._row(
            _link_type(link),
            (start.parent, end.parent),
            why=(
                f"{link.junction[1]} only links, so that its rows become relationships"
                f" ({start.evidence}, {end.evidence})"
            ),
            source_db=link.junction[0],
            join_condition=" AND ".join(conditions),
            from_alias=from_alias,
            to_alias=to_alias,
            junction_alias=alias,
            junction_table=link.junction[1],
            junction_label=self._labels.get(link.junction),
        )

    def _row(
        self,
        kind: str,
        ends: tuple[QualifiedTable, QualifiedTable],
        *,
        why: str,
        source_db: str,
        **columns: str | None,
    ) -> Proposed[RelationshipRow] | None:
        from_label, to_label = (self._labels[end] for end in ends)
        if (kind, from_label, to_label) in self._standing:
            return None
        numbered = (f"{kind}_{number}" for number in count(2))
        names = chain((kind,), numbered)
        kind = next(n for n in names if (n, from_label, to_label) not in self._taken)
        self._taken.add((kind, from_label, to_label))
        self._order += 10
        self._id -= 1
        row = RelationshipRow.model_validate(
            {
                "relationship_id": self._id,
                "source_db": source_db,
                "relationship_type": kind,
                "from_label": from_label,
                "to_label": to_label,
                "execution_order": self._order,
                "description": why,
                **columns,
            }
        )
        return Proposed(row=row, source_name=source_db, why=why)


def _is_same(join: ProposedJoin) -> bool:
    """Whether two sources have a table of the same things, which ids never tell."""
    names = (singular_words(join.child[1]), singular_words(join.parent[1]))
    return join.is_natural and join.child[0] != join.parent[0] and names[0] == names[1]


def _why(join: ProposedJoin, *, owned: bool) -> str:
    if _is_same(join):
        return f"the same thing in both sources ({join.evidence})"
    own = ", ".join(f"{join.child[1]}.{column}" for column, _ in join.pairs)
    kept = " and is never NULL: the parent has it" if owned else ""
    return f"{own} refers to {join.parent[1]}{kept} ({join.evidence})"


def _type(join: ProposedJoin, *, owned: bool) -> str:
    child, parent = singular_words(join.child[1]), singular_words(join.parent[1])
    if _is_same(join):
        return SAME
    role = _role(join, parent)
    if not owned:
        return upper_snake(("has", *(role or parent or ("row",))))
    tells = role and not set(role) <= set(parent)
    return upper_snake(("has", *(child or ("row",)), *(("as", *role) if tells else ())))


def _role(join: ProposedJoin, parent: tuple[str, ...]) -> tuple[str, ...]:
    """What the child calls its parent, () where it is the parent's own name."""
    own, theirs = next((pair for pair in join.pairs if pair[0] != pair[1]), join.pairs[0])
    column, key = words(own), words(theirs)
    if column[: len(key)] == key and column != key:
        return ()
    if key and key[-1] not in ROLE_ENDINGS and len(column) > len(key):
        column = column[: -len(key)] if column[-len(key) :] == key else column
        return column if column != parent else ()
    role = role_words(own) if own != theirs or join.child == join.parent else ()
    return role if role != parent else ()


def _link_type(link: ProposedJunction) -> str:
    said = {word for end in link.ends for word in _all_words(end.parent[1])}
    left = [w for w in words(link.junction[1]) if w not in said and w not in _LINKING]
    if left:
        return upper_snake(left)
    end = link.ends[1]
    target = singular_words(end.parent[1])
    role = _role(end, target)
    return upper_snake(("has", *(role or target or ("row",))))


def _all_words(table_name: str) -> tuple[str, ...]:
    return words(table_name) + tuple(w for name in words(table_name) for w in singular_words(name))


def _condition(left: str, right: str, pairs: tuple[tuple[str, str], ...], functions: Calls) -> str:
    return " AND ".join(
        f"{around(functions, f'{left}.{column_in_condition(one)}')}"
        f" = {around(functions, f'{right}.{column_in_condition(two)}')}"
        for one, two in pairs
    )
