"""Proposed rows that the project's own validation accepts."""

from __future__ import annotations

from c360_graph.mapping.control_rows import Refusal
from c360_graph.mapping.resolve import resolve
from c360_graph.proposal.rows import Proposal
from c360_graph.proposal.standing import Standing


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
    }
    return f"{rows[_name(refusal)]} is not proposed: {refusal.reason}"
