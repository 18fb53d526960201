"""Proposed control rows, each with why it is proposed."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from c360_graph.mapping.control_rows import (
    ControlRows,
    ExclusionRow,
    Frozen,
    NodeLabelRow,
    RelationshipRow,
)

Row = TypeVar("Row", NodeLabelRow, RelationshipRow, ExclusionRow)


class Proposed(Frozen, Generic[Row]):
    """A row that is not there yet. Its id is negative: the control database gives the real one."""

    row: Row
    source_name: str
    """The source that the row is about; an exclusion may be about another than the one mapped."""
    why: str


class Proposal(Frozen):
    """What is proposed for a source, and what a person should know of the rest."""

    source_name: str
    labels: tuple[Proposed[NodeLabelRow], ...] = ()
    relationships: tuple[Proposed[RelationshipRow], ...] = ()
    exclusions: tuple[Proposed[ExclusionRow], ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many rows."""
        return len(self.labels) + len(self.relationships) + len(self.exclusions)

    def laid_over(self, rows: ControlRows) -> ControlRows:
        """The control rows as they would be."""
        return rows.model_copy(
            update={
                "labels": rows.labels + tuple(p.row for p in self.labels),
                "relationships": rows.relationships + tuple(p.row for p in self.relationships),
                "exclusions": rows.exclusions + tuple(p.row for p in self.exclusions),
            }
        )

    def without(self, withdrawn: frozenset[tuple[str, int]]) -> Proposal:
        """Without the rows named by control table and id."""
        return self.model_copy(
            update={
                "labels": tuple(
                    p
                    for p in self.labels
                    if ("node_label_mappings", p.row.mapping_id) not in withdrawn
                ),
                "relationships": tuple(
                    p
                    for p in self.relationships
                    if ("relationship_mappings", p.row.relationship_id) not in withdrawn
                ),
                "exclusions": tuple(
                    p
                    for p in self.exclusions
                    if ("field_exclusion_rules", p.row.rule_id) not in withdrawn
                ),
            }
        )

    def as_data(self) -> dict[str, Any]:
        """The same for programs: columns of the control tables, and `why`; ids are not known yet."""
        return {
            "source": self.source_name,
            "node_label_mappings": [_data(p) for p in self.labels],
            "relationship_mappings": [_data(p) for p in self.relationships],
            "field_exclusion_rules": [_data(p) for p in self.exclusions],
            "remarks": list(self.remarks),
        }


def _data(proposed: Proposed[Any]) -> dict[str, Any]:
    # Ids are given by the database; the other columns are for whoever knows them.
    values: dict[str, Any] = proposed.row.model_dump(
        exclude={
            "mapping_id",
            "relationship_id",
            "rule_id",
            "owner",
            "tags",
            "row_filter",
            "key_columns",
            "extra_labels",
            "label_column",
            "label_values",
            "relationship_properties",
        }
    )
    return {"source_name": proposed.source_name, **values, "why": proposed.why}
