"""What the folder of an import has: CSV files and the queries that fill them, the importer's arguments, and the script that ends the import."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from c360_graph.cypher import manifest, schema
from c360_graph.cypher.quoting import identifier, statement
from c360_graph.cypher.script_writer import INDEX_WAIT_SECONDS
from c360_graph.errors import ImportFilesError
from c360_graph.import_files.csv_rows import (
    LIST_DELIMITER,
    CsvColumn,
    NumberedTable,
    decoded,
    header_field,
    header_name,
    is_late,
    is_list,
    late_name,
    property_columns,
    union,
)
from c360_graph.mapping.model import (
    TABLE_PROPERTY,
    NodeTable,
    PropertyMapping,
    RelationshipEnd,
    RelationshipMapping,
    TableIndex,
    TableMapping,
)
from c360_graph.mapping.property_types import PropertyType, property_type
from c360_graph.sql_quoting import sql_literal

LATE_LABEL = "_C360Import"
"""The label of nodes with a list that is converted after the import."""

_PLAIN_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")

LEAST_BUFFER = 4_194_304
"""Bytes of the importer's buffers by itself; one value has to fit."""

_NOT_IN_PATHS = frozenset(",=\"'\\#@\n\r\t")

_BATCH_ROWS = 2_000


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
class LateProperty:
    """A property of a label, or of a relationship type, that is set after the import.

    `convert` makes the Cypher expression of its value from that of the property `held_in`, which is removed. Where
    `is_marked`, only nodes with the label `LATE_LABEL` have one.
    """

    column: str
    held_in: str
    convert: Callable[[str], str] = str
    label: str | None = None
    relationship_type: str | None = None
    is_marked: bool = False


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


def late_properties(
    tables: Iterable[NumberedTable],
    mappings: Iterable[RelationshipMapping],
    index: TableIndex,
) -> tuple[LateProperty, ...]:
    """What is set after the import: properties that no header can name, then lists that no file can hold.

    Each is told once for a label or type, a property and a type of list.
    """
    numbered = {table.table.qualified_name: table for table in tables}
    renamed: dict[LateProperty, None] = {}
    lists: dict[tuple[str | None, str | None, str], LateProperty] = {}
    for table in numbered.values():
        if isinstance(table.table, NodeTable):
            label = table.table.node_label
            columns = [p.column for p in table.table.properties]
            renamed |= dict.fromkeys(_renamed(columns, label=label))
            for column in sorted(table.late):
                made = _late_list(table, column, label=label)
                lists[(label, None, made.held_in)] = made
    for mapping in mappings:
        kind = mapping.relationship_type
        for driving in _present(index.driving(mapping), numbered):
            copied = [name for name in mapping.copied if driving.has(name)]
            renamed |= dict.fromkeys(_renamed(copied, relationship_type=kind))
            for column in sorted(driving.late.intersection(mapping.copied)):
                made = _late_list(driving, column, relationship_type=kind)
                lists[(None, kind, made.held_in)] = made
    return (*renamed, *lists.values())


def _renamed(
    columns: Iterable[str], *, label: str | None = None, relationship_type: str | None = None
) -> Iterator[LateProperty]:
    for column in columns:
        held_in = header_name(column)
        if held_in != column:
            yield LateProperty(
                column=column, held_in=held_in, label=label, relationship_type=relationship_type
            )


def _late_list(
    table: NumberedTable,
    column: str,
    *,
    label: str | None = None,
    relationship_type: str | None = None,
) -> LateProperty:
    prop = table.table.properties[table.position(column)]
    kind = _type(prop, table.table.source.time_zone)
    return LateProperty(
        column=column,
        held_in=late_name(column, kind),
        convert=kind.convert,
        label=label,
        relationship_type=relationship_type,
        is_marked=label is not None,
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


@dataclass(frozen=True, kw_only=True)
class ImportInput:
    """A header and the file that it describes; `group` is a label or type, None where a column has it."""

    kind: Literal["nodes", "relationships"]
    group: str | None
    header: Path
    data: Path


def arguments_text(
    inputs: Iterable[ImportInput], *, report: Path, has_line_breaks: bool, longest_row_bytes: int
) -> str:
    """The text of the file, an argument a line.

    >>> from pathlib import Path
    >>> text = arguments_text([], report=Path("/f/r"), has_line_breaks=False, longest_row_bytes=9)
    >>> print(text, end="")
    "--report-file=/f/r"
    "--id-type=actual"
    "--array-delimiter=U+001F"
    "--multiline-fields=false"
    "--read-buffer-size=4194304"
    """
    lines = [
        f"--report-file={report}",
        # Nodes are numbered without gaps, so their numbers can be those of the store, and none has to be looked up.
        "--id-type=actual",
        f"--array-delimiter=U+{LIST_DELIMITER:04X}",
        f"--multiline-fields={'true' if has_line_breaks else 'false'}",
        # A quoted value takes up to twice the characters, and the importer wants room around it.
        f"--read-buffer-size={max(LEAST_BUFFER, 4 * longest_row_bytes)}",
    ]
    for given in inputs:
        group = f"{given.group}=" if given.group is not None else ""
        lines.append(f"--{given.kind}={group}{given.header},{given.data}")
    return "".join(f'"{line}"\n' for line in lines)


def refuse_path(folder: Path) -> None:
    """Make sure that the importer reads a folder's name as it is.

    Raises:
        ImportFilesError: it has a character that means something to the importer.
    """
    wrong = sorted(_NOT_IN_PATHS.intersection(str(folder)))
    if wrong:
        raise ImportFilesError(
            f"{folder} has {', '.join(map(repr, wrong))} in its path, which neo4j-admin does not read as it"
            " is. Choose another folder."
        )


def import_command(
    program: str, database: str, arguments: Path, options: Iterable[str] = ()
) -> list[str]:
    """The command that imports.

    >>> from pathlib import Path
    >>> " ".join(import_command("neo4j-admin", "neo4j", Path("/import/arguments.txt")))
    'neo4j-admin database import full neo4j @/import/arguments.txt'
    """
    # The name stands first: an option for files takes every word behind it.
    return [program, "database", "import", "full", database, *options, f"@{arguments}"]


def end_script(
    tables: Iterable[NodeTable],
    mappings: Iterable[RelationshipMapping],
    late: Iterable[LateProperty],
) -> bytes:
    """The script, for cypher-shell. It may run twice."""
    kept, joins = tuple(tables), tuple(mappings)
    return "".join(f"{text};\n" for text in _statements(kept, joins, tuple(late))).encode()


def _statements(
    tables: tuple[NodeTable, ...],
    mappings: tuple[RelationshipMapping, ...],
    late: tuple[LateProperty, ...],
) -> Iterator[str]:
    yield from map(set_late, late)
    if any(prop.is_marked for prop in late):
        yield remove_late_label()
    yield from map(schema.create_constraint, schema.keys(tables))
    yield from map(schema.create_index, schema.indexes(tables, mappings))
    yield schema.await_indexes(INDEX_WAIT_SECONDS)
    yield manifest.end_manifest()


def set_late(prop: LateProperty) -> str:
    """Set a property of nodes or relationships after the import. Must run outside of a transaction.

    >>> print(set_late(LateProperty(column="a{b", held_in="a_b", label="Plan")))
    CYPHER 5 MATCH (x:`Plan`) WHERE x.`a_b` IS NOT NULL
    CALL (x) { SET x.`a{b` = x.`a_b` REMOVE x.`a_b` } IN TRANSACTIONS OF 2000 ROWS
    """
    held = f"x.{identifier(prop.held_in)}"
    if prop.label is not None:
        marked = f":{identifier(LATE_LABEL)}" if prop.is_marked else ""
        pattern = f"(x{marked}:{identifier(prop.label)})"
    else:
        pattern = f"()-[x:{identifier(prop.relationship_type or '')}]->()"
    return statement(
        f"MATCH {pattern} WHERE {held} IS NOT NULL\n"
        f"CALL (x) {{ SET x.{identifier(prop.column)} = {prop.convert(held)} REMOVE {held} }}"
        f" IN TRANSACTIONS OF {_BATCH_ROWS} ROWS"
    )


def remove_late_label() -> str:
    """Take away the label of nodes with such lists. Must run outside of a transaction.

    >>> print(remove_late_label())
    CYPHER 5 MATCH (x:`_C360Import`)
    CALL (x) { REMOVE x:`_C360Import` } IN TRANSACTIONS OF 2000 ROWS
    """
    label = identifier(LATE_LABEL)
    return statement(
        f"MATCH (x:{label})\nCALL (x) {{ REMOVE x:{label} }} IN TRANSACTIONS OF {_BATCH_ROWS} ROWS"
    )
