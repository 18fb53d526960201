"""Columns that become properties of other names and types."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.mapping.control_rows import (
    IdentityRuleRow,
    PropertyRow,
    QualityRow,
    Refusal,
)
from c360_graph.mapping.model import GraphMapping
from c360_graph_tests.unit.mapping.given import Case, table

ORDERS = table(
    "orders",
    "no int; customer int?; price text?; mail text?; placed text?; tags text[]; total numeric(20,2)?; paid bool",
    key="no",
    referring=("customer",),
)
CUSTOMERS = table("customers", "id int; mail text?; name text?", key="id")


def shop(*rows: dict[str, Any]) -> Case:
    case = Case().source("one", ORDERS, CUSTOMERS)
    case.label("orders", "Order").label("customers", "Customer")
    return with_rows(case, *rows)


def with_rows(case: Case, *rows: dict[str, Any]) -> Case:
    given = (
        PropertyRow(mapping_id=number, **{"table_name": "orders"} | row)
        for number, row in enumerate(rows, start=1)
    )
    case.more["properties"] = tuple(given)
    return case


def properties(mapping: GraphMapping, table_name: str = "orders") -> dict[str, str]:
    (found,) = (table for table in mapping.tables if table.table_name == table_name)
    return {prop.column: f"{prop.origin} {prop.type.base}" for prop in found.properties}


def refusals(case: Case) -> list[str]:
    return [str(refusal) for refusal in case.resolve().refusals]


def test_a_column_becomes_a_property_of_another_name_and_type() -> None:
    case = shop(
        {"column_name": "no", "property_name": "order_number"},
        {"column_name": "price", "property_name": "amount", "cast_type": "Float"},
        {"column_name": "paid", "cast_type": "integer"},
        {"column_name": "mail", "cast_type": "string"},
    )
    mapping = case.resolve()
    assert mapping.refusals == ()
    found = properties(mapping)
    assert found["order_number"] == "no int4"
    assert found["amount"] == "price float8"
    assert found["paid"] == "paid int8"
    assert found["mail"] == "mail text"
    orders = mapping.tables[0]
    assert (orders.key, orders.key_columns) == (("order_number",), ("no",))
    assert {*orders.known_columns} == {column.name for column in ORDERS.columns}
    assert [(c.name, c.type.base) for c in orders.as_catalog_table().columns] == [
        (c.name, c.type.base) for c in ORDERS.columns
    ]


def test_a_table_without_rows_is_fingerprinted_as_before_and_one_with_rows_is_not() -> None:
    plain = shop().resolve().tables[0]
    named = shop({"column_name": "price", "property_name": "amount"}).resolve().tables[0]
    cast = shop({"column_name": "price", "cast_type": "float"}).resolve().tables[0]
    assert plain.fingerprint_source.startswith('{"source"')
    assert "renamed_from" not in plain.fingerprint_source
    texts = {plain.fingerprint_source, named.fingerprint_source, cast.fingerprint_source}
    assert len(texts) == 3


def test_names_may_be_exchanged() -> None:
    case = shop(
        {"column_name": "mail", "property_name": "price"},
        {"column_name": "price", "property_name": "mail"},
    )
    assert refusals(case) == []
    found = properties(case.resolve())
    assert (found["price"], found["mail"]) == ("mail text", "price text")


def test_a_row_that_names_the_source_goes_before_one_for_every_source() -> None:
    case = shop(
        {"column_name": "price", "property_name": "everywhere"},
        {"column_name": "price", "property_name": "here", "source_id": 1},
        {"column_name": "mail", "property_name": "contact"},
    )
    assert refusals(case) == []
    assert {"here", "contact"} <= properties(case.resolve()).keys()


def test_conditions_and_keys_still_name_the_column() -> None:
    case = shop(
        {"column_name": "customer", "property_name": "customer_id"},
        {"column_name": "id", "property_name": "number", "table_name": "customers"},
    ).joining("Customer", "PLACED", "Order", "c.id = o.customer")
    case.labels[0] = case.labels[0].model_copy(
        update={"row_filter": "customer > 3", "key_columns": ("customer", "no")}
    )
    mapping = case.resolve()
    assert mapping.refusals == ()
    assert mapping.relationships[0].pairs == (("number", "customer_id"),)
    # The foreign key is found by the columns.
    assert mapping.relationships[0].seek == "from"
    orders = mapping.tables[0]
    assert (orders.key, orders.declared_key) == (("customer_id", "no"), ("customer", "no"))
    assert [str(condition) for condition in orders.row_filter] == ['"customer" > 3']


def test_a_name_of_a_property_is_none_of_a_column() -> None:
    case = shop({"column_name": "customer", "property_name": "customer_id"})
    case.joining("Customer", "PLACED", "Order", "c.id = o.customer_id")
    (said,) = refusals(case)
    assert "join_condition uses o.customer_id, a column that" in said


def test_a_joined_column_that_is_cast_is_compared_as_it_is_cast() -> None:
    on = "c.id = o.price"
    assert "never compare equal" in shop().joining("Customer", "PAID", "Order", on).reason()
    case = shop({"column_name": "price", "cast_type": "integer", "property_name": "payer"})
    found = case.joining("Customer", "PAID", "Order", on).relationship()
    assert found.pairs == (("id", "payer"),)


def test_tables_of_one_label_need_one_name_for_a_joined_column() -> None:
    case = Case().source("one", ORDERS, CUSTOMERS).source("two", ORDERS)
    case.label("orders", "Order").label("customers", "Customer")
    case.joining("Customer", "PLACED", "Order", "c.id = o.customer")
    with_rows(case, {"column_name": "customer", "property_name": "customer_id", "source_id": 2})
    (said,) = refusals(case)
    assert said == (
        "relationship_mappings row 1: column 'customer' becomes properties of several names, 'customer' of"
        " one/orders and 'customer_id' of two/orders; give it one name in property_mappings"
    )


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"column_name": "pric", "source_id": 1, "property_name": "x"}, "one/orders has no column 'pric'; did you mean 'price'?"),
    ({"column_name": "pric", "property_name": "x"}, "orders has no column 'pric'; did you mean 'price'?"),
    ({"column_name": "no", "table_name": "order", "property_name": "x"}, "no table that is read is called 'order'; did you mean 'orders'?"),
    ({"column_name": "no", "source_id": 7, "property_name": "x"}, "source_id 7 is no active row of source_databases"),
    ({"column_name": "no"}, "one/orders: it has neither a property_name nor a cast_type; write one of them"),
    ({"column_name": "no", "property_name": ""}, "one/orders: property_name is empty"),
    ({"column_name": "no", "property_name": "_c360_table"}, "one/orders: property_name '_c360_table' begins with _C360, which is kept for the loader's own nodes"),
    ({"column_name": "no", "property_name": "mail"}, "one/orders: property_name 'mail' is the name of the property of column 'mail', too; write another one"),
    ({"column_name": "price", "cast_type": "int"}, "one/orders: cast_type 'int' is none of integer, float, string, boolean, date, datetime, localdatetime"),
    ({"column_name": "tags", "cast_type": "string"}, "one/orders: column 'tags': text[] is an array, and no array is cast; map a view that casts it"),
    ({"column_name": "paid", "cast_type": "date"}, "one/orders: column 'paid': bool cannot be cast to date: only text can; map a view that casts it"),
    ({"column_name": "no", "cast_type": "float"}, "one/orders: column 'no' is of the key, and two keys may become one by a cast to float; only string is possible, or a view that casts it and key_columns"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "said"), REFUSED)
def test_a_row_that_cannot_be_applied_is_refused_and_the_column_is_read_as_it_is(
    row: dict[str, Any], said: str
) -> None:
    case = shop(row)
    assert case.resolve().refusals == (
        Refusal(control_table="property_mappings", row_id=1, reason=said),
    )
    assert properties(case.resolve()) == properties(shop().resolve())


@pytest.mark.parametrize(
    ("treatment", "row", "said"),
    [
        ("exclude", {"property_name": "x"}, "is excluded by field_exclusion_rules row 1"),
        ("hash", {"cast_type": "integer"}, "has the treatment hash, which makes a text"),
        ("mask", {"cast_type": "integer"}, "has the treatment mask, which makes a text"),
    ],
)
def test_a_rule_goes_before_a_row(treatment: str, row: dict[str, Any], said: str) -> None:
    case = shop({"column_name": "mail", **row}).excluding("orders", "mail", treatment=treatment)
    assert said in case.reason()
    treated = shop({"column_name": "mail", "property_name": "contact"})
    treated.excluding("orders", "mail", treatment="hash")
    assert treated.resolve().refusals == ()
    prop = treated.resolve().tables[0].property_of("contact")
    assert prop is not None
    assert prop.treatment == "hash"


def test_no_property_has_the_name_of_a_column_that_is_never_read() -> None:
    case = shop({"column_name": "price", "property_name": "mail"}).excluding("orders", "mail")
    assert "property_name 'mail' is the name of the property of column 'mail'" in case.reason()


def test_of_two_rows_about_a_column_or_with_one_name_the_later_is_refused() -> None:
    assert refusals(
        shop(
            {"column_name": "mail", "property_name": "one"},
            {"column_name": "mail", "property_name": "two"},
        )
    ) == [
        "property_mappings row 2: one/orders: row 1 is about the same column; deactivate one of the two"
    ]
    assert refusals(
        shop(
            {"column_name": "price", "property_name": "same"},
            {"column_name": "mail", "property_name": "same"},
        )
    ) == [
        "property_mappings row 2: one/orders: property_name 'same' is the name of the property of column"
        " 'price', too; write another one"
    ]


def test_a_row_about_a_source_that_could_not_be_queried_is_not_refused() -> None:
    case = Case().source("one", asked=False).label("orders", "Order", source_id=1)
    with_rows(case, {"column_name": "nobody knows", "property_name": "x"})
    assert case.resolve().refusals == ()


def test_rules_of_other_control_tables_name_the_column() -> None:
    case = shop({"column_name": "mail", "property_name": "contact", "table_name": "customers"})
    case.more["identity_rules"] = (
        IdentityRuleRow(
            rule_id=1,
            entity_label="Someone",
            table_name="customers",
            identifier_kind="email",
            column_name="mail",
            normaliser="email",
        ),
    )
    case.more["quality"] = (
        QualityRow(rule_id=1, table_name="customers", column_name="mail", kind="not_null"),
    )
    mapping = case.resolve()
    assert mapping.refusals == ()
    ((record,),) = (identity.records for identity in mapping.identities)
    assert [i.column for i in record.identifiers] == ["_c360_join_unicode_email__contact"]
    assert [rule.columns for rule in mapping.quality] == [("contact",)]
    prop = next(t for t in mapping.tables if t.table_name == "customers").properties[-1]
    assert (prop.column, prop.origin) == ("_c360_join_unicode_email__contact", "mail")


NAMES = st.sampled_from([column.name for column in ORDERS.columns])


@given(st.lists(st.tuples(NAMES, NAMES | st.sampled_from(["x", "y", "Mail"])), max_size=8))
def test_whatever_rows_say_no_two_columns_become_one_property(
    renamed: list[tuple[str, str]],
) -> None:
    rows = [{"column_name": column, "property_name": name} for column, name in renamed]
    found = shop(*rows).excluding("orders", "mail").resolve().tables[0]
    names = [prop.column for prop in found.properties]
    assert len({*names, "mail"}) == len(names) + 1
    assert [p.origin for p in found.properties] == [
        column.name for column in ORDERS.columns if column.name != "mail"
    ]
