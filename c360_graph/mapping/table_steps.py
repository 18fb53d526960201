"""Which tables of a source are read in one step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from c360_graph.mapping.catalog import CatalogTable, SourceCatalog
from c360_graph.mapping.model import TableMapping
from c360_graph.mapping.page_ranges import known_rows
from c360_graph.mapping.table_index import grouped

SMALL_ROWS = 100_000
"""Up to which a table is small: reading so many rows takes about as long as Dagster takes for a step."""

_COUNTED_KINDS = ("r", "m")
"""Tables and materialized views. A view, a foreign or a partitioned table has no size of its own."""


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
