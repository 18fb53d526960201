"""The rows that the graph does not have since Neo4j refused them: recorded, tried again, forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from c360_graph.control.follow_errors import FollowErrors, RefusedRow
from c360_graph.following.graph_writer import GraphChanges, key_lines
from c360_graph.following.mark import SlotMark
from c360_graph.following.refused_rows import refused_row
from c360_graph.mapping.model import TableMapping

_READ_AGAIN = frozenset(["int2", "int4", "int8", "text", "varchar", "uuid", "date", "numeric"])
"""Types whose texts in the graph are those of PostgreSQL; other rows wait for the next load."""


class PendingErrors:
    """Of one follower."""

    def __init__(
        self,
        errors: FollowErrors,
        tables: Iterable[TableMapping],
        *,
        warn: Callable[[str], None],
    ) -> None:
        self._errors = errors
        self._tables = {
            (table.source.source_id, table.table_name): table for table in tables if table.key
        }
        self._pending: set[tuple[int, str, tuple[str, ...]]] = set()
        self._warn = warn

    def read(self) -> tuple[RefusedRow, ...]:
        """The rows that are to be tried again; those of tables that are mapped no more are forgotten."""
        pending = self._errors.pending()
        self._pending = {(row.source_id, row.table_name, row.key) for row in pending}
        self._errors.remove([row for row in pending if self._table(row) is None])
        return tuple(row for row in pending if self._can_be_read(row))

    def note(
        self,
        changes: GraphChanges,
        refused: Iterable[RefusedRow],
        *,
        marks: Mapping[str, SlotMark],
    ) -> None:
        """Record the rows that were refused, and forget those that were written or are gone."""
        found = []
        for row in refused:
            table = self._table(row)
            mark = marks.get(table.source.source_name) if table else None
            found.append(
                RefusedRow(
                    source_id=row.source_id,
                    table_name=row.table_name,
                    key=row.key,
                    reason=row.reason,
                    lsn=mark.lsn if mark else "",
                )
            )
            self._warn(
                f"A row of {table.qualified_name if table else row.table_name} is not in the graph, since Neo4j"
                f" refused it: {row.reason} Its key is in etl_follow_errors."
            )
        self._errors.record(found)
        bad = {(row.source_id, row.table_name, row.key) for row in found}
        if self._pending:
            done = [row for row in _rows(changes) if _name(row) in self._pending - bad]
            self._errors.remove(done)
            self._pending -= {_name(row) for row in done}
        self._pending |= bad

    def _table(self, row: RefusedRow) -> TableMapping | None:
        return self._tables.get((row.source_id, row.table_name))

    def _can_be_read(self, row: RefusedRow) -> bool:
        table = self._table(row)
        if table is None or len(row.key) != len(table.key):
            return False
        columns = [table.property_of(column) for column in table.key]
        return all(
            prop is not None and prop.treatment is None and prop.type.base in _READ_AGAIN
            for prop in columns
        )


def _name(row: RefusedRow) -> tuple[int, str, tuple[str, ...]]:
    return (row.source_id, row.table_name, row.key)


def _rows(changes: GraphChanges) -> Iterable[RefusedRow]:
    for read in changes.reads:
        for line in (*key_lines(read), *read.gone):
            yield refused_row(read.table, line)
