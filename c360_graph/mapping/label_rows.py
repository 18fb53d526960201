"""What a row of node_label_mappings says of the rows that are read and of their key."""

from __future__ import annotations

from c360_graph.errors import MappingError
from c360_graph.mapping.control_rows import NodeLabelRow
from c360_graph.mapping.model import PropertyMapping
from c360_graph.mapping.names import did_you_mean
from c360_graph.mapping.row_condition import RowCondition
from c360_graph.mapping.row_filter import parse_filter

Properties = tuple[PropertyMapping, ...]


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


def _not_read(name: str, columns: set[str]) -> str:
    return (
        f"{name!r}, a column that is not read: the table lacks it, or a rule excludes it"
        f"{did_you_mean(name, columns)}"
    )
