"""A few values of a column, for looking for them where they must not be."""

from __future__ import annotations

from c360_graph.mapping.model import TableMapping
from c360_graph.source_db.snapshot import SourceSnapshot
from c360_graph.sql_quoting import quoted, quoted_table, sql_literal

SAMPLE_ROWS = 200
MOST_VALUES = 20
SHORTEST = 8
"""Characters: a shorter text stands in other columns by chance."""


def distinctive_values(
    snapshot: SourceSnapshot, table: TableMapping, column: str
) -> tuple[str, ...]:
    """Texts of some rows that are long and differ from row to row; none where the column's do not.

    None either where the source's role may not read the column: no value of it can have come from
    there. The values stay in memory: they go into no file, log or message.

    Raises:
        SourceError: the source refuses.
    """
    place = quoted_table(table.source.db_schema, table.table_name)
    allowed = f"has_column_privilege({sql_literal(place)}, {sql_literal(column)}, 'SELECT')"
    # Asked, not tried: a refused statement would end the transaction.
    if not snapshot.fetch(f"SELECT {allowed}")[0][0]:
        return ()
    rows = snapshot.fetch(
        f"SELECT {quoted(column)}::text FROM {place} WHERE {quoted(column)} IS NOT NULL"
        f" LIMIT {SAMPLE_ROWS}"
    )
    texts = [str(row[0]) for row in rows]
    long = list(dict.fromkeys(text for text in texts if len(text) >= SHORTEST))
    if 2 * len(long) < len(texts):
        return ()
    return tuple(long[:MOST_VALUES])
