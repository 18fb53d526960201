"""A table's extract as the graph holds it and as it is now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from c360_graph.extract_joins.extract_sql import file_rows
from c360_graph.extracts import Extract
from c360_graph.mapping.model import TableMapping

Which = Literal["old", "new"]


@dataclass(frozen=True, kw_only=True)
class Versions:
    """Both, and a number that no other table has."""

    number: int
    old: Extract
    new: Extract

    @property
    def table(self) -> TableMapping:
        """The table as it is now."""
        return self.new.manifest.table

    @property
    def qualified_name(self) -> str:
        """`source/table`."""
        return self.table.qualified_name

    @property
    def are_comparable(self) -> bool:
        """Whether the same text means the same row. The engine passes over an empty line, which only
        a table of one column has."""
        return (
            self.old.manifest.table.fingerprint_source == self.table.fingerprint_source
            and bool(self.table.key)
            and len(self.table.properties) > 1
        )

    def keys_that_are_nan(self, which: Which) -> str | None:
        """SQL for how many keys hold NaN, which finds no node; None where none can."""
        columns = self.table.float_key
        if not columns:
            return None
        rows = self.rows(which, columns)
        found = " OR ".join(f"x{i} = 'NaN'" for i, _ in enumerate(columns))
        return f"SELECT count(*) FROM ({rows}) WHERE {found}"

    @property
    def are_same(self) -> bool:
        """Whether nothing changed."""
        return self.old.manifest.file_digest == self.new.manifest.file_digest

    def name(self, which: Literal["old", "new", "deleted"]) -> str:
        """The engine's table with the column `line`: rows that only the old or the new extract has,
        or whose key the new one has no more."""
        return f"t{self.number}_{which}"

    def value(self, alias: str, column: str) -> str:
        """SQL for one column's text from `line`."""
        return f"nullif(string_split({alias}.line, chr(9))[{self._position(column) + 1}], '\\N')"

    def different(self, which: Which, columns: Iterable[str]) -> str:
        """SQL for these columns, as x0, x1, ..., of the rows that only this version has."""
        chosen = ", ".join(f"{self.value('d', c)} AS x{i}" for i, c in enumerate(columns))
        return f"SELECT {chosen} FROM {self.name(which)} AS d"

    def rows(self, which: Which, columns: Iterable[str]) -> str:
        """SQL for these columns, as x0, x1, ..., of all rows of a version."""
        extract = self.old if which == "old" else self.new
        chosen = ", ".join(f"c{self._position(c)} AS x{i}" for i, c in enumerate(columns))
        return f"SELECT {chosen} FROM {file_rows(extract)}"

    def _position(self, column: str) -> int:
        return next(i for i, p in enumerate(self.table.properties) if p.column == column)
