"""Names of labels, aliases and columns in proposals."""

from __future__ import annotations

import pytest

from c360_graph.mapping.conditions import parse
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.proposal.naming import alias_for, column_in_condition, label_name

SOURCE = SourceRow(source_id=1, source_name="billing_db", db_name="billing")


@pytest.mark.parametrize(
    ("table", "label"),
    [
        ("accounts", "Account"),
        ("payment_methods", "PaymentMethod"),
        ("OrderLines", "OrderLine"),
        ("HTTPRequests", "HttpRequest"),
        ("categories", "Category"),
        ("addresses", "Address"),
        ("statuses", "Status"),
        ("status", "Status"),
        ("warehouses", "Warehouse"),
        ("campuses", "Campus"),
        ("boxes", "Box"),
        ("people", "Person"),
        ("news", "News"),
        ("media_content", "MediaContent"),
        ("Größen und Maße", "GrößenUndMaße"),
        ("!?", "Table"),
        ("_c360 x", "C360X"),
    ],
)
def test_a_label_is_the_table_in_the_singular(table: str, label: str) -> None:
    assert label_name(table, SOURCE, own=(), others=()) == label


def test_a_label_that_is_taken_gets_the_plural_or_its_source_before_it() -> None:
    assert label_name("users", SOURCE, own={"user"}, others=()) == "Users"
    assert label_name("user", SOURCE, own={"user"}, others=()) == "BillingUser"
    assert label_name("users", SOURCE, own=(), others={"user"}) == "BillingUser"
    assert label_name("users", SOURCE, own=(), others={"user", "billinguser"}) == "Users"
    taken = {"user", "users", "billinguser"}
    assert label_name("users", SOURCE, own=taken, others=()) == "BillingUser2"


@pytest.mark.parametrize("table", ["a_s", "items_found", "Ünïts", "in_out_log", "", "1 2", "!"])
def test_an_alias_is_never_a_word_of_sql(table: str) -> None:
    alias = alias_for(table, ("t", "i"))
    (equality,) = parse(f"{alias}.id = {alias_for(table, (alias,))}.id")
    assert equality.left.alias == alias
    assert alias not in ("t", "i")


@pytest.mark.parametrize("column", ["id", "from", "Serial No", 'a"b', "select", "ORDER", "é", "if"])
def test_a_column_is_quoted_where_it_has_to_be(column: str) -> None:
    (equality,) = parse(f"a.{column_in_condition(column)} = b.{column_in_condition(column)}")
    assert equality.left.candidates[0] == column
