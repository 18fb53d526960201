"""Control rows proposed from an import specification, and what rows cannot say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from c360_graph.errors import ExchangeError
from c360_graph.exchange.import_spec import (
    ImportSpecification,
    NodeTarget,
    RelationshipTarget,
)
from c360_graph.exchange.spec_columns import TableColumns, column_proposals, exclusion_proposals
from c360_graph.exchange.spec_relationships import SpecJoin, relationship_proposals, spec_join
from c360_graph.exchange.spec_tables import Remark, SpecNode, SpecTable, main_label, spec_tables
from c360_graph.mapping.control_rows import NodeLabelRow
from c360_graph.proposal.model import Proposal, Proposed
from c360_graph.proposal.standing import Standing, accepted

Key = tuple[str, str]


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
