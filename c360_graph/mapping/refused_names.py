"""Which names of the graph a reader cannot rely on, and why: those of refused rows and of excluded columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from c360_graph.mapping.control_rows import ControlRows, Refusal
from c360_graph.mapping.model import GraphMapping, TableMapping


def refused_names(rows: ControlRows, refusals: Iterable[Refusal]) -> dict[str, str]:
    """Labels and relationship types that refused rows name, each with the reason.

    What such a row would make is missing from the graph, or is there as an older load left it.
    """
    reasons = {
        (refusal.control_table, refusal.row_id): str(refusal)
        for refusal in refusals
        if not refusal.is_partial
    }
    labels = (("node_label_mappings", row.mapping_id, row.node_label) for row in rows.labels)
    entities = (("identity_rules", row.rule_id, row.entity_label) for row in rows.identity_rules)
    types = (
        ("relationship_mappings", row.relationship_id, row.relationship_type)
        for row in rows.relationships
    )
    found: dict[str, str] = {}
    for control_table, row_id, name in (*labels, *entities, *types):
        reason = reasons.get((control_table, row_id))
        if reason is not None:
            found.setdefault(name, reason)
    return found


def graph_names(mapping: GraphMapping, rows: ControlRows) -> frozenset[str]:
    """Labels and relationship types that a mapping makes, and those that its refused rows name."""
    labels = (table.node_label for table in mapping.tables if table.node_label is not None)
    types = (relationship.relationship_type for relationship in mapping.relationships)
    return frozenset((*labels, *types, *refused_names(rows, mapping.refusals)))


def excluded_names(tables: Iterable[TableMapping]) -> dict[str, str]:
    """Properties that no label has since a rule excludes their columns, each with the rule."""
    listed = tuple(tables)
    read = {prop.column for table in listed for prop in table.properties}
    return {
        column.column: (
            f"{table.qualified_name}.{column.column} is excluded by field_exclusion_rules row"
            f" {column.rule_id}."
        )
        for table in listed
        for column in table.excluded
        if column.column not in read
    }


def missing_for(
    used: Iterable[str], *, names: Mapping[str, str], properties: Mapping[str, str]
) -> Iterator[str]:
    """Why a statement cannot be answered that uses these `:Name` and `.property`.

    >>> list(missing_for([":PLAYED", ".email"], names={"PLAYED": "row 4 is refused"}, properties={}))
    ['row 4 is refused']
    """
    for word in used:
        reason = (names if word[0] == ":" else properties).get(word[1:])
        if reason is not None:
            yield reason
