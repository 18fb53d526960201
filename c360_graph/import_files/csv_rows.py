"""Rows of an extract as the importer reads them from CSV: SQL of the join engine for numbered rows and their values, and the types of a header.

A string is always quoted, so that an empty one is not NULL, for which nothing stands between two commas. The
importer takes no list that is empty, and no element that holds its delimiter. A row with such a list has the list
as COPY's text in a property of its own instead, and a statement converts it after the import.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from c360_graph.extract_joins.extract_sql import file_rows
from c360_graph.extracts import Extract
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.mapping.property_types import (
    ELEMENT_END,
    ESCAPE,
    JSON_MARK,
    PropertyType,
    property_type,
)

_LATE_PREFIX = "_c360_import_"
_HEADER_NAME = re.compile(r"[\w .-]+")

LIST_DELIMITER = ELEMENT_END
"""Between the elements of a list, and between labels: no element holds it."""

_ESCAPED = {"b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_TYPES = {
    "INTEGER": "long",
    "FLOAT": "double",
    "BOOLEAN": "boolean",
    "STRING": "string",
    "ZONED DATETIME": "datetime",
    "LOCAL DATETIME": "localdatetime",
    "DATE": "date",
    "LOCAL TIME": "localtime",
    "ZONED TIME": "time",
    "DURATION": "duration",
}
_LIST = "LIST<"

BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, kw_only=True)
class CsvColumn:
    """A column of a CSV file: its field of the header, the SQL of its values, and whether these are quoted."""

    header: str
    sql: str
    is_text: bool = False


def header_type(kind: PropertyType) -> str:
    """The importer's name of a property's type.

    >>> from c360_graph.mapping.catalog import ColumnType
    >>> header_type(property_type(ColumnType(name="integer", base="int4")))
    'long'
    """
    if kind.name.startswith(_LIST):
        return f"{_TYPES[kind.name.removeprefix(_LIST).removesuffix('>')]}[]"
    return _TYPES[kind.name]


def header_name(column: str) -> str:
    """The property under which a column is imported: another one than its own where a header could not name that.

    >>> header_name("account_id"), header_name("odd{name")
    ('account_id', '_c360_import_e092bec0fea83240')
    """
    # Neo4j 5 reads options from the first brace of a field on and an ID group from the first parenthesis on, later
    # ones from the last. https://neo4j.com/docs/operations-manual/current/import/#import-tool-header-format
    if _HEADER_NAME.fullmatch(column):
        return column
    return f"{_LATE_PREFIX}{sha256(column.encode()).hexdigest()[:16]}"


def header_field(column: str, kind: str) -> str:
    """A property's field of a header, not quoted yet.

    >>> header_field("account_id", "long")
    'account_id:long'
    """
    return f"{header_name(column)}:{kind}"


def header_line(columns: tuple[CsvColumn, ...]) -> str:
    """The header of a file.

    >>> header_line((CsvColumn(header=":ID", sql="id"), CsvColumn(header='a "b":string', sql="c0")))
    '":ID","a ""b"":string"\\n'
    """
    fields = ('"' + column.header.replace('"', '""') + '"' for column in columns)
    return ",".join(fields) + "\n"


def decoded(text: str) -> str:
    """SQL for the value that COPY's text of a column stands for; NULL stays NULL."""
    # No text of PostgreSQL holds a NUL, which stands for a pair of backslashes meanwhile.
    value = rf"replace({text}, '\\', chr(0))"
    for letter, code in _ESCAPED.items():
        value = rf"replace({value}, '\{letter}', chr({code}))"
    return rf"CASE WHEN contains({text}, '\') THEN replace({value}, chr(0), '\') ELSE {text} END"


def property_columns(
    prop: PropertyMapping, text: str, *, time_zone: str | None, has_late: bool
) -> tuple[CsvColumn, ...]:
    """A property as columns of CSV; a second one holds lists that are converted after the import.

    Args:
        prop: the property.
        text: SQL of its text as COPY wrote it.
        time_zone: zone of the source's timestamps without one.
        has_late: whether rows have lists that the importer cannot take.
    """
    kind = property_type(prop.type, treatment=prop.treatment, time_zone=time_zone)
    header = header_field(prop.column, header_type(kind))
    if not is_list(kind):
        is_text = kind.name == "STRING"
        value = decoded(text) if is_text else text
        return (CsvColumn(header=header, sql=value, is_text=is_text),)
    value = decoded(text)
    elements = f"left({value}, length({value}) - 1)"
    if not has_late:
        return (CsvColumn(header=header, sql=elements, is_text=True),)
    late = is_late(text, kind)
    return (
        CsvColumn(header=header, sql=f"CASE WHEN NOT {late} THEN {elements} END", is_text=True),
        CsvColumn(
            header=f"{late_name(prop.column, kind)}:string",
            sql=f"CASE WHEN {late} THEN {value} END",
            is_text=True,
        ),
    )


def late_name(column: str, kind: PropertyType) -> str:
    """The property that holds a list's text until it is converted.

    >>> from c360_graph.mapping.catalog import ColumnType
    >>> texts = ColumnType(name="text[]", base="text[]", element=ColumnType(name="text", base="text"))
    >>> late_name("tags", property_type(texts))
    '_c360_import_LIST<STRING>_tags'
    """
    # With its type: tables that share a label may have lists of several types under one name.
    return f"{_LATE_PREFIX}{kind.name}_{header_name(column)}"


def is_list(kind: PropertyType) -> bool:
    """Whether values are lists."""
    return kind.name.startswith(_LIST)


def is_late(text: str, kind: PropertyType) -> str:
    """The SQL condition that the importer cannot take a list, given by its text that is not decoded."""
    conditions = [f"{text} = ''", f"starts_with({text}, chr({JSON_MARK}))"]
    if kind.name == f"{_LIST}STRING>":
        # One empty string, which would be no element; and elements that hold one of our marks.
        conditions += [f"{text} = chr({ELEMENT_END})", f"contains({text}, chr({ESCAPE}))"]
    return f"({' OR '.join(conditions)})"


@dataclass(frozen=True, kw_only=True)
class NumberedTable:
    """An extract whose rows are numbered from `first` on, in the order of its file.

    `late` are the properties that hold lists which the importer cannot take. `empty_lines` is how many rows of a
    table of one column are empty texts, which the engine passes over. `begins_with_mark` is whether the file
    begins with a byte order mark, which the engine drops although it is a part of the first value.
    """

    extract: Extract
    first: int
    late: frozenset[str] = frozenset()
    has_line_breaks: bool = False
    empty_lines: int = 0
    begins_with_mark: bool = False

    @property
    def table(self) -> TableMapping:
        """The table as it was when it was read."""
        return self.extract.manifest.table

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.extract.manifest.rows

    def rows_sql(self, columns: Mapping[str, str | None]) -> str:
        """A query for `id` and these columns, by the name that each gets; NULL for what is None.

        The values are COPY's texts.
        """
        chosen = "".join(
            f", {self.text(column) if column is not None else 'NULL::VARCHAR'} AS {name}"
            for name, column in columns.items()
        )
        return f"SELECT {self.first} + n AS id{chosen} FROM ({self._numbered()})"

    def text(self, column: str) -> str:
        """SQL for one property's text."""
        at = self.position(column)
        if at == 0 and self.begins_with_mark:
            return (
                f"CASE WHEN n = 0 THEN chr({ord(BYTE_ORDER_MARK)}) || coalesce(c0, '') ELSE c0 END"
            )
        return f"c{at}"

    def has(self, column: str) -> bool:
        """Whether the table has a property."""
        return self.table.property_of(column) is not None

    def position(self, column: str) -> int:
        """Where a property stands in a row."""
        return next(i for i, p in enumerate(self.table.properties) if p.column == column)

    def _numbered(self) -> str:
        """The rows as they stand in the file, with their number `n` from 0 on."""
        if not self.table.properties:
            return f"SELECT range AS n FROM range({self.rows})"
        # A window without order counts the rows as the engine reads them: in the order of the file.
        numbered = f"SELECT row_number() OVER () - 1 AS n, * FROM {file_rows(self.extract)}"
        if not self.empty_lines:
            return numbered
        found = self.rows - self.empty_lines
        return f"{numbered} UNION ALL SELECT {found} + range, '' FROM range({self.empty_lines})"


def union(queries: Iterable[str]) -> str:
    """The rows of several queries.

    >>> union(["SELECT 1", "SELECT 2"])
    '(SELECT 1) UNION ALL (SELECT 2)'
    """
    return " UNION ALL ".join(f"({query})" for query in queries)
