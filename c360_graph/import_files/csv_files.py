"""Which files an import needs, and the queries that fill them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from c360_graph.import_files.csv_values import (
    LIST_DELIMITER,
    CsvColumn,
    decoded,
    header_field,
    is_late,
    is_list,
    late_name,
    property_columns,
)
from c360_graph.import_files.numbered_rows import NumberedTable, union
from c360_graph.mapping.model import (
    TABLE_PROPERTY,
    NodeTable,
    PropertyMapping,
    RelationshipEnd,
    RelationshipMapping,
    TableMapping,
)
from c360_graph.mapping.property_types import PropertyType, property_type
from c360_graph.mapping.table_index import TableIndex
from c360_graph.sql_quoting import sql_literal

LATE_LABEL = "_C360Import"
"""The label of nodes with a list that is converted after the import."""

_PLAIN_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class CsvFile:
    """One file of nodes or relationships.

    `group` names the label or type in the arguments; None where a column of the file has it. `table` is the qualified name
    (`source/table`) of the rows, `columns` are those of the file in order.
    """

    kind: Literal["nodes", "relationships"]
    group: str | None
    table: str
    columns: tuple[CsvColumn, ...]
    source: str
    """SQL behind FROM."""

    @property
    def query(self) -> str:
        """SQL for the rows of the file."""
        chosen = ", ".join(f"{column.sql} AS v{i}" for i, column in enumerate(self.columns))
        return f"SELECT {chosen} FROM {self.source}"

    @property
    def quoted_columns(self) -> tuple[str, ...]:
        """The columns of the query whose values are quoted."""
        return tuple(f"v{i}" for i, column in enumerate(self.columns) if column.is_text)


@dataclass(frozen=True, kw_only=True)
class LateList:
    """A property of a label, or of a relationship type, with lists that are converted after the import.

    `convert` makes the Cypher expression of a list from that of its text, `held_in` names the property that has it.
    """

    column: str
    held_in: str
    convert: Callable[[str], str]
    label: str | None = None
    relationship_type: str | None = None


def list_properties(table: NumberedTable) -> dict[str, str]:
    """The SQL condition that the importer cannot take a list, by property; none of other types."""
    zone = table.table.source.time_zone
    return {
        prop.column: is_late(f"v{i}", _type(prop, zone))
        for i, prop in enumerate(table.table.properties)
        if is_list(_type(prop, zone))
    }


def node_file(mapped: NodeTable, table: NumberedTable) -> CsvFile:
    """The file of the nodes that a table's numbered rows become."""
    extra = mapped.extra
    named = (mapped.node_label, *extra.always)
    listed = bool(extra.by_property or table.late) or not all(map(_PLAIN_NAME.fullmatch, named))
    columns = [CsvColumn(header=":ID", sql="id")]
    if listed:
        columns.append(CsvColumn(header=":LABEL", sql=_labels_sql(table, named), is_text=True))
    if mapped.label_is_shared:
        of_table = CsvColumn(
            header=header_field(TABLE_PROPERTY, "string"),
            sql=sql_literal(mapped.qualified_name),
            is_text=True,
        )
        columns.append(of_table)
    for i, _ in enumerate(mapped.properties):
        columns += _columns_of(table, i, f"c{i}")
    texts: Mapping[str, str | None] = {f"c{i}": p.column for i, p in enumerate(mapped.properties)}
    return CsvFile(
        kind="nodes",
        group=None if listed else ":".join(named),
        table=mapped.qualified_name,
        columns=tuple(columns),
        source=f"({table.rows_sql(texts)})",
    )


def relationship_files(
    mapping: RelationshipMapping, tables: Mapping[str, NumberedTable], index: TableIndex
) -> Iterator[CsvFile]:
    """The files of a mapping, one for each table for whose rows ends are looked up.

    `tables` are by qualified name (`source/table`); those of `index` without rows may lack.
    """
    for driving in _present(index.driving(mapping), tables):
        ends = {
            "from": _CsvEnd(mapping.start, tables, index, "a"),
            "to": _CsvEnd(mapping.end, tables, index, "b"),
        }
        sought = [end for end in ends.values() if end.end in mapping.sought]
        if all(end.tables for end in sought):
            yield _relationship_file(mapping, driving, ends, sought)


class _CsvEnd:
    """An end of a relationship and the tables that have it."""

    def __init__(
        self,
        end: RelationshipEnd,
        tables: Mapping[str, NumberedTable],
        index: TableIndex,
        alias: str,
    ) -> None:
        self.end, self.alias = end, alias
        self.tables = _present(index.at(end), tables)

    def joined(self) -> str:
        """SQL that joins the end to the row `d` that drives."""
        names = [f"j{i}" for i, _ in enumerate(self.end.pairs)]
        rows = union(
            table.rows_sql(
                {
                    name: own if table.has(own) else None
                    for name, (own, _) in zip(names, self.end.pairs, strict=True)
                }
            )
            for table in self.tables
        )
        same = " AND ".join(
            f"{self.alias}.{name} = d.{self.alias}{i}" for i, name in enumerate(names)
        )
        return f" JOIN ({rows}) AS {self.alias} ON {same}"


def _relationship_file(
    mapping: RelationshipMapping,
    driving: NumberedTable,
    ends: Mapping[str, _CsvEnd],
    sought: list[_CsvEnd],
) -> CsvFile:
    texts: dict[str, str | None] = {}
    for end in sought:
        for i, (_, column) in enumerate(end.end.pairs):
            texts[f"{end.alias}{i}"] = column if driving.has(column) else None
    copied = [driving.position(name) for name in mapping.copied if driving.has(name)]
    texts |= {f"c{at}": driving.table.properties[at].column for at in copied}
    ids = [f"{end.alias if end in sought else 'd'}.id" for end in (ends["from"], ends["to"])]
    columns = [
        CsvColumn(header=":START_ID", sql=ids[0]),
        CsvColumn(header=":END_ID", sql=ids[1]),
    ]
    plain = _PLAIN_NAME.fullmatch(mapping.relationship_type)
    if not plain:
        name = sql_literal(mapping.relationship_type)
        columns.append(CsvColumn(header=":TYPE", sql=name, is_text=True))
    for at in copied:
        columns += _columns_of(driving, at, f"d.c{at}")
    return CsvFile(
        kind="relationships",
        group=mapping.relationship_type if plain else None,
        table=driving.table.qualified_name,
        columns=tuple(columns),
        source=f"({driving.rows_sql(texts)}) AS d" + "".join(end.joined() for end in sought),
    )


def late_lists(
    tables: Iterable[NumberedTable],
    mappings: Iterable[RelationshipMapping],
    index: TableIndex,
) -> tuple[LateList, ...]:
    """What is converted after the import, once for each label or type, property and type of list."""
    late = {table.table.qualified_name: table for table in tables if table.late}
    found: dict[tuple[str | None, str | None, str], LateList] = {}
    for table in late.values():
        if isinstance(table.table, NodeTable):
            for column in sorted(table.late):
                made = _late(table, column, label=table.table.node_label)
                found[(made.label, None, made.held_in)] = made
    for mapping in mappings:
        for driving in _present(index.driving(mapping), late):
            for column in sorted(driving.late.intersection(mapping.copied)):
                made = _late(driving, column, relationship_type=mapping.relationship_type)
                found[(None, made.relationship_type, made.held_in)] = made
    return tuple(found.values())


def _late(
    table: NumberedTable,
    column: str,
    *,
    label: str | None = None,
    relationship_type: str | None = None,
) -> LateList:
    prop = table.table.properties[table.position(column)]
    kind = _type(prop, table.table.source.time_zone)
    return LateList(
        column=column,
        held_in=late_name(column, kind),
        convert=kind.convert,
        label=label,
        relationship_type=relationship_type,
    )


def _columns_of(table: NumberedTable, position: int, text: str) -> tuple[CsvColumn, ...]:
    prop = table.table.properties[position]
    return property_columns(
        prop,
        text,
        time_zone=table.table.source.time_zone,
        has_late=prop.column in table.late,
    )


def _labels_sql(table: NumberedTable, named: tuple[str, ...]) -> str:
    """SQL for a node's labels, with the delimiter of lists between them."""
    labels = [sql_literal(label) for label in named]
    extra = table.table.extra
    if extra.by_property:
        value = decoded(f"c{table.position(extra.by_property)}")
        allowed = ", ".join(map(sql_literal, extra.values))
        labels.append(f"CASE WHEN {value} IN ({allowed}) THEN {value} END")
    if table.late:
        zone = table.table.source.time_zone
        conditions = " OR ".join(
            is_late(f"c{i}", _type(prop, zone))
            for i, prop in enumerate(table.table.properties)
            if prop.column in table.late
        )
        labels.append(f"CASE WHEN {conditions} THEN {sql_literal(LATE_LABEL)} END")
    return f"concat_ws(chr({LIST_DELIMITER}), {', '.join(labels)})"


def _present(
    tables: Iterable[TableMapping], numbered: Mapping[str, NumberedTable]
) -> list[NumberedTable]:
    return [numbered[table.qualified_name] for table in tables if table.qualified_name in numbered]


def _type(prop: PropertyMapping, time_zone: str | None) -> PropertyType:
    return property_type(prop.type, treatment=prop.treatment, time_zone=time_zone)
