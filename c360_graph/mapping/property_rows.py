"""What rows of property_mappings say of the columns of a table: another name, another type."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from c360_graph.errors import MappingError
from c360_graph.mapping.casts import CASTS, cast_type, may_lose
from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.control_rows import ControlRows, PropertyRow, Refusal, SourceRow
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.mapping.names import did_you_mean, reason_against_name

Properties = tuple[PropertyMapping, ...]


@dataclass(frozen=True, kw_only=True)
class ReadColumns:
    """The columns of a table, by their names in the source.

    `unread` says of each column that is not read why. `key` are the columns of the key.
    """

    source: SourceRow
    table_name: str
    properties: Properties
    unread: Mapping[str, str]
    key: tuple[str, ...]

    @property
    def qualified_name(self) -> str:
        """`source/table`."""
        return f"{self.source.source_name}/{self.table_name}"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, read or not."""
        return (*(prop.column for prop in self.properties), *self.unread)


def mapped_properties(
    columns: ReadColumns, rows: ControlRows
) -> tuple[Properties, tuple[Refusal, ...]]:
    """The properties under the names and with the types that rows say, and the rows that are refused.

    A row that names the source goes before one for every source. A row for every source need not fit the
    table of each.
    """
    chosen: dict[str, tuple[PropertyRow, PropertyMapping]] = {}
    refusals: list[Refusal] = []
    by_column = {prop.column: prop for prop in columns.properties}
    for row in rows.properties_of(columns.source, columns.table_name):
        if row.source_id is None and row.column_name not in columns.names:
            continue
        try:
            taken = chosen.get(row.column_name)
            if taken is None:
                changed = _changed(row, by_column.get(row.column_name), columns)
                chosen[row.column_name] = (row, changed)
            elif (taken[0].source_id is None) == (row.source_id is None):
                raise MappingError(
                    f"row {taken[0].mapping_id} is about the same column; deactivate one of the two"
                )
        except MappingError as error:
            refusals.append(_refusal(row, columns.qualified_name, str(error)))
    for row, reason in _without_clashes(chosen, columns):
        refusals.append(_refusal(row, columns.qualified_name, reason))
    found = (chosen[p.column][1] if p.column in chosen else p for p in columns.properties)
    return tuple(found), tuple(refusals)


def refused_property_rows(
    rows: ControlRows, tables: tuple[TableMapping, ...], asked: Collection[int]
) -> Iterator[Refusal]:
    """Rows that are about no table that is read, and rows for every source whose column no table has.

    Args:
        rows: all control rows.
        tables: all that control rows map.
        asked: ids of the sources that could be queried; a row that may be about another is not refused.
    """
    for row in rows.properties:
        if row.source_id is not None and rows.source(row.source_id) is None:
            yield _refusal(
                row, "", f"source_id {row.source_id} is no active row of source_databases"
            )
            continue
        meant = {s.source_id for s in rows.sources if row.source_id in (None, s.source_id)}
        if not meant.issubset(asked) or (row.source_id is None and rows.inactive_sources):
            continue
        of_source = [t for t in tables if row.source_id in (None, t.source.source_id)]
        named = [table for table in of_source if table.table_name == row.table_name]
        if not named:
            known = {table.table_name for table in of_source}
            yield _refusal(
                row,
                "",
                f"no table that is read is called {row.table_name!r}"
                f"{did_you_mean(row.table_name, known)}",
            )
        elif row.source_id is None:
            known = {name for table in named for name in (*table.known_columns, *table.withheld)}
            if row.column_name not in known:
                yield _refusal(row, "", _no_column(row.table_name, row.column_name, known))


def _changed(
    row: PropertyRow, prop: PropertyMapping | None, columns: ReadColumns
) -> PropertyMapping:
    """The property as a row says."""
    if row.column_name in columns.unread:
        raise MappingError(f"column {row.column_name!r} {columns.unread[row.column_name]}")
    if prop is None:
        raise MappingError(_no_column(columns.qualified_name, row.column_name, columns.names))
    if row.property_name is None and row.cast_type is None:
        raise MappingError("it has neither a property_name nor a cast_type; write one of them")
    target = _cast(row, prop, columns)
    return prop.model_copy(
        update={
            "column": _name(row, prop),
            "renamed_from": prop.column if _name(row, prop) != prop.column else None,
            "property_row": row.mapping_id,
        }
        | (
            {
                "type": target,
                "cast_from": prop.type,
                "nullable": prop.nullable or may_lose(prop.type, target),
            }
            if target is not None
            else {}
        )
    )


def _name(row: PropertyRow, prop: PropertyMapping) -> str:
    if row.property_name is None:
        return prop.column
    reason = reason_against_name(row.property_name, what="property_name")
    if reason:
        raise MappingError(reason)
    return row.property_name


def _cast(row: PropertyRow, prop: PropertyMapping, columns: ReadColumns) -> ColumnType | None:
    """The type that the column is cast to, None where it keeps its own."""
    if row.cast_type is None:
        return None
    wanted = row.cast_type.strip().lower()
    if wanted not in CASTS:
        raise MappingError(
            f"cast_type {row.cast_type!r} is none of {', '.join(CASTS)}{did_you_mean(wanted, CASTS)}"
        )
    if prop.treatment is not None:
        raise MappingError(
            f"column {prop.column!r} has the treatment {prop.treatment}, which makes a text of each value;"
            " leave cast_type empty, or correct the row of field_exclusion_rules"
        )
    target = cast_type(wanted, prop.type, time_zone=columns.source.time_zone)
    if isinstance(target, str):
        raise MappingError(f"column {prop.column!r}: {target}; map a view that casts it")
    if target is not None and wanted != "string" and prop.column in columns.key:
        raise MappingError(
            f"column {prop.column!r} is of the key, and two keys may become one by a cast to {wanted}; only"
            " string is possible, or a view that casts it and key_columns"
        )
    return target


def _without_clashes(
    chosen: dict[str, tuple[PropertyRow, PropertyMapping]], columns: ReadColumns
) -> Iterator[tuple[PropertyRow, str]]:
    """Take rows away until no two columns have one property's name; each row, and why."""
    while True:
        names: dict[str, list[str]] = {}
        for column in columns.names:
            name = chosen[column][1].column if column in chosen else column
            names.setdefault(name, []).append(column)
        clashes = (
            (name, column, found)
            for name, found in names.items()
            if len(found) > 1
            for column in reversed(found)
            if column != name
        )
        clash = next(clashes, None)
        if clash is None:
            return
        name, column, found = clash
        others = ", ".join(repr(other) for other in found if other != column)
        yield (
            chosen.pop(column)[0],
            f"property_name {name!r} is the name of the property of column {others}, too; write another one",
        )


def _no_column(qualified_name: str, name: str, known: tuple[str, ...] | set[str]) -> str:
    return f"{qualified_name} has no column {name!r}{did_you_mean(name, known)}"


def _refusal(row: PropertyRow, qualified_name: str, reason: str) -> Refusal:
    said = (
        reason
        if not qualified_name or reason.startswith(qualified_name)
        else f"{qualified_name}: {reason}"
    )
    return Refusal(control_table="property_mappings", row_id=row.mapping_id, reason=said)
