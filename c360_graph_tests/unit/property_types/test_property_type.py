"""Which property a column becomes."""

from __future__ import annotations

import pytest

from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.control_rows import Treatment
from c360_graph.mapping.property_types import property_type


def numeric(precision: int | None, scale: int | None = None) -> ColumnType:
    return ColumnType(name="numeric", base="numeric", precision=precision, scale=scale)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (numeric(15, 2), "FLOAT"),
        (numeric(15), "FLOAT"),
        (numeric(16, 2), "STRING"),
        (numeric(None), "STRING"),
        (numeric(5, -3), "FLOAT"),
        (numeric(3, 5), "FLOAT"),
        (numeric(15, 307), "FLOAT"),
        (numeric(15, 308), "STRING"),
        (numeric(15, -293), "FLOAT"),
        (numeric(15, -294), "STRING"),
    ],
)
def test_a_numeric_is_a_number_where_a_double_holds_all_of_its_values(
    column: ColumnType, expected: str
) -> None:
    assert property_type(column).name == expected


def test_a_type_that_nobody_knows_is_a_string() -> None:
    kind = property_type(ColumnType(name="own.date", base="own.date", kind="e"))
    assert (kind.name, kind.render("x"), kind.convert("y")) == ("STRING", "x", "y")


@pytest.mark.parametrize("treatment", ["hash", "mask"])
def test_a_treated_column_is_a_string_that_loses_nothing(treatment: Treatment) -> None:
    for base in ("int4", "timestamptz", "bytea"):
        kind = property_type(ColumnType(name=base, base=base), treatment=treatment)
        assert (kind.name, kind.lost, kind.null_safe) == ("STRING", None, False)


def test_a_list_in_a_list_is_json() -> None:
    inner = ColumnType(name="int[]", base="_int4", element=ColumnType(name="int", base="int4"))
    outer = ColumnType(name="numbers[]", base="_numbers", element=inner)
    assert property_type(inner).name == "LIST<INTEGER>"
    assert property_type(outer).name == "STRING"
    assert property_type(outer).render("x") == "to_json(x)::text"


def test_a_timestamp_is_a_moment_only_where_its_zone_is_known() -> None:
    column = ColumnType(name="timestamp", base="timestamp")
    assert property_type(column).name == "LOCAL DATETIME"
    zoned = property_type(column, time_zone="Europe/O'Slo")
    assert zoned.name == "ZONED DATETIME"
    assert "AT TIME ZONE 'Europe/O''Slo'" in zoned.render("x")
