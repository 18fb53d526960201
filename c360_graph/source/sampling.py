"""Samples of columns, bounded in rows and in time. The values stay in memory: none goes into a file,
a log or a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from c360_graph.errors import SourceError, SourceUnavailableError
from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.model import TableMapping
from c360_graph.plan.model import RowEstimate
from c360_graph.source.snapshot import SourceSnapshot
from c360_graph.sql_quoting import quoted, quoted_table, sql_literal

_KINDS = ("r", "p", "m")
"""Views and foreign tables have no pages to draw."""
_TIMES = 20
"""Rows of drawn pages for each row that is taken: rows of one page are alike, so that many pages are drawn."""


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """What follows a table `AS t` and what goes before LIMIT; nothing where the first rows have to do."""

    pages: str = ""
    order: str = ""


def scatter(table: CatalogTable | None, *, rows: int) -> Scatter:
    """For so many rows of a table, the same ones each time as long as it does not change."""
    drawn = _TIMES * rows
    if table is None or table.kind not in _KINDS or table.estimated_rows < drawn:
        return Scatter()
    # The pages come in the table's order, and the limit would leave out its end; by ctid's digest the
    # same rows come each time, and equal values are not together.
    percent = 100 * drawn / table.estimated_rows
    return Scatter(
        pages=f" TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (0)",
        order=" ORDER BY md5(t.ctid::text)",
    )


SAMPLED_ROWS = 500
MOST_SECONDS = 5
"""For each statement; one that takes longer is given up."""
_LONGEST_TEXT = 400


def sample_columns(
    snapshot: SourceSnapshot, table: CatalogTable, columns: Sequence[str]
) -> dict[str, tuple[str, ...]] | None:
    """Texts of some rows' values, each column without its NULLs; None where the source refused or took long."""
    if not columns:
        return {}
    texts = ", ".join(f"left(t.{quoted(c)}::text, {_LONGEST_TEXT})" for c in columns)
    rows = ask_or_none(snapshot, f"SELECT {texts} FROM ({some_rows(table, SAMPLED_ROWS)}) AS t")
    if rows is None:
        return None
    return {
        column: tuple(row[index] for row in rows if row[index] is not None)
        for index, column in enumerate(columns)
    }


def ask_or_none(
    snapshot: SourceSnapshot, statement: str, *parameters: Any
) -> list[tuple[Any, ...]] | None:
    """All rows, None where the source refuses the statement or takes long; one that left is an error."""
    try:
        return snapshot.ask(statement, *parameters, seconds=MOST_SECONDS)
    except SourceUnavailableError:
        raise
    except SourceError:
        return None


def some_rows(table: CatalogTable, rows: int) -> str:
    """Some rows of a table, of a large one from all over it."""
    sample = scatter(table, rows=rows)
    return f"SELECT t.* FROM {from_clause(table)} AS t{sample.pages}{sample.order} LIMIT {rows}"


def from_clause(table: CatalogTable) -> str:
    return quoted_table(table.schema_name, table.table_name)


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
    relation = quoted_table(table.source.db_schema, table.table_name)
    allowed = f"has_column_privilege({sql_literal(relation)}, {sql_literal(column)}, 'SELECT')"
    # Asked, not tried: a refused statement would end the transaction.
    if not snapshot.fetch(f"SELECT {allowed}")[0][0]:
        return ()
    rows = snapshot.fetch(
        f"SELECT {quoted(column)}::text FROM {relation} WHERE {quoted(column)} IS NOT NULL"
        f" LIMIT {SAMPLE_ROWS}"
    )
    texts = [str(row[0]) for row in rows]
    long = list(dict.fromkeys(text for text in texts if len(text) >= SHORTEST))
    if 2 * len(long) < len(texts):
        return ()
    return tuple(long[:MOST_VALUES])


COUNTED_ROWS = 100_000
"""A table without statistics is counted up to here."""


def row_estimate(
    snapshot: SourceSnapshot, table: CatalogTable, kept: Sequence[str] = ()
) -> RowEstimate:
    """The rows of a table, of which only those are read that fulfil `kept`; unknown where the count is
    refused or takes too long."""
    # -1 is never analysed, and so is 0 before PostgreSQL 14; a count of nothing takes no time.
    if table.estimated_rows > 0 and not kept:
        return RowEstimate(rows=table.estimated_rows, basis="estimate")
    try:
        (row,) = snapshot.ask(_count(table, kept))
    except SourceError:
        return RowEstimate()
    rows = int(row[0])
    if rows > COUNTED_ROWS:
        return RowEstimate(rows=COUNTED_ROWS, basis="at least")
    return RowEstimate(rows=rows, basis="count")


def _count(table: CatalogTable, kept: Sequence[str]) -> str:
    relation = f"{quoted_table(table.schema_name, table.table_name)} AS t"
    where = f" WHERE {' AND '.join(kept)}" if kept else ""
    return f"SELECT count(*) FROM (SELECT FROM {relation}{where} LIMIT {COUNTED_ROWS + 1}) AS few"
