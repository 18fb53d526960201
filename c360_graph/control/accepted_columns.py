"""Which columns of a table were accepted when it was last read: kept in the control database.

There, and not only beside the extracts: a data folder may be new at each run, as a container's is.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

from c360_graph.control.connection import ControlDatabase
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.exclusions import AcceptedColumn, ColumnHistory
from c360_graph.object_extracts import Extracts

_IS_KEPT = (
    "SELECT to_regclass('accepted_columns') IS NOT NULL"
    " AND has_table_privilege(to_regclass('accepted_columns'), 'SELECT, INSERT, DELETE')"
)
_ACCEPTED = (
    # As JSON, since a control database of an older schema has no such columns.
    "SELECT source_id, table_name, column_name, CAST(to_jsonb(a) ->> 'table_oid' AS bigint),"
    " CAST(to_jsonb(a) ->> 'column_number' AS int), to_jsonb(a) ->> 'treatment' FROM accepted_columns a"
    " ORDER BY source_id, table_name, column_name"
)
_HAS_MORE = (
    "SELECT count(*) = 3 FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass('accepted_columns')"
    " AND attname IN ('table_oid', 'column_number', 'treatment')"
)
_FORGET_OTHERS = (
    "DELETE FROM accepted_columns WHERE source_id = :source AND table_name = :table"
    " AND column_name <> ALL (:columns)"
)
_ACCEPT_NAMES = (
    "INSERT INTO accepted_columns (source_id, table_name, column_name)"
    " SELECT :source, :table, unnest(CAST(:columns AS text[])) ON CONFLICT DO NOTHING"
)
_ACCEPT = (
    "INSERT INTO accepted_columns AS a (source_id, table_name, column_name, table_oid, column_number, treatment)"
    " SELECT :source, :table, * FROM unnest(CAST(:columns AS text[]), CAST(:oids AS bigint[]),"
    " CAST(:numbers AS smallint[]), CAST(:treatments AS text[]))"
    " ON CONFLICT (source_id, table_name, column_name) DO UPDATE SET table_oid = excluded.table_oid,"
    " column_number = excluded.column_number, treatment = excluded.treatment"
    " WHERE (a.table_oid, a.column_number, a.treatment)"
    " IS DISTINCT FROM (excluded.table_oid, excluded.column_number, excluded.treatment)"
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
    tables = accepted or {}
    names = {row.table_name for row in rows.labels}
    names |= {row.table_name for row in rows.exclusions}
    names |= {row.junction_table for row in rows.relationships if row.junction_table}
    for source in rows.sources:
        of_source = tables.setdefault(source.source_id, {})
        for name in sorted(names - of_source.keys()):
            columns = store.known_columns((source.source_name, name))
            if columns is not None:
                of_source[name] = dict.fromkeys(sorted(columns), AcceptedColumn())
    return ColumnHistory(tables=tables, lets_in=lets_in, is_kept=accepted is not None)


def accept_columns(
    control: ControlDatabase,
    *,
    source_id: int,
    table_name: str,
    columns: Mapping[str, AcceptedColumn],
) -> None:
    """Write down what a table was read with; it replaces what was accepted before.

    Args:
        control: the control database.
        source_id: the table's source.
        table_name: the table.
        columns: those that were read or excluded, by name.
    """
    attributes = [column.attribute or (None, None) for column in columns.values()]
    values = {
        "source": source_id,
        "table": table_name,
        "columns": list(columns),
        "oids": [oid for oid, _ in attributes],
        "numbers": [number for _, number in attributes],
        "treatments": [column.treatment for column in columns.values()],
    }

    def accept(connection: Connection) -> None:
        if not _is_kept(connection):
            return
        connection.execute(text(_FORGET_OTHERS), values)
        has_more = connection.execute(text(_HAS_MORE)).scalar_one()
        connection.execute(text(_ACCEPT if has_more else _ACCEPT_NAMES), values)

    control.run(accept)


def _accepted(connection: Connection) -> dict[int, dict[str, dict[str, AcceptedColumn]]] | None:
    """The columns by source and table; None where the control database does not keep them."""
    if not _is_kept(connection):
        return None
    tables: dict[int, dict[str, dict[str, AcceptedColumn]]] = {}
    for source_id, table_name, name, oid, number, treatment in connection.execute(text(_ACCEPTED)):
        attribute = None if oid is None or number is None else (oid, number)
        of_table = tables.setdefault(source_id, {}).setdefault(table_name, {})
        of_table[name] = AcceptedColumn(attribute=attribute, treatment=treatment)
    return tables


def _is_kept(connection: Connection) -> bool:
    return bool(connection.execute(text(_IS_KEPT)).scalar_one())
