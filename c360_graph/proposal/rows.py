"""Proposed control rows, each with why it is proposed."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from c360_graph.mapping.control_rows import (
    NEW_SOURCE_ID,
    ControlRows,
    ExclusionRow,
    Frozen,
    NodeLabelRow,
    RelationshipRow,
    SourceRow,
)

Row = TypeVar("Row", NodeLabelRow, RelationshipRow, ExclusionRow)


class Proposed(Frozen, Generic[Row]):
    """A row that is not there yet. Its id is negative: the control database gives the real one."""

    row: Row
    source_name: str
    """The source that the row is about; an exclusion may be about another than the one mapped."""
    why: str


class ProposedSource(Frozen):
    """A source that has no row yet. `password_variable` names the variable that its password is read from."""

    row: SourceRow
    password_variable: str | None = None

    @property
    def db_password(self) -> str | None:
        """What the row holds instead of the password."""
        return f"env:{self.password_variable}" if self.password_variable else None


class Proposal(Frozen):
    """What is proposed for a source, and what a person should know of the rest."""

    source_name: str
    source: ProposedSource | None = None
    """The source's own row, where it has none yet."""
    labels: tuple[Proposed[NodeLabelRow], ...] = ()
    relationships: tuple[Proposed[RelationshipRow], ...] = ()
    exclusions: tuple[Proposed[ExclusionRow], ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many rows."""
        own = 1 if self.source else 0
        return own + len(self.labels) + len(self.relationships) + len(self.exclusions)

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
            **({"source_databases": [_source_data(self.source)]} if self.source else {}),
            "node_label_mappings": [_data(p) for p in self.labels],
            "relationship_mappings": [_data(p) for p in self.relationships],
            "field_exclusion_rules": [_data(p) for p in self.exclusions],
            "remarks": list(self.remarks),
        }


def _source_data(source: ProposedSource) -> dict[str, Any]:
    values: dict[str, Any] = source.row.model_dump(exclude={"source_id"})
    return {**values, "db_password": source.db_password}


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
    if values.get("source_id") == NEW_SOURCE_ID:
        values["source_id"] = None
    return {"source_name": proposed.source_name, **values, "why": proposed.why}
