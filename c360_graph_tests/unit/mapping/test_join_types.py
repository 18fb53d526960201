"""Columns that can never be equal in the graph are no join."""

from __future__ import annotations

import pytest

from c360_graph.source.copy_query import copy_rows
from c360_graph_tests.unit.mapping.given import Case, table


def joined(left: str, right: str, *, left_as: str = "", right_as: str = "") -> Case:
    case = (
        Case()
        .source("one", table("l", f"x {left}"))
        .source("two", table("r", f"y {right}"))
        .label("l", "L")
        .label("r", "R")
    )
    if left_as:
        case.excluding("l", "x", treatment=left_as)
    if right_as:
        case.excluding("r", "y", treatment=right_as)
    return case.joining("L", "IS", "R", "l.x = r.y")


@pytest.mark.parametrize(
    ("left", "right", "compared"),
    [
        ("int", "bigint", None),
        ("int", "numeric(10,2)", "number"),
        ("numeric", "numeric(20,2)", "number"),
        ("bigint", "numeric(20,0)", "number"),
        ("double", "int", "double"),
        ("text", "varchar", None),
        ("bpchar", "text", None),
        ("bpchar", "bpchar", None),
        ("bpchar", "varchar", "trimmed"),
        ("citext", "citext", "folded"),
        ("citext", "text", None),
        ("enum:mood", "text", None),
        ("enum:mood", "enum:humour", None),
        ("uuid", "text", None),
        ("inet", "varchar", None),
        ("inet", "cidr", "address"),
        ("uuid", "uuid", None),
        ("bytea", "bytea", None),
        ("jsonb", "jsonb", "json"),
        ("interval", "interval", "span"),
        ("date", "date", "text"),
        ("timestamp", "timestamp", "text"),
        ("timestamptz", "timestamptz", "instant"),
        ("int[]", "int[]", "text"),
    ],
)
def test_columns_are_compared_by_their_properties_or_by_a_join_form(
    left: str, right: str, compared: str | None
) -> None:
    case = joined(left, right)
    prefix = f"_c360_join_{compared}_" if compared else ""
    assert case.relationship().pairs == ((f"{prefix}x", f"{prefix}y"),)
    for read in case.resolve().tables:
        forms = [prop.column for prop in read.properties if prop.form]
        assert forms == ([f"{prefix}{read.properties[0].column}"] if compared else [])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("int", "text"),
        ("uuid", "int"),
        ("uuid", "inet"),
        ("bool", "int"),
        ("numeric(20,2)", "text"),
        ("bytea", "text"),
        ("jsonb", "text"),
        ("text[]", "text"),
    ],
)
def test_columns_that_can_never_be_equal_are_refused_with_both_types(left: str, right: str) -> None:
    reason = joined(left, right).reason()
    assert f"one/l.x ({left}, property" in reason
    assert f"two/r.y ({right}, property" in reason
    assert "never compare equal in the graph" in reason
    assert reason.endswith("; map a view that casts one side to the other's type")


@pytest.mark.parametrize(
    ("left", "right", "why"),
    [
        ("json", "json", "PostgreSQL has no equality for json"),
        ("numrange", "numrange", "values of numrange that PostgreSQL finds equal may have"),
        ("own.kind", "own.kind", "values of own.kind that PostgreSQL finds equal may have"),
        ("double[]", "double[]", "values of double[] that PostgreSQL finds equal may have"),
        ("int[]", "bigint[]", "map a view that casts one side to the other's type"),
        ("date", "timestamptz", "map a view that casts one side to the other's type"),
        ("timestamp", "timestamptz", "set source_databases.time_zone of its source"),
    ],
)
def test_columns_that_postgresql_compares_otherwise_are_refused_with_why(
    left: str, right: str, why: str
) -> None:
    reason = joined(left, right).reason()
    assert reason.startswith(f"one/l.x ({left}, property")
    assert why in reason


def test_timestamps_are_compared_as_moments_where_their_sources_name_their_zones() -> None:
    def zoned(left: str, right: str, *zones: str | None) -> Case:
        case = joined(left, right)
        case.sources = [
            source.model_copy(update={"time_zone": zone})
            for source, zone in zip(case.sources, zones, strict=True)
        ]
        return case

    moments = (("_c360_join_instant_x", "_c360_join_instant_y"),)
    locals_ = (("_c360_join_text_x", "_c360_join_text_y"),)
    berlin, new_york = "Europe/Berlin", "America/New_York"
    assert zoned("timestamp", "timestamptz", berlin, None).relationship().pairs == moments
    assert zoned("timestamp", "timestamp", berlin, new_york).relationship().pairs == moments
    assert zoned("timestamp", "timestamp", berlin, berlin.lower()).relationship().pairs == locals_
    assert "depends on the session" in zoned("timestamp", "timestamp", berlin, None).reason()


def test_a_join_by_hashes_needs_the_hash_on_both_sides() -> None:
    assert joined("text", "varchar", left_as="hash", right_as="hash").relationship()
    assert joined("int", "bigint", left_as="hash", right_as="hash").relationship()
    reason = joined("text", "text", left_as="hash").reason()
    assert reason == (
        "one/l.x (text treated by hash, property STRING) and two/r.y (text, property STRING) never"
        " compare equal in the graph; give both sides the treatment hash"
    )


def test_a_join_form_of_a_hashed_column_is_hashed() -> None:
    case = joined("citext", "citext", left_as="hash", right_as="hash")
    assert case.relationship().pairs == (("_c360_join_folded_x", "_c360_join_folded_y"),)
    for read in case.resolve().tables:
        assert [prop.treatment for prop in read.properties] == ["hash", "hash"]
    folded = 'ELSE lower(t."x"::text COLLATE pg_catalog."default") END)'
    table = case.resolve().tables[0]
    # It leaves the source as a text, which is hashed before it is written.
    assert f"{folded}::text FROM" in copy_rows(table)
    assert [prop.treatment for prop in table.properties] == ["hash", "hash"]


def test_masked_columns_are_no_join() -> None:
    reason = joined("text", "text", left_as="mask", right_as="mask").reason()
    assert reason.endswith("a masked column cannot be joined by, use the treatment hash")


def test_every_table_of_a_shared_label_must_have_a_partner() -> None:
    case = (
        Case()
        .source("one", table("l", "x int"), table("m", "x text"), table("r", "y int"))
        .label("l", "L")
        .label("m", "L")
        .label("r", "R")
        .joining("L", "IS", "R", "l.x = r.y")
    )
    assert case.reason().startswith("one/m.x (text, property STRING) and one/r.y (int, property")


def test_tables_of_a_label_that_compare_by_different_rules_are_refused() -> None:
    case = (
        Case()
        .source("one", table("l", "x varchar"), table("m", "x bpchar"), table("r", "y varchar"))
        .label("l", "L")
        .label("m", "L")
        .label("r", "R")
        .joining("L", "IS", "R", "l.x = r.y")
    )
    assert "by rules that differ from table to table" in case.reason()


def test_a_rule_that_is_right_for_all_tables_of_a_label_is_taken() -> None:
    case = (
        Case()
        .source("one", table("l", "x int"), table("m", "x numeric"), table("r", "y int"))
        .label("l", "L")
        .label("m", "L")
        .label("r", "R")
        .joining("L", "IS", "R", "l.x = r.y")
    )
    assert case.relationship().pairs == (("_c360_join_number_x", "_c360_join_number_y"),)


def test_a_column_with_a_name_of_the_loaders_own_is_refused() -> None:
    case = Case().source("one", table("l", "_c360_join_text_x int")).label("l", "L")
    assert "a name that is kept for the loader" in case.reason()
