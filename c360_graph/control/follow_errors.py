"""Rows that Neo4j refused while their source was followed: the table etl_follow_errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, TextClause, text

from c360_graph.control.connection import ControlDatabase

_RECORD = text(
    "INSERT INTO etl_follow_errors (source_id, table_name, row_key, reason, lsn)"
    " VALUES (:source, :table, :key, :reason, :lsn)"
    " ON CONFLICT (source_id, table_name, row_key) DO UPDATE SET reason = excluded.reason,"
    " lsn = excluded.lsn, attempts = etl_follow_errors.attempts + 1, last_seen_at = now()"
)
_PENDING = text(
    "SELECT source_id, table_name, row_key FROM etl_follow_errors ORDER BY first_seen_at LIMIT :most"
)
_REMOVE = text(
    "DELETE FROM etl_follow_errors"
    " WHERE source_id = :source AND table_name = :table AND row_key = :key"
)
_IS_THERE = text("SELECT to_regclass('etl_follow_errors') IS NOT NULL")

MOST_PENDING = 10_000


@dataclass(frozen=True, kw_only=True)
class RefusedRow:
    """A row by its key, whose texts are as the graph would have them."""

    source_id: int
    table_name: str
    key: tuple[str, ...]
    reason: str = ""
    lsn: str = ""

    @property
    def values(self) -> dict[str, object]:
        """The parameters of the statements."""
        return {
            "source": self.source_id,
            "table": self.table_name,
            "key": json.dumps(self.key, ensure_ascii=False),
            "reason": self.reason,
            "lsn": self.lsn,
        }


class FollowErrors:
    """The table; a control database of an older schema has none, and nothing is remembered."""

    def __init__(self, database: ControlDatabase) -> None:
        self._database = database

    def record(self, rows: Sequence[RefusedRow]) -> None:
        """Remember rows that were refused, for the first time or once more."""
        self._each(_RECORD, rows)

    def remove(self, rows: Sequence[RefusedRow]) -> None:
        """Forget rows that the graph has now, or whose source has them no more."""
        self._each(_REMOVE, rows)

    def pending(self) -> tuple[RefusedRow, ...]:
        """Rows that are to be tried again."""

        def ask(connection: Connection) -> tuple[RefusedRow, ...]:
            if not connection.execute(_IS_THERE).scalar_one():
                return ()
            rows = connection.execute(_PENDING, {"most": MOST_PENDING})
            return tuple(
                RefusedRow(
                    source_id=row.source_id,
                    table_name=row.table_name,
                    key=tuple(json.loads(row.row_key)),
                )
                for row in rows
            )

        return self._database.run(ask)

    def _each(self, statement: TextClause, rows: Iterable[RefusedRow]) -> None:
        values = [row.values for row in rows]
        if not values:
            return

        def change(connection: Connection) -> None:
            if connection.execute(_IS_THERE).scalar_one():
                connection.execute(statement, values)

        self._database.run(change)
