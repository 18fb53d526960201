"""The control rows that stand already: a proposal neither repeats them nor speaks against them, and the project's own
validation accepts it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from c360_graph.mapping.control_rows import ControlRows, ExclusionRow, Refusal, SourceRow
from c360_graph.mapping.exclusions import rule_for
from c360_graph.mapping.model import GraphMapping
from c360_graph.mapping.resolve import resolve
from c360_graph.mapping.tables import Catalogs
from c360_graph.proposal.model import Proposal, QualifiedColumn, SourceSchema
from c360_graph.proposal.relationships import Fact, QualifiedTable, fact, proposed_edges


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The rows in force, all rows as if each were in force, and the sources that could be asked."""

    active: ControlRows
    every: ControlRows
    schemas: tuple[SourceSchema, ...]

    @cached_property
    def catalogs(self) -> Catalogs:
        """By source_id."""
        return {schema.catalog.source_id: schema.catalog for schema in self.schemas}

    @cached_property
    def mapping(self) -> GraphMapping:
        """What the rows in force come to."""
        return resolve(self.active, self.catalogs)

    @cached_property
    def labels(self) -> dict[QualifiedTable, str]:
        """The label of each table that has one."""
        return {t.asset_key: t.node_label for t in self.mapping.node_tables}

    @cached_property
    def facts(self) -> frozenset[Fact]:
        """What relationships say already, those switched off too."""
        everything = resolve(self.every, self.catalogs)
        return frozenset(fact(edges) for edges in proposed_edges(everything))

    @cached_property
    def relationship_names(self) -> frozenset[tuple[str, str, str]]:
        """Type, from_label and to_label of every row."""
        return frozenset(
            (r.relationship_type, r.from_label, r.to_label) for r in self.every.relationships
        )

    def is_inactive(self, schema: SourceSchema, table_name: str) -> bool:
        """Whether someone has deactivated a table's label, or its row is refused."""
        sources = self._sources_of_tables.get(table_name, set())
        spoken_of = not sources.isdisjoint((None, schema.source.source_id))
        return spoken_of and (schema.source.source_name, table_name) not in self.labels

    def rule(self, column: QualifiedColumn) -> ExclusionRow | None:
        """The rule in force for a column."""
        return self._rule(column, self.active)

    def is_left_clear(self, column: QualifiedColumn) -> bool:
        """Whether a rule that is switched off says that the column is to be read as it is."""
        return self.rule(column) is None and self._rule(column, self.every) is not None

    def _rule(self, column: QualifiedColumn, rows: ControlRows) -> ExclusionRow | None:
        source = self._sources[column.source]
        return rule_for(source, column.table, column.column, rows.rules_about(column.table))

    @cached_property
    def _sources(self) -> dict[str, SourceRow]:
        return {source.source_name: source for source in self.active.sources}

    @cached_property
    def _sources_of_tables(self) -> dict[str, set[int | None]]:
        """The sources that rows of node_label_mappings name, by their table."""
        found: dict[str, set[int | None]] = defaultdict(set)
        for row in self.every.labels:
            found[row.table_name].add(row.source_id)
        return found


def accepted(proposal: Proposal, standing: Standing) -> Proposal:
    """Withdraw what validation refuses, until it refuses nothing that it did not refuse before."""
    before = {_name(refusal) for refusal in standing.mapping.refusals}
    remarks: list[str] = []
    while True:
        mapping = resolve(proposal.laid_over(standing.active), standing.catalogs)
        new = [refusal for refusal in mapping.refusals if _name(refusal) not in before]
        withdrawn = frozenset(_name(refusal) for refusal in new if refusal.row_id < 0)
        remarks += [_withdrawn(proposal, refusal) for refusal in new if refusal.row_id < 0]
        if not withdrawn:
            remarks += [f"With these rows, {refusal}" for refusal in new]
            return proposal.model_copy(update={"remarks": (*proposal.remarks, *remarks)})
        proposal = proposal.without(withdrawn)


def _name(refusal: Refusal) -> tuple[str, int]:
    return (refusal.control_table, refusal.row_id)


def _withdrawn(proposal: Proposal, refusal: Refusal) -> str:
    rows = {
        **{("node_label_mappings", p.row.mapping_id): p.row.table_name for p in proposal.labels},
        **{
            ("relationship_mappings", p.row.relationship_id): p.row.join_condition
            for p in proposal.relationships
        },
        **{
            (
                "field_exclusion_rules",
                p.row.rule_id,
            ): f"{p.row.table_name}.{p.row.column_name}"
            for p in proposal.exclusions
        },
        **{
            ("property_mappings", p.row.mapping_id): f"{p.row.table_name}.{p.row.column_name}"
            for p in proposal.properties
        },
    }
    return f"{rows[_name(refusal)]} is not proposed: {refusal.reason}"
