"""Columns that can never be equal in the graph are no join."""

from __future__ import annotations

import pytest

from c360_graph.mapping.model import RelationshipMapping
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
    ("left", "right"),
    [
        ("int", "bigint"),
        ("int", "numeric(10,2)"),
        ("double", "int"),
        ("text", "varchar"),
        ("bpchar", "text"),
        ("enum:mood", "text"),
        ("enum:mood", "enum:humour"),
        ("uuid", "text"),
        ("inet", "varchar"),
        ("uuid", "uuid"),
        ("bytea", "bytea"),
        ("date", "date"),
        ("numeric(20,2)", "numeric(18,2)"),
        ("int[]", "bigint[]"),
    ],
)
def test_columns_that_can_be_equal_are_joined(left: str, right: str) -> None:
    assert isinstance(joined(left, right).relationship(), RelationshipMapping)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("int", "text"),
        ("uuid", "int"),
        ("uuid", "inet"),
        ("date", "timestamptz"),
        ("timestamp", "timestamptz"),
        ("bool", "int"),
        ("numeric", "numeric"),
        ("numeric(20,2)", "numeric(20,3)"),
        ("numeric(20,2)", "text"),
        ("bigint", "numeric(20,0)"),
        ("bytea", "text"),
        ("jsonb", "text"),
        ("text[]", "text"),
    ],
)
def test_columns_that_can_never_be_equal_are_refused_with_both_types(left: str, right: str) -> None:
    reason = joined(left, right).reason()
    assert f"one/l.x ({left}, property" in reason
    assert f"two/r.y ({right}, property" in reason
    assert reason.endswith("; map a view that casts one side to the other's type")


def test_a_join_by_hashes_needs_the_hash_on_both_sides() -> None:
    assert joined("text", "varchar", left_as="hash", right_as="hash").relationship()
    assert joined("int", "bigint", left_as="hash", right_as="hash").relationship()
    reason = joined("text", "text", left_as="hash").reason()
    assert reason == (
        "one/l.x (text treated by hash, property STRING) and two/r.y (text, property STRING) never"
        " compare equal in the graph; give both sides the treatment hash"
    )


def test_hashes_of_texts_that_differ_for_equal_values_are_no_join() -> None:
    assert "never compare equal" in (
        joined("int", "numeric(10,2)", left_as="hash", right_as="hash").reason()
    )


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
