"""Which joins become relationships."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from c360_graph.errors import MappingError
from c360_graph.mapping.conditions import parse
from c360_graph.mapping.control_rows import (
    ControlRows,
    NodeLabelRow,
    Refusal,
    RelationshipRow,
)
from c360_graph.mapping.identities import identity_relationships
from c360_graph.mapping.join_comparison import ComparedJoin, joined_by
from c360_graph.mapping.join_forms import is_normalised, source_column
from c360_graph.mapping.joins import Ends, Pairs, Role, meaning_of
from c360_graph.mapping.model import (
    Junction,
    RelationshipMapping,
    TableIndex,
    TableMapping,
    grouped,
    is_kept_name,
)
from c360_graph.mapping.names import did_you_mean, reason_against_name


def copied_properties(ends: Ends, role: Role) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the properties that the columns of relationship_properties become.

    Also why a column is left out: it is not read in all tables of the side that holds the reference, or
    becomes properties of several names. The relationships are made without it, so that a column that is
    excluded later does not stay on relationships that nobody makes anew.

    Args:
        ends: the tables of the relationship.
        role: the side that holds the reference.

    Raises:
        MappingError: the relationship goes through a junction table.
    """
    columns = ends.row.relationship_properties or ()
    if columns and ends.row.junction_table:
        raise MappingError(
            "relationship_properties is for relationships without a junction table; the columns of"
            f" {ends.row.junction_table} become properties of the relationship anyway, so leave it empty"
        )
    found: list[str] = []
    reasons: list[str] = []
    for column in dict.fromkeys(columns):
        try:
            found.append(_property(ends, role, column))
        except MappingError as error:
            reasons.append(f"{error}. The relationships are made without it")
    return tuple(found), tuple(reasons)


def _property(ends: Ends, role: Role, column: str) -> str:
    for found_in, what in (
        (ends.excluded(role, column), "excluded"),
        (ends.withheld(role, column), "withheld, as it is new to a table with exclusion rules"),
    ):
        if found_in:
            raise MappingError(
                f"relationship_properties names {column!r}, which is {what} in {', '.join(found_in)}"
            )
    tables = ends.by_role[role]
    found = [(table, table.property_from(column)) for table in tables]
    lacking = [table.qualified_name for table, prop in found if prop is None]
    if lacking:
        near = did_you_mean(column, ends.columns((role,)))
        raise MappingError(
            f"relationship_properties names {column!r}, which is no column of {', '.join(lacking)}, the side"
            f" that holds the reference{near}"
        )
    names = list(dict.fromkeys(prop.column for _, prop in found if prop is not None))
    if len(names) > 1:
        raise MappingError(
            f"relationship_properties names {column!r}, which becomes properties of several names"
            f" ({', '.join(map(repr, names))}); give it one name in property_mappings"
        )
    return names[0]


Tables = tuple[TableMapping, ...]


def resolve_relationships(
    rows: ControlRows, tables: Tables
) -> tuple[tuple[RelationshipMapping, ...], tuple[Refusal, ...], tuple[int, ...]]:
    """Relationships in the order they run, rows refused, and ids of rows that rest.

    `tables` must hold every labelled table and every junction table, with their columns.
    """
    found: list[RelationshipMapping] = []
    refusals: list[Refusal] = []
    inactive: list[int] = []
    given = _NamedRows(rows, tables)
    earlier: dict[tuple[object, ...], list[RelationshipMapping]] = {}
    for row in rows.relationships:
        if _is_inactive(row, given):
            inactive.append(row.relationship_id)
            continue
        try:
            mapping = _resolve(row, given)
            _refuse_duplicate(mapping, earlier.setdefault(_facts(mapping), []))
        except MappingError as error:
            refusals.append(_refusal(row, str(error)))
        else:
            found.append(mapping)
            earlier[_facts(mapping)].append(mapping)
    found.sort(key=lambda mapping: (mapping.execution_order, mapping.relationship_id))
    found += identity_relationships(given.index)
    return tuple(found), (*refusals, *given.partly_refused), tuple(inactive)


def _refusal(row: RelationshipRow, reason: str, *, is_partial: bool = False) -> Refusal:
    return Refusal(
        control_table="relationship_mappings",
        row_id=row.relationship_id,
        reason=reason,
        is_partial=is_partial,
    )


class _NamedRows:
    """The control rows and the mapped tables, by what relationships name them by."""

    def __init__(self, rows: ControlRows, tables: Tables) -> None:
        self.rows = rows
        self.index = TableIndex(tables)
        self.partly_refused: list[Refusal] = []

    @cached_property
    def label_rows(self) -> dict[str, tuple[NodeLabelRow, ...]]:
        """The rows of node_label_mappings by their label."""
        return dict(grouped(self.rows.labels, lambda row: row.node_label))

    @cached_property
    def inactive_labels(self) -> frozenset[str]:
        """Labels that only deactivated rows or sources feed."""
        return frozenset(self.rows.inactive_labels)


def _is_inactive(row: RelationshipRow, given: _NamedRows) -> bool:
    """Whether what a row needs is deactivated: its source, or all that feeds one of its labels."""
    if row.source_db in given.rows.inactive_sources:
        return True
    mapped = given.index.labels
    return any(_label_is_inactive(label, given) for label in _labels(row) if label not in mapped)


def _label_is_inactive(label: str, given: _NamedRows) -> bool:
    if label in given.inactive_labels:
        return True
    # Mapped for any source, found in none: the deactivated one may have had it.
    for_any = any(row.source_id is None for row in given.label_rows.get(label, ()))
    return bool(given.rows.inactive_sources) and for_any


def _labels(row: RelationshipRow) -> Iterator[str]:
    yield from (row.from_label, row.to_label)
    if row.junction_label:
        yield row.junction_label


def _resolve(row: RelationshipRow, given: _NamedRows) -> RelationshipMapping:
    _check_names(row, given)
    ends = Ends(row, given.index)
    meaning = meaning_of(ends, parse(row.join_condition))
    compared = joined_by(ends, meaning)
    seek = _side_to_seek(ends, meaning.get(("from", "to"), ()))
    copied, left_out = copied_properties(ends, "to" if seek == "from" else "from")
    given.partly_refused += [_refusal(row, reason, is_partial=True) for reason in left_out]
    return RelationshipMapping(
        relationship_id=row.relationship_id,
        relationship_type=row.relationship_type,
        from_label=row.from_label,
        to_label=row.to_label,
        from_tables=ends.tables_of("from"),
        to_tables=ends.tables_of("to"),
        pairs=compared.get(("from", "to"), ()),
        seek=seek,
        junction=_through(ends, compared) if row.junction_table else None,
        properties=copied,
        execution_order=row.execution_order or 0,
        description=row.description,
    )


def _through(ends: Ends, meaning: ComparedJoin) -> Junction:
    (table,) = ends.by_role["junction"]
    kept = next((p.origin for p in table.columns_read if is_kept_name(p.column)), None)
    if kept:
        raise MappingError(
            f"junction_table {table.qualified_name} has a column {kept}, a name that is kept for the loader;"
            " map a view that renames it"
        )
    # What functions give is not the value itself, which the relationship keeps.
    joined = {
        source_column(column)
        for pairs in meaning.values()
        for _, column in pairs
        if not is_normalised(column)
    }
    return Junction(
        table=table.asset_key,
        # Nodes of a label that other tables feed too are not only this junction's rows.
        node_label=None if table.label_is_shared else table.node_label,
        from_pairs=meaning[("from", "junction")],
        to_pairs=meaning[("to", "junction")],
        properties=tuple(p.column for p in table.columns_read if p.column not in joined),
    )


def _check_names(row: RelationshipRow, given: _NamedRows) -> None:
    reason = reason_against_name(row.relationship_type, what="relationship_type")
    if reason:
        raise MappingError(reason)
    if row.junction_label and not row.junction_table:
        raise MappingError(
            f"junction_label is {row.junction_label!r} but junction_table is empty; name the table"
        )
    for what, label in (("from_label", row.from_label), ("to_label", row.to_label)):
        if label not in given.index.labels:
            raise MappingError(_why_unmapped(what, label, given))


def _why_unmapped(what: str, label: str, given: _NamedRows) -> str:
    text = f"{what} {label!r} is the label of no table that can be read"
    refused = [str(r.mapping_id) for r in given.label_rows.get(label, ())]
    if refused:
        return f"{text}; node_label_mappings row {', '.join(refused)} that maps it was refused"
    return f"{text}{did_you_mean(label, given.index.labels)}"


def _side_to_seek(ends: Ends, pairs: Pairs) -> Literal["from", "to"]:
    """The end that is referred to: it is looked up for each row of the other, which holds the reference."""
    columns: dict[Role, set[str]] = {
        "from": {left.column for left, _ in pairs},
        "to": {right.column for _, right in pairs},
    }
    for tell in (_is_of_source, _has_foreign_key, _is_not_unique):
        refers = {role for role in columns if tell(ends, role, columns[role])}
        if len(refers) == 1:
            return "to" if "from" in refers else "from"
    return "from"


def _is_of_source(ends: Ends, role: Role, columns: set[str]) -> bool:
    """Whether an end is of the source that the row names as the one that holds the reference."""
    return all(t.source.source_name == ends.row.source_db for t in ends.by_role[role])


def _has_foreign_key(ends: Ends, role: Role, columns: set[str]) -> bool:
    """Whether the joined columns of an end are a foreign key of all its tables."""
    return all(any(columns == {*key} for key in t.referring) for t in ends.by_role[role])


def _is_not_unique(ends: Ends, role: Role, columns: set[str]) -> bool:
    """Whether several rows of an end can have the same values in the joined columns."""
    return not all(
        any(columns.issuperset(key) for key in (t.key_columns, *t.unique) if key)
        for t in ends.by_role[role]
    )


def _refuse_duplicate(mapping: RelationshipMapping, alike: list[RelationshipMapping]) -> None:
    """Refuse a mapping that makes what an earlier one of the same facts makes."""
    for other in alike:
        if _overlap(mapping.from_tables, other.from_tables) and _overlap(
            mapping.to_tables, other.to_tables
        ):
            raise MappingError(
                f"it repeats row {other.relationship_id}: the same relationships would be made twice;"
                " deactivate one of the two"
            )


def _facts(mapping: RelationshipMapping) -> tuple[object, ...]:
    return (
        mapping.relationship_type,
        mapping.from_label,
        mapping.to_label,
        mapping.pairs,
        mapping.junction,
    )


def _overlap(tables: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether two choices of a label's tables share one; () is all of them."""
    return not tables or not others or not set(tables).isdisjoint(others)
