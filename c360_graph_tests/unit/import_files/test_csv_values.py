"""Texts in CSV files are what they were before COPY wrote them, and rows keep their numbers."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.extracts import ExtractStore
from c360_graph.import_files.csv_rows import (
    CsvColumn,
    NumberedTable,
    decoded,
    header_field,
    header_line,
)
from c360_graph.source.copy_query import copied_text
from c360_graph_tests.unit.files.extracted import extract
from c360_graph_tests.unit.mapping.given import Case, table

TEXTS = st.text(
    st.one_of(
        st.sampled_from("\\\\\\nrtbvfN\"',\n\r\t\b\v\f\x00a\x1f\ufeff"),
        st.characters(codec="utf-8"),
    ).filter(lambda character: character != "\x00")
)


@given(texts=st.lists(TEXTS, max_size=30))
def test_a_text_is_what_it_was_before_copy_escaped_it(texts: list[str]) -> None:
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE copied (n INTEGER, c0 VARCHAR)")
        for number, text in enumerate(texts):
            engine.execute("INSERT INTO copied VALUES (?, ?)", [number, copied_text(text).decode()])
        engine.execute("INSERT INTO copied VALUES (?, NULL)", [len(texts)])
        found = engine.execute(f"SELECT {decoded('c0')} FROM copied ORDER BY n").fetchall()
    assert [value for (value,) in found] == [*texts, None]


def numbered(
    tmp_path: Path, columns: str, lines: list[str], **known: int | bool
) -> list[list[object]]:
    """The rows of a table with these lines, as their ids and texts."""
    case = Case().source("clinic", table("patient", columns)).label("patient", "Patient")
    (mapped,) = case.resolve().tables
    written = extract(ExtractStore(tmp_path), mapped, lines)
    rows = NumberedTable(extract=written, first=7, **known)  # type: ignore[arg-type]
    names = {f"v{i}": prop.column for i, prop in enumerate(mapped.properties)}
    with duckdb.connect() as engine:
        found = engine.execute(rows.rows_sql(dict(names)) + " ORDER BY id").fetchall()
    return [list(row) for row in found]


def test_rows_are_numbered_in_the_order_of_the_file_however_large_it_is(tmp_path: Path) -> None:
    lines = [f"{number}\t{'x' * (number % 90)}" for number in range(200_000)]
    found = numbered(tmp_path, "id bigint; note text?", lines)
    assert [(row[0], row[1]) for row in found] == [(7 + n, str(n)) for n in range(200_000)]


def test_empty_lines_of_a_table_of_one_column_are_rows(tmp_path: Path) -> None:
    found = numbered(tmp_path, "note text?", ["a", "", "\\N", ""], empty_lines=2)
    assert found == [[7, "a"], [8, None], [9, ""], [10, ""]]


def test_a_byte_order_mark_is_a_part_of_the_first_value(tmp_path: Path) -> None:
    found = numbered(
        tmp_path, "note text?; id int", ["\ufeffa\t1", "\ufeffb\t2"], begins_with_mark=True
    )
    assert found == [[7, "\ufeffa", "1"], [8, "\ufeffb", "2"]]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("account_id", "account_id:string"),
        ("größe in m-1.", "größe in m-1.:string"),
        ("a:b(c)", "_c360_import_5c86ee0c9cd297a6:string"),
        ("odd{name", "_c360_import_e092bec0fea83240:string"),
        ("}", "_c360_import_d10b36aa74a59bcf:string"),
    ],
)
def test_a_property_whose_name_no_header_can_hold_is_imported_under_another(
    name: str, field: str
) -> None:
    assert header_field(name, "string") == field
    assert header_line((CsvColumn(header=field, sql=""),)) == f'"{field}"\n'
