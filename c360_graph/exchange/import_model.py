"""Control rows proposed from an import specification, and what rows cannot say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from c360_graph.errors import ExchangeError
from c360_graph.exchange.import_spec import (
    ImportSpecification,
    NodeReference,
    NodeTarget,
    RelationshipTarget,
)
from c360_graph.exchange.spec_tables import (
    Remark,
    SpecNode,
    SpecTable,
    TableColumns,
    column_proposals,
    exclusion_proposals,
    main_label,
    referred_columns,
    spec_tables,
)
from c360_graph.mapping.control_rows import NodeLabelRow, RelationshipRow
from c360_graph.proposal.control_rows import Standing, accepted
from c360_graph.proposal.model import Proposal, Proposed
from c360_graph.proposal.naming import alias_for, column_in_condition

ColumnPairs = tuple[tuple[str, str], ...]

Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class SpecJoin:
    """What a relationship target says: which tables, and which columns are equal.

    Without a junction `start_pairs` are (column of the start, column of the end), and `end_pairs` are empty. With
    one, pairs are (column of an end, column of the junction).
    """

    target: RelationshipTarget
    start: SpecNode
    end: SpecNode
    row: SpecTable
    row_side: Literal["start", "end", "junction"]
    start_pairs: ColumnPairs
    end_pairs: ColumnPairs = ()

    @property
    def junction(self) -> SpecTable | None:
        """The table between both ends."""
        return self.row if self.row_side == "junction" else None

    @property
    def facts(self) -> tuple[object, ...]:
        """All but the tables of a label: the same for each combination of tables."""
        through = self.junction.asset_key if self.junction else None
        return (self.start_pairs, self.end_pairs, through, self.copied_columns)

    @property
    def names(self) -> tuple[str, str, str]:
        """Type and labels."""
        return (self.target.type, self.start.label, self.end.label)

    @property
    def copied_columns(self) -> tuple[str, ...]:
        """The columns that become properties of the relationship."""
        fields = (prop.source_field for prop in self.target.properties)
        return tuple(column.name for name in fields if (column := self.row.column(name)))

    @property
    def joined_columns(self) -> tuple[str, ...]:
        """The columns of the row by which it refers to nodes."""
        if self.junction is not None:
            return tuple(column for _, column in (*self.start_pairs, *self.end_pairs))
        return tuple(pair[0 if self.row_side == "start" else 1] for pair in self.start_pairs)


def spec_join(
    target: RelationshipTarget, nodes: Mapping[str, SpecNode], row: SpecTable
) -> SpecJoin:
    """What a relationship target says.

    Args:
        target: an active relationship target.
        nodes: the node targets that are imported, by name.
        row: the table of its source.

    Raises:
        ExchangeError: an end is not imported, or what it says is no join.
    """
    start, end = (_node(reference, nodes) for reference in (target.start, target.end))
    starts = referred_columns(target.start, start, row)
    ends = referred_columns(target.end, end, row)
    begins_here, ends_here = (_is_row(start, row, starts), _is_row(end, row, ends))
    if begins_here and ends_here:
        raise ExchangeError("both of its ends are the node of the row itself")
    side: Literal["start", "end", "junction"] = "junction"
    if begins_here:
        side, starts, ends = "start", tuple((own, theirs) for theirs, own in ends), ()
    elif ends_here:
        side, ends = "end", ()
    return SpecJoin(
        target=target,
        start=start,
        end=end,
        row=row,
        row_side=side,
        start_pairs=starts,
        end_pairs=ends,
    )


def _node(reference: NodeReference, nodes: Mapping[str, SpecNode]) -> SpecNode:
    found = nodes.get(reference.name)
    if found is None:
        raise ExchangeError(f"node target {reference.name} is not imported")
    return found


def _is_row(node: SpecNode, row: SpecTable, pairs: ColumnPairs) -> bool:
    """Whether an end is the node of the row itself."""
    is_own_table = node.table.asset_key == row.asset_key
    return is_own_table and all(own == theirs for own, theirs in pairs)


@dataclass
class _Alike:
    """Joins of one meaning, for several tables of a label."""

    first: SpecJoin
    rows: set[str] = field(default_factory=set)
    sought: set[str] = field(default_factory=set)

    def add(self, join: SpecJoin) -> None:
        """One more table."""
        self.rows.add(join.row.source.source_name)
        ends = (join.start.table, join.end.table)
        self.sought |= {t.source.source_name for t in ends if t.asset_key != join.row.asset_key}

    @property
    def source_db(self) -> str | None:
        """The source that holds the reference; None where naming it would leave out tables of others."""
        (first, *others) = self.rows
        narrows = first in self.sought and len(self.sought) > 1
        return None if others or narrows else first


def relationship_proposals(
    joins: list[SpecJoin],
    *,
    junction_labels: Mapping[tuple[str, str], str],
    taken: frozenset[tuple[str, str, str]],
    last_order: int,
    remark: Remark,
) -> tuple[Proposed[RelationshipRow], ...]:
    """The rows, one for each type between two labels.

    Args:
        joins: in the order of the document.
        junction_labels: the labels of tables that have one.
        taken: type and labels of the rows that are there.
        last_order: the largest execution_order that is there.
        remark: is told what has no row, and why.
    """
    found: dict[tuple[str, str, str], _Alike] = {}
    for join in joins:
        alike = found.setdefault(join.names, _Alike(first=join))
        if alike.first.facts == join.facts:
            alike.add(join)
        else:
            remark(
                f"Relationship target {join.target.name} is not imported: {alike.first.target.name} has"
                " its type and labels, and another join. Add its row by hand."
            )
    proposed: list[Proposed[RelationshipRow]] = []
    for names, alike in found.items():
        if names in taken:
            remark(
                f"Relationship target {alike.first.target.name}: relationship_mappings has a row of its"
                " type and labels, which stays as it is."
            )
            continue
        number = len(proposed) + 1
        proposed.append(
            _proposed(alike, number, last_order + 10 * number, junction_labels=junction_labels)
        )
    return tuple(proposed)


def _proposed(
    alike: _Alike, number: int, order: int, *, junction_labels: Mapping[tuple[str, str], str]
) -> Proposed[RelationshipRow]:
    join = alike.first
    start, end = (one.table.catalog.table_name for one in (join.start, join.end))
    from_alias = alias_for(start, ())
    to_alias = alias_for(end, (from_alias,))
    condition = _equal(from_alias, to_alias, join.start_pairs)
    junction_alias = None
    if join.junction is not None:
        name = join.junction.catalog.table_name
        junction_alias = alias_for(name, (from_alias, to_alias))
        ends = tuple((own, theirs) for theirs, own in join.end_pairs)
        condition = (
            f"{_equal(from_alias, junction_alias, join.start_pairs)}"
            f" AND {_equal(junction_alias, to_alias, ends)}"
        )
    row = RelationshipRow(
        relationship_id=-number,
        source_db=alike.source_db,
        relationship_type=join.target.type,
        from_label=join.start.label,
        to_label=join.end.label,
        join_condition=condition,
        from_alias=from_alias,
        to_alias=to_alias,
        junction_alias=junction_alias,
        junction_table=join.junction.catalog.table_name if join.junction else None,
        junction_label=junction_labels.get(join.junction.asset_key) if join.junction else None,
        execution_order=order,
        relationship_properties=None if join.junction else join.copied_columns or None,
    )
    return Proposed(
        row=row,
        source_name=join.row.source.source_name,
        why=f"relationship target {join.target.name} of the model",
    )


def _equal(left: str, right: str, pairs: ColumnPairs) -> str:
    return " AND ".join(
        f"{left}.{column_in_condition(one)} = {right}.{column_in_condition(two)}"
        for one, two in pairs
    )


def proposal_of(
    document: ImportSpecification, *, standing: Standing, source_name: str | None = None
) -> Proposal:
    """Propose the control rows that a document stands for.

    What is there already is neither repeated nor changed. Columns that the document does not name are excluded,
    as another tool does not read them. Rows that validation refuses are left out. The remarks say so, and name
    what the control rows cannot say.

    Args:
        document: an import specification.
        standing: the rows that are there, and the schemas of the sources.
        source_name: the source of tables whose names in the document name none.

    Raises:
        ExchangeError: a table's source is not known.
    """
    remarks: dict[str, None] = {}

    def remark(text: str) -> None:
        remarks[text] = None

    work = _Import(standing=standing, remark=remark)
    for text in _unsupported(document):
        remark(text)
    tables = spec_tables(document, standing=standing, source_name=source_name, remark=remark)
    for node in _active(document.targets.nodes, remark):
        work.add_node(node, tables)
    for relationship in _active(document.targets.relationships, remark):
        work.add_relationship(relationship, tables)
    names = sorted({key[0] for key in work.columns}) or [source_name or "no source"]
    relationships = relationship_proposals(
        work.joins,
        junction_labels={node.table.asset_key: node.label for node in work.nodes.values()},
        taken=standing.relationship_names,
        last_order=max((r.execution_order or 0 for r in standing.every.relationships), default=0),
        remark=remark,
    )
    proposal = Proposal(
        source_name=", ".join(names),
        exclusions_are="Columns that the model does not name",
        labels=tuple(work.label_proposals()),
        relationships=relationships,
        exclusions=exclusion_proposals(work.columns.values(), standing, remark),
        properties=column_proposals(work.columns.values(), standing, remark),
        remarks=tuple(remarks),
    )
    return accepted(proposal, standing)


@dataclass(kw_only=True)
class _Import:
    """What a document says, as far as it was read."""

    standing: Standing
    remark: Remark
    nodes: dict[str, SpecNode] = field(default_factory=dict)
    """By the names of their targets."""
    joins: list[SpecJoin] = field(default_factory=list)
    columns: dict[Key, TableColumns] = field(default_factory=dict)

    def add_node(self, target: NodeTarget, tables: dict[str, SpecTable]) -> None:
        """Take a node target."""
        table = tables.get(target.source)
        if table is None:
            self.remark(_skipped("Node", target.name, f"source {target.source} is not imported"))
            return
        earlier = [n for n in self.nodes.values() if n.table.asset_key == table.asset_key]
        if earlier:
            self.remark(
                _skipped(
                    "Node", target.name, f"{table.qualified_name} has the label {earlier[0].label}"
                )
            )
            return
        label = self._label(target, table)
        if label is None:
            return
        self.nodes[target.name] = SpecNode(target=target, table=table, label=label)
        self._of(table).add("Node", target, table, self.remark)

    def _label(self, target: NodeTarget, table: SpecTable) -> str | None:
        """The label of a table: the one that it has, if any."""
        wanted = main_label(target)
        standing = self.standing.labels.get(table.asset_key)
        if standing is not None and standing != wanted:
            self.remark(
                f"Node target {target.name}: {table.qualified_name} has the label {standing} in"
                f" node_label_mappings, which stays; {wanted} is not imported."
            )
        if standing is None and self._is_inactive(table):
            reason = "the row of its table in node_label_mappings is switched off or refused"
            self.remark(_skipped("Node", target.name, reason))
            return None
        return standing or wanted

    def _is_inactive(self, table: SpecTable) -> bool:
        schemas = self.standing.schemas
        (schema,) = (s for s in schemas if s.source.source_id == table.source.source_id)
        return self.standing.is_inactive(schema, table.catalog.table_name)

    def add_relationship(self, target: RelationshipTarget, tables: dict[str, SpecTable]) -> None:
        """Take a relationship target."""
        table = tables.get(target.source)
        try:
            if table is None:
                raise ExchangeError(f"source {target.source} is not imported")
            join = spec_join(target, self.nodes, table)
        except ExchangeError as reason:
            self.remark(_skipped("Relationship", target.name, str(reason)))
            return
        self.joins.append(join)
        columns = self._of(table)
        columns.add("Relationship", target, table, self.remark)
        columns.joined |= {*join.joined_columns}

    def _of(self, table: SpecTable) -> TableColumns:
        return self.columns.setdefault(table.asset_key, TableColumns(table=table))

    def label_proposals(self) -> Iterator[Proposed[NodeLabelRow]]:
        """The rows of tables that have no label yet."""
        number = 0
        for node in self.nodes.values():
            if node.table.asset_key in self.standing.labels:
                continue
            number += 1
            extra = tuple(label for label in node.target.labels if label != node.label)
            yield Proposed(
                row=NodeLabelRow(
                    mapping_id=-number,
                    source_id=node.table.source.source_id,
                    table_name=node.table.catalog.table_name,
                    node_label=node.label,
                    key_columns=self._declared_key(node),
                    extra_labels=extra or None,
                ),
                source_name=node.table.source.source_name,
                why=f"node target {node.target.name} of the model",
            )

    def _declared_key(self, node: SpecNode) -> tuple[str, ...] | None:
        """The columns of the document's key where the table would not have that key anyway."""
        keys = node.target.constraints.key_constraints
        if not keys:
            return None
        try:
            key = tuple(node.column_of(name).name for name in keys[0].properties)
        except ExchangeError as reason:
            self.remark(f"Node target {node.target.name}: its key is not imported: {reason}.")
            return None
        catalog = node.table.catalog
        read = self._of(node.table).read
        candidates = (catalog.primary_key, *catalog.unique_keys)
        own = next((one for one in candidates if one and read.issuperset(one)), ())
        return None if {*own} == {*key} else key


def _skipped(kind: str, name: str, reason: str) -> str:
    return f"{kind} target {name} is not imported: {reason}."


_Target = TypeVar("_Target", NodeTarget, RelationshipTarget)


def _active(targets: Iterable[_Target], remark: Remark) -> Iterator[_Target]:
    for target in targets:
        if target.active:
            yield target
        else:
            remark(f"Target {target.name} is not imported: it is not active.")


def _unsupported(document: ImportSpecification) -> Iterator[str]:
    """What no control row can say."""
    for query in document.targets.queries:
        yield f"Query target {query.name} is not imported: control rows have no Cypher."
    if document.actions:
        yield "The actions of the model are not imported."
    for node in document.targets.nodes:
        yield from _unknown(node)
        kinds = node.constraints
        more = [*kinds.unknown, *(["further key_constraints"] if kinds.key_constraints[1:] else [])]
        if more:
            yield (
                f"Node target {node.name}: {', '.join(more)} of its schema are not imported; the"
                " pipeline makes the constraints and indexes that it needs."
            )
    for relationship in document.targets.relationships:
        yield from _unknown(relationship)
        if relationship.constraints:
            yield (
                f"Relationship target {relationship.name}: its schema"
                f" ({', '.join(relationship.constraints)}) is not imported."
            )
        if (relationship.node_match_mode or "match").lower() != "match":
            yield (
                f"Relationship target {relationship.name}: its node_match_mode is not imported; nodes are"
                " only made from rows of their own table."
            )


def _unknown(target: NodeTarget | RelationshipTarget) -> Iterator[str]:
    if target.unknown:
        yield f"Target {target.name}: {', '.join(target.unknown)} is not imported."
