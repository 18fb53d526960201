"""In which steps tables are read: small ones together, a big one in ranges of pages.

Ranges are of pages and not of keys: every table has pages, PostgreSQL finds them without an index, each has about
as many rows as the other, and no value of a customer is in them.
See https://www.postgresql.org/docs/current/ddl-system-columns.html for `ctid`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from c360_graph.mapping.catalog import CatalogTable, SourceCatalog
from c360_graph.mapping.model import TableMapping, grouped

RANGED_KINDS = ("r", "m", "p")
"""Tables, materialized views and partitioned tables. A row of a view or of a foreign table is in no page."""

MOST_RANGES = 1_000

SMALL_ROWS = 100_000
"""Up to which a table is small: reading so many rows takes about as long as Dagster takes for a step."""

_COUNTED_KINDS = ("r", "m")
"""Tables and materialized views. A view, a foreign or a partitioned table has no size of its own."""


@dataclass(frozen=True, kw_only=True)
class PageRange:
    """Pages from `first` up to and without `next`; None where the range has no end.

    The first range has no beginning either: together the ranges have every row once, however the table grows.
    """

    number: int
    first: int
    next: int | None

    def condition(self, alias: str) -> str:
        """SQL for whether the row `alias` is in one of the pages.

        >>> PageRange(number=1, first=100, next=200).condition("t")
        "t.ctid >= '(100,0)' AND t.ctid < '(200,0)'"
        >>> PageRange(number=0, first=0, next=None).condition("t")
        'true'
        """
        bounds = [f"{alias}.ctid >= '({self.first},0)'"] if self.first else []
        if self.next is not None:
            bounds.append(f"{alias}.ctid < '({self.next},0)'")
        return " AND ".join(bounds) or "true"


def page_ranges(*, pages: int, rows: int, range_rows: int) -> tuple[PageRange, ...]:
    """Divide a table into ranges of about `range_rows` rows each.

    >>> [(each.first, each.next) for each in page_ranges(pages=10, rows=2_500, range_rows=1_000)]
    [(0, 3), (3, 6), (6, None)]
    >>> [(each.first, each.next) for each in page_ranges(pages=10, rows=900, range_rows=1_000)]
    [(0, None)]

    Args:
        pages: of the table; of a partitioned table, those of its largest partition.
        rows: about how many the table has.
        range_rows: about how many a range is to have.
    """
    count = max(1, min(-(-rows // range_rows), pages, MOST_RANGES))
    return tuple(_divided(pages, count))


def _divided(pages: int, count: int) -> Iterator[PageRange]:
    for number in range(count):
        is_last = number == count - 1
        yield PageRange(
            number=number,
            first=pages * number // count,
            next=None if is_last else pages * (number + 1) // count,
        )


def known_rows(table: CatalogTable) -> int:
    """About how many rows a table has.

    Statistics may lack: PostgreSQL does not analyse a table of some dozen rows by itself, and a standby counts
    no live rows. So the larger of both numbers counts.
    """
    return max(table.estimated_rows, table.live_rows)


def readers_of(table: CatalogTable, *, range_rows: int, most: int) -> int:
    """How many steps read a table together: no more than it has ranges.

    >>> events = CatalogTable(schema_name="public", table_name="events", estimated_rows=5_000_000)
    >>> readers_of(events, range_rows=2_000_000, most=8)
    3
    >>> readers_of(events, range_rows=2_000_000, most=2)
    2
    """
    if table.kind not in RANGED_KINDS:
        return 1
    return max(1, min(most, -(-known_rows(table) // range_rows)))


def readers_by_table(
    catalogs: Iterable[SourceCatalog], *, range_rows: int, most: int
) -> dict[tuple[int, str], int]:
    """How many steps read each table together, by source and name; arguments as `readers_of`."""
    return {
        (catalog.source_id, table.table_name): readers_of(table, range_rows=range_rows, most=most)
        for catalog in catalogs
        for table in catalog.tables
    }


def tables_by_step(
    tables: Sequence[TableMapping], catalogs: Iterable[SourceCatalog], *, most: int
) -> tuple[tuple[TableMapping, ...], ...]:
    """The tables that each step reads.

    A source of at most `most` tables has a step for each of them. Of a larger one, small tables that are near
    each other in `tables` share a step. A table that grows leaves its step, and no other table moves.

    Args:
        tables: the tables of all sources.
        catalogs: what the sources say of them, as it was read for these definitions.
        most: the most tables of a step.
    """
    known = {catalog.source_id: catalog for catalog in catalogs}
    sources = grouped(tables, lambda table: table.source.source_id)
    return tuple(
        step
        for source_id, of_source in sources.items()
        for step in _steps_of(of_source, known.get(source_id), most)
    )


def is_small(table: CatalogTable) -> bool:
    """Whether a table is known to have few rows.

    >>> is_small(CatalogTable(schema_name="public", table_name="plans", estimated_rows=-1, live_rows=12))
    True
    >>> is_small(CatalogTable(schema_name="public", table_name="events", estimated_rows=5_000_000))
    False
    >>> is_small(CatalogTable(schema_name="public", table_name="all_events", kind="v"))
    False
    """
    return table.kind in _COUNTED_KINDS and known_rows(table) <= SMALL_ROWS


def _steps_of(
    tables: Sequence[TableMapping], catalog: SourceCatalog | None, most: int
) -> Iterator[tuple[TableMapping, ...]]:
    parts = -(-len(tables) // most)
    for number in range(parts):
        part = tables[number * len(tables) // parts : (number + 1) * len(tables) // parts]
        small = [len(tables) > most and _is_known_small(catalog, table) for table in part]
        yield from ((table,) for table, shares in zip(part, small, strict=True) if not shares)
        shared = tuple(table for table, shares in zip(part, small, strict=True) if shares)
        if shared:
            yield shared


def _is_known_small(catalog: SourceCatalog | None, table: TableMapping) -> bool:
    found = catalog.table(table.table_name) if catalog else None
    return found is not None and is_small(found)
