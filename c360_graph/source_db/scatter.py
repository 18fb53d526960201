"""The SQL that takes some rows from all over a large table: a table's first rows are its oldest, and unlike
the others."""

from __future__ import annotations

from dataclasses import dataclass

from c360_graph.mapping.catalog import CatalogTable

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
