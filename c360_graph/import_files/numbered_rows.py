"""SQL for the rows of an extract, each with a number that no other node of the import has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from c360_graph.extract_joins.extract_sql import file_rows
from c360_graph.extracts import Extract
from c360_graph.mapping.model import TableMapping

BYTE_ORDER_MARK = "\ufeff"


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
