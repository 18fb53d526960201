"""Which tables share a step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from c360_graph.mapping.catalog import CatalogTable, SourceCatalog
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.model import NodeTable, TableMapping
from c360_graph.mapping.table_steps import SMALL_ROWS, is_small, tables_by_step

Steps = tuple[tuple[TableMapping, ...], ...]
LARGE = SMALL_ROWS + 1


def catalog(source_id: int, rows: Sequence[int]) -> SourceCatalog:
    return SourceCatalog(
        source_id=source_id,
        tables=tuple(
            CatalogTable(schema_name="public", table_name=f"t{number}", estimated_rows=estimate)
            for number, estimate in enumerate(rows)
        ),
    )


def mapped(source_id: int, count: int) -> list[TableMapping]:
    source = SourceRow(source_id=source_id, source_name=f"s{source_id}", db_name="db")
    return [
        NodeTable(source=source, table_name=f"t{n}", mapping_id=n, node_label=f"L{n}")
        for n in range(count)
    ]


def names(steps: Steps) -> list[list[str]]:
    return [[table.table_name for table in step] for step in steps]


sources = st.lists(st.lists(st.sampled_from([-1, 0, 5, LARGE]), max_size=12), max_size=3)


@given(sources=sources, most=st.integers(1, 6))
def test_every_table_is_in_one_step_which_is_of_one_source_and_not_too_large(
    sources: list[list[int]], most: int
) -> None:
    tables = [t for number, rows in enumerate(sources) for t in mapped(number, len(rows))]
    catalogs = [catalog(number, rows) for number, rows in enumerate(sources)]
    steps = tables_by_step(tables, catalogs, most=most)
    keys = [table.asset_key for table in chain.from_iterable(steps)]
    assert sorted(keys) == sorted(table.asset_key for table in tables)
    for step in steps:
        assert 1 <= len(step) <= most
        assert len({table.source.source_id for table in step}) == 1
        if len(step) > 1:
            number = step[0].source.source_id
            assert len(sources[number]) > most
            known = catalogs[number]
            assert all((t := known.table(m.table_name)) and is_small(t) for m in step)


def test_a_source_of_few_tables_has_a_step_for_each() -> None:
    steps = tables_by_step(mapped(1, 3), [catalog(1, [5, 5, 5])], most=3)
    assert names(steps) == [["t0"], ["t1"], ["t2"]]


def test_small_tables_of_a_source_with_many_share_steps_of_equal_size() -> None:
    steps = tables_by_step(mapped(1, 7), [catalog(1, [5] * 7)], most=3)
    assert names(steps) == [["t0", "t1"], ["t2", "t3"], ["t4", "t5", "t6"]]


def test_a_table_that_grows_leaves_its_step_and_moves_no_other() -> None:
    steps = tables_by_step(mapped(1, 7), [catalog(1, [5, 5, 5, LARGE, 5, 5, 5])], most=3)
    assert names(steps) == [["t0", "t1"], ["t3"], ["t2"], ["t4", "t5", "t6"]]


def test_a_table_of_a_source_that_could_not_be_asked_has_a_step_of_its_own() -> None:
    assert names(tables_by_step(mapped(1, 3), [], most=2)) == [["t0"], ["t1"], ["t2"]]


def test_one_table_a_step_gives_each_a_step() -> None:
    assert len(tables_by_step(mapped(1, 5), [catalog(1, [5] * 5)], most=1)) == 5
