"""The columns that hold join forms."""

from __future__ import annotations

import pytest

from c360_graph.mapping.join_forms import (
    join_column,
    joined_tables,
    parsed,
    source_column,
    without_join_columns,
)
from c360_graph.mapping.model import GraphMapping
from c360_graph_tests.unit.mapping.given import Case, table


def people() -> GraphMapping:
    return (
        Case()
        .source(
            "one",
            table("people", "id int; email citext", key="id"),
            table("orders", "no int; mail citext?", key="no"),
            table("notes", "no int; mail text", key="no"),
        )
        .label("people", "Person")
        .label("orders", "Order")
        .label("notes", "Note")
        .joining("Person", "PLACED", "Order", "p.email = o.mail")
        .resolve()
    )


@pytest.mark.parametrize("column", ["email", "a_b", "_", "E mail", "_c360_join_text_x"])
def test_a_name_tells_form_and_column(column: str) -> None:
    name = join_column("folded", column)
    assert parsed(name) == ("folded", column)
    assert source_column(name) == column


@pytest.mark.parametrize("name", ["email", "_c360_table", "_c360_join_", "_c360_join_other_email"])
def test_any_other_name_is_a_column(name: str) -> None:
    assert parsed(name) is None
    assert source_column(name) == name


def test_only_tables_that_are_joined_by_a_form_have_it() -> None:
    forms = {
        mapped.table_name: [prop.column for prop in mapped.properties if prop.form]
        for mapped in people().tables
    }
    assert forms == {
        "people": ["_c360_join_folded_email"],
        "orders": ["_c360_join_folded_mail"],
        "notes": [],
    }


def test_a_table_that_was_read_without_a_form_is_told() -> None:
    mapping = people()
    assert not list(without_join_columns(mapping.relationships, mapping.tables))
    plain = tuple(
        mapped.model_copy(update={"properties": mapped.columns_read}) for mapped in mapping.tables
    )
    told = [
        (m.relationship_id, t.qualified_name)
        for m, t in without_join_columns(mapping.relationships, plain)
    ]
    assert told == [(1, "one/people")]
    assert joined_tables(plain, mapping.relationships) == mapping.tables


def test_a_junction_carries_neither_what_it_is_joined_by_nor_a_form() -> None:
    mapping = (
        Case()
        .source(
            "one",
            table("people", "id int; email citext", key="id"),
            table("links", "mail citext; friend citext; since int", key="mail friend"),
        )
        .label("people", "Person")
        .joining(
            "Person",
            "KNOWS",
            "Person",
            "a.email = l.mail AND l.friend = b.email",
            junction_table="links",
            from_alias="a",
            to_alias="b",
        )
        .resolve()
    )
    (found,) = mapping.relationships
    assert found.junction is not None
    assert found.junction.from_pairs == (("_c360_join_folded_email", "_c360_join_folded_mail"),)
    assert found.junction.properties == ("since",)
