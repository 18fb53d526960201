"""The ranges of pages of a big table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from c360_graph.mapping.catalog import CatalogTable, SourceCatalog
from c360_graph.mapping.table_steps import MOST_RANGES, page_ranges, readers_by_table, readers_of
from c360_graph.source.copy_query import copy_rows
from c360_graph_tests.unit.mapping.given import Case, table


@given(
    pages=st.integers(0, 5_000),
    rows=st.integers(0, 10**10),
    range_rows=st.integers(1, 10**7),
    later=st.integers(0, 10_000),
)
def test_every_page_is_in_one_range_even_those_that_are_added_later(
    pages: int, rows: int, range_rows: int, later: int
) -> None:
    ranges = page_ranges(pages=pages, rows=rows, range_rows=range_rows)
    assert 1 <= len(ranges) <= MOST_RANGES
    assert [each.number for each in ranges] == list(range(len(ranges)))
    assert (ranges[0].first, ranges[-1].next) == (0, None)
    for page in (0, pages // 2, max(0, pages - 1), pages + later):
        holding = [r for r in ranges if r.first <= page and (r.next is None or page < r.next)]
        assert len(holding) == 1


@given(pages=st.integers(1, 100_000), ranges=st.integers(2, 50))
def test_ranges_are_of_like_size(pages: int, ranges: int) -> None:
    found = page_ranges(pages=pages, rows=ranges * 1_000, range_rows=1_000)
    sizes = [(pages if each.next is None else each.next) - each.first for each in found]
    assert max(sizes) - min(sizes) <= 1


def test_only_what_has_pages_is_read_by_several_steps() -> None:
    def readers(kind: str, **rows: int) -> int:
        found = CatalogTable(schema_name="public", table_name="t", kind=kind, **rows)
        return readers_of(found, range_rows=1_000, most=4)

    assert [readers(kind, estimated_rows=9_000) for kind in "rmpvf"] == [4, 4, 4, 1, 1]
    # Never analysed; and the readers are no more than the ranges.
    assert readers("r", estimated_rows=-1, live_rows=1_001) == 2
    assert readers("r", estimated_rows=1_000) == 1
    catalog = SourceCatalog(
        source_id=7,
        tables=(CatalogTable(schema_name="public", table_name="t", estimated_rows=2_500),),
    )
    assert readers_by_table([catalog], range_rows=1_000, most=8) == {(7, "t"): 3}


def test_a_range_is_read_with_the_conditions_that_the_table_has() -> None:
    people = table("people", "id int; email text", key="email")
    (read,) = Case().source("crm", people).label("people", "Person").resolve().tables
    first, second = page_ranges(pages=10, rows=20, range_rows=10)
    assert "ctid" not in copy_rows(read)
    assert "WHERE t.ctid < '(5,0)' AND coalesce(" in copy_rows(read, first)
    assert "WHERE t.ctid >= '(5,0)' AND coalesce(" in copy_rows(read, second)
