"""Which columns of a table were accepted when it was last read: kept in the control database.

There, and not only beside the extracts: a data folder may be new at each run, as a container's is.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text

from c360_graph.control.connection import ControlDatabase
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.exclusions import ColumnHistory
from c360_graph.object_extracts import Extracts

_IS_KEPT = (
    "SELECT to_regclass('accepted_columns') IS NOT NULL"
    " AND has_table_privilege(to_regclass('accepted_columns'), 'SELECT, INSERT, DELETE')"
)
_ACCEPTED = (
    "SELECT source_id, table_name, array_agg(column_name ORDER BY column_name)"
    " FROM accepted_columns GROUP BY source_id, table_name"
)


def read_history(
    control: ControlDatabase, store: Extracts, rows: ControlRows, *, lets_in: bool
) -> ColumnHistory:
    """What was accepted of each table; of one that the control database does not know, what the data
    folder says.

    Raises:
        ControlDatabaseError: the database cannot be reached.
    """
    accepted = control.run(_accepted)
    is_kept = accepted is not None
    tables = accepted or {}
    names = {row.table_name for row in rows.labels}
    names |= {row.table_name for row in rows.exclusions}
    names |= {row.junction_table for row in rows.relationships if row.junction_table}
    for source in rows.sources:
        of_source = tables.setdefault(source.source_id, {})
        for name in sorted(names - of_source.keys()):
            columns = store.known_columns((source.source_name, name))
            if columns is not None:
                of_source[name] = tuple(sorted(columns))
    return ColumnHistory(tables=tables, lets_in=lets_in, is_kept=is_kept)


def accept_columns(
    control: ControlDatabase, *, source_id: int, table_name: str, columns: Iterable[str]
) -> None:
    """Write down what a table was read with,; it replaces what was accepted before."""
    values = {"source": source_id, "table": table_name, "columns": list(columns)}

    def accept(connection: Connection) -> None:
        if not _is_kept(connection):
            return
        connection.execute(
            text(
                "DELETE FROM accepted_columns WHERE source_id = :source AND table_name = :table"
                " AND column_name <> ALL (:columns)"
            ),
            values,
        )
        connection.execute(
            text(
                "INSERT INTO accepted_columns (source_id, table_name, column_name)"
                " SELECT :source, :table, unnest(CAST(:columns AS text[])) ON CONFLICT DO NOTHING"
            ),
            values,
        )

    control.run(accept)


def _accepted(connection: Connection) -> dict[int, dict[str, tuple[str, ...]]] | None:
    """The columns by source and table; None where the control database does not keep them."""
    if not _is_kept(connection):
        return None
    tables: dict[int, dict[str, tuple[str, ...]]] = {}
    for source_id, table_name, columns in connection.execute(text(_ACCEPTED)):
        tables.setdefault(source_id, {})[table_name] = tuple(columns)
    return tables


def _is_kept(connection: Connection) -> bool:
    return bool(connection.execute(text(_IS_KEPT)).scalar_one())
