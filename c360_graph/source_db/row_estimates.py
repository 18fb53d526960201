"""How many rows a table has, by the source's statistics, else by a count that stops early."""

from __future__ import annotations

from c360_graph.errors import SourceError
from c360_graph.mapping.catalog import CatalogTable
from c360_graph.plan.model import RowEstimate
from c360_graph.source_db.snapshot import SourceSnapshot
from c360_graph.sql_quoting import quoted_table

COUNTED_ROWS = 100_000
"""A table without statistics is counted up to here."""


def row_estimate(snapshot: SourceSnapshot, table: CatalogTable) -> RowEstimate:
    """The rows of a table; unknown where the count is refused or takes too long."""
    # -1 is never analysed, and so is 0 before PostgreSQL 14; a count of nothing takes no time.
    if table.estimated_rows > 0:
        return RowEstimate(rows=table.estimated_rows, basis="estimate")
    try:
        (row,) = snapshot.ask(_count(table))
    except SourceError:
        return RowEstimate()
    rows = int(row[0])
    if rows > COUNTED_ROWS:
        return RowEstimate(rows=COUNTED_ROWS, basis="at least")
    return RowEstimate(rows=rows, basis="count")


def _count(table: CatalogTable) -> str:
    place = quoted_table(table.schema_name, table.table_name)
    return f"SELECT count(*) FROM (SELECT FROM {place} LIMIT {COUNTED_ROWS + 1}) AS few"
