"""What a row of node_label_mappings says of the rows that are read, of their key and labels, and of their owner and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator

from c360_graph.errors import MappingError
from c360_graph.mapping.conditions import parse_filter
from c360_graph.mapping.control_rows import ControlRows, Frozen, NodeLabelRow, Refusal, SourceRow
from c360_graph.mapping.model import ExtraLabels, PropertyMapping, TableMapping
from c360_graph.mapping.names import did_you_mean, reason_against_name
from c360_graph.mapping.property_types import property_type
from c360_graph.mapping.table_mapping import RowCondition

# What Dagster takes as an owner or a tag: anything else would fail the load of all definitions.
_OWNER = re.compile(
    r"team:\S.*|[A-Za-z0-9_][A-Za-z0-9._%+-]*@[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z]{2,7}"
)
_TAG = re.compile(
    r"(?!dagster/)((?:[A-Za-z0-9_.-]{1,63}/)?[A-Za-z0-9_.-]{1,63})(?:=([A-Za-z0-9_.-]{0,63}))?"
)

Properties = tuple[PropertyMapping, ...]


class Ownership(Frozen):
    """Owners in the order they are named; tags as (key, value), a tag without value has ''."""

    owners: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


def ownership_of(table: TableMapping, rows: ControlRows) -> Ownership:
    """The owners of the table's own row, else of its source's; the tags of both, its own winning."""
    source = rows.source(table.source.source_id)
    label = rows.label_row(table.mapping_id)
    return Ownership(
        owners=_owners(label) or _owners(source),
        tags=tuple(sorted((_tags(source) | _tags(label)).items())),
    )


def refused_ownership(rows: ControlRows) -> tuple[Refusal, ...]:
    """Owners and tags that Dagster does not accept; the row itself is used without them."""
    described: list[tuple[str, int, SourceRow | NodeLabelRow]] = [
        *(("source_databases", row.source_id, row) for row in rows.sources),
        *(("node_label_mappings", row.mapping_id, row) for row in rows.labels),
    ]
    return tuple(
        Refusal(control_table=control_table, row_id=row_id, reason=reason)
        for control_table, row_id, row in described
        for reason in _reasons(row)
    )


def _reasons(row: SourceRow | NodeLabelRow) -> Iterator[str]:
    for part in _parts(row.owner):
        if not _OWNER.fullmatch(part):
            yield f"owner {part!r} is neither an email address nor team:NAME; it is not shown"
    for part in _parts(row.tags):
        if not _TAG.fullmatch(part):
            yield (
                f"tag {part!r} is not key or key=value of letters, digits, _ . and -, 63 at most"
                " each; it is not shown"
            )


def _owners(row: SourceRow | NodeLabelRow | None) -> tuple[str, ...]:
    named = _parts(row.owner if row else None)
    return tuple(dict.fromkeys(part for part in named if _OWNER.fullmatch(part)))


def _tags(row: SourceRow | NodeLabelRow | None) -> dict[str, str]:
    found = (_TAG.fullmatch(part) for part in _parts(row.tags if row else None))
    return {match[1]: match[2] or "" for match in found if match}


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def filter_of(row: NodeLabelRow, properties: Properties) -> tuple[RowCondition, ...]:
    """The row's filter with each column as the table spells it.

    Raises:
        MappingError: it cannot be read, or names a column that is not read.
    """
    if row.row_filter is None:
        return ()
    columns = {prop.column for prop in properties}
    found = []
    for condition in parse_filter(row.row_filter):
        name = next((name for name in condition.candidates if name in columns), None)
        if name is None:
            raise MappingError(f"row_filter names {_not_read(condition.column, columns)}")
        found.append(condition.model_copy(update={"column": name, "column_is_quoted": True}))
    return tuple(found)


def declared_key(row: NodeLabelRow, properties: Properties) -> tuple[str, ...]:
    """The columns that the row says are the key.

    Raises:
        MappingError: one of them is not read, is masked, or is named twice.
    """
    columns = {prop.column: prop for prop in properties}
    for name in row.key_columns or ():
        if name not in columns:
            raise MappingError(f"key_columns names {_not_read(name, {*columns})}")
        if columns[name].treatment == "mask":
            raise MappingError(
                f"key_columns names {name}, which is masked: masked values are not unique"
            )
    declared = row.key_columns or ()
    if len({*declared}) < len(declared):
        raise MappingError("key_columns names a column twice")
    return declared


def extra_labels(
    row: NodeLabelRow, properties: Properties, *, time_zone: str | None
) -> tuple[ExtraLabels, str | None]:
    """The further labels of the row's nodes; `properties` have the names and types that they get.

    Also why the column gives none: then no value of it is a label, so that one of a column which is excluded
    later does not stay.

    Raises:
        MappingError: a name cannot be a label, or one of label_column and label_values is missing.
    """
    always, values = row.extra_labels or (), row.label_values or ()
    for what, labels in (("extra_labels", always), ("label_values", values)):
        for label in labels:
            reason = reason_against_name(label, what=f"a label of {what}")
            if reason:
                raise MappingError(reason)
    every = (row.node_label, *always, *values)
    twice = next((label for label in every if every.count(label) > 1), None)
    if twice is not None:
        raise MappingError(
            f"the label {twice!r} is named twice in node_label, extra_labels and label_values"
        )
    if (row.label_column is None) != (not values):
        raise MappingError(
            "label_column and label_values belong together: the column, and the values of it that become"
            " labels; write both or neither"
        )
    try:
        by_property = _label_property(row.label_column, properties, time_zone=time_zone)
    except MappingError as error:
        return ExtraLabels(always=always), f"{error}. The table is read without labels by value"
    return ExtraLabels(always=always, by_property=by_property, values=values), None


def _label_property(
    column: str | None, properties: Properties, *, time_zone: str | None
) -> str | None:
    """The property whose values become labels."""
    if column is None:
        return None
    prop = next((prop for prop in properties if prop.origin == column), None)
    if prop is None:
        raise MappingError(
            f"label_column names {_not_read(column, {p.origin for p in properties})}"
        )
    kind = property_type(prop.type, treatment=prop.treatment, time_zone=time_zone).name
    if prop.treatment is not None:
        raise MappingError(
            f"label_column names {column}, which has the treatment {prop.treatment}: its values are not"
            " those of the source"
        )
    if kind != "STRING":
        raise MappingError(
            f"label_column names {column}, whose property is of the type {kind}; only a STRING gives"
            " labels, so cast it to string in property_mappings"
        )
    return prop.column


def _not_read(name: str, columns: set[str]) -> str:
    return (
        f"{name!r}, a column that is not read: the table lacks it, or a rule excludes it"
        f"{did_you_mean(name, columns)}"
    )
