"""The mapping as an import specification."""

from __future__ import annotations

import json

import pytest

from c360_graph.errors import ExchangeError
from c360_graph.exchange.export_model import exported_model
from c360_graph.mapping.control_rows import IdentityRuleRow, PropertyRow
from c360_graph_tests.unit.exchange.given import exported_text, sample
from c360_graph_tests.unit.mapping.given import Case, table

PEOPLE = table("people", "id int; born text?; email text; password text", key="id")
ORDERS = table("orders", "no int; person int?; state text?", key="no", referring=("person",))

DOCUMENT = {
    "version": "1",
    "sources": [
        {
            "type": "jdbc",
            "name": "shop/people",
            "data_source": "shop",
            "sql": 'SELECT "id", "born", "email" FROM "public"."people"',
        },
        {
            "type": "jdbc",
            "name": "shop/orders",
            "data_source": "shop",
            "sql": 'SELECT "no", "person", "state" FROM "public"."orders"',
        },
    ],
    "targets": {
        "nodes": [
            {
                "name": "Person (shop/people)",
                "source": "shop/people",
                "write_mode": "merge",
                "properties": [
                    {
                        "source_field": "id",
                        "target_property": "id",
                        "target_property_type": "INTEGER",
                    },
                    {
                        "source_field": "born",
                        "target_property": "birthday",
                        "target_property_type": "DATE",
                    },
                    {
                        "source_field": "email",
                        "target_property": "email",
                        "target_property_type": "STRING",
                    },
                ],
                "labels": ["Person"],
                "schema": {
                    "key_constraints": [
                        {
                            "name": "Person (shop/people) key",
                            "label": "Person",
                            "properties": ["id"],
                        }
                    ]
                },
            },
            {
                "name": "Order (shop/orders)",
                "source": "shop/orders",
                "write_mode": "merge",
                "properties": [
                    {
                        "source_field": "no",
                        "target_property": "no",
                        "target_property_type": "INTEGER",
                    },
                    {
                        "source_field": "person",
                        "target_property": "person",
                        "target_property_type": "INTEGER",
                    },
                    {
                        "source_field": "state",
                        "target_property": "state",
                        "target_property_type": "STRING",
                    },
                ],
                "labels": ["Order"],
                "schema": {
                    "key_constraints": [
                        {
                            "name": "Order (shop/orders) key",
                            "label": "Order",
                            "properties": ["no"],
                        }
                    ]
                },
            },
        ],
        "relationships": [
            {
                "name": "Person PLACED Order",
                "source": "shop/orders",
                "write_mode": "merge",
                "properties": [
                    {
                        "source_field": "state",
                        "target_property": "state",
                        "target_property_type": "STRING",
                    }
                ],
                "type": "PLACED",
                "node_match_mode": "match",
                "start_node_reference": {
                    "name": "Person (shop/people)",
                    "key_mappings": [{"source_field": "person", "node_property": "id"}],
                },
                "end_node_reference": {
                    "name": "Order (shop/orders)",
                    "key_mappings": [{"source_field": "no", "node_property": "no"}],
                },
            }
        ],
    },
}


def shop() -> Case:
    case = Case().source("shop", PEOPLE, ORDERS).label("people", "Person").label("orders", "Order")
    case.more["properties"] = (
        PropertyRow(
            mapping_id=1,
            table_name="people",
            column_name="born",
            property_name="birthday",
            cast_type="date",
        ),
    )
    return case.excluding("people", "password").joining(
        "Person", "PLACED", "Order", "p.id = o.person", relationship_properties=("state",)
    )


def test_a_mapping_is_written_as_a_whole() -> None:
    assert json.loads(exported_text(shop())) == DOCUMENT
    assert exported_model(shop().resolve()).warnings == ()


def test_a_lookup_by_other_columns_than_the_key_has_a_unique_constraint() -> None:
    nodes = json.loads(exported_text(sample()))["targets"]["nodes"]
    (schema,) = (node["schema"] for node in nodes if node["labels"] == ["Account"])
    assert [c["properties"] for c in schema["key_constraints"]] == [["account_id"]]
    assert [c["properties"] for c in schema["unique_constraints"]] == [["email"]]


@pytest.mark.parametrize("treatment", ["exclude", "hash", "mask"])
def test_columns_that_are_not_read_as_they_are_are_in_no_part_of_a_document(treatment: str) -> None:
    case = sample().excluding("ticket_tag_link", "note", treatment=treatment)
    case.catalogs[3] = case.catalogs[3].model_copy(
        update={
            "tables": tuple(
                table("ticket_tag_link", "ticket_id varchar; tag_id int; note text")
                if one.table_name == "ticket_tag_link"
                else one
                for one in case.catalogs[3].tables
            )
        }
    )
    case.excluding("accounts", "full_name", treatment=treatment)
    text = exported_text(case)
    assert "TAGGED_WITH" in text
    assert not any(name in text for name in ("hashed_password", "full_name", "note"))


def test_an_excluded_column_is_not_named_in_a_warning() -> None:
    assert not any("password" in text for text in exported_model(shop().resolve()).warnings)


def test_what_a_document_cannot_say_is_named_with_its_row() -> None:
    case = shop()
    case.excluding("people", "email", treatment="hash")
    case.labels[1] = case.labels[1].model_copy(
        update={
            "row_filter": "state = 'paid'",
            "label_column": "state",
            "label_values": ("Paid",),
        }
    )
    case.joining(
        "Order", "NEAR", "Order", "lower(a.state) = lower(b.state)", from_alias="a", to_alias="b"
    )
    case.joining("Order", "LIKE", "Order", "a.state = b.state", from_alias="a", to_alias="b")
    case.more["identity_rules"] = (
        IdentityRuleRow(
            rule_id=1,
            entity_label="Customer",
            table_name="people",
            identifier_kind="no",
            column_name="id",
        ),
    )
    model = exported_model(case.resolve())
    assert [target.type for target in model.specification.targets.relationships] == ["PLACED"]
    assert "WHERE \"state\" = 'paid'" in (model.specification.sources[1].sql or "")
    assert model.warnings == (
        "shop/people: columns that are hashed or masked are left out (email)",
        "node_label_mappings row 2: the row_filter is in the SQL of shop/orders, from which import-model"
        " does not read it",
        "node_label_mappings row 2: labels by the value of state are left out",
        "relationship_mappings row 2 (Order)-[:NEAR]->(Order) is left out: its join_condition has"
        " functions",
        "relationship_mappings row 3 (Order)-[:LIKE]->(Order) is left out: it looks up state of"
        " shop/orders, which are no key and not unique",
        "identity_rules: Customer, which they make, is left out",
    )


def test_a_mapping_without_anything_to_export_is_an_error() -> None:
    with pytest.raises(ExchangeError, match="Nothing can be exported"):
        exported_model(Case().source("shop", PEOPLE).resolve())


def test_a_table_without_a_key_has_no_relationships_of_its_own_rows() -> None:
    case = Case().source("shop", PEOPLE, table("visits", "person int; day date"))
    case.label("people", "Person").label("visits", "Visit")
    model = exported_model(case.joining("Person", "CAME", "Visit", "p.id = v.person").resolve())
    assert model.specification.targets.relationships == ()
    (warning,) = model.warnings
    assert (
        "relationship_mappings row 1 (Person)-[:CAME]->(Visit) is left out: shop/visits" in warning
    )


def test_each_table_of_a_shared_label_has_targets_of_its_own() -> None:
    case = Case().source("one", PEOPLE, ORDERS).source("two", PEOPLE, ORDERS)
    case.label("people", "Person").label("orders", "Order")
    case.joining("Person", "PLACED", "Order", "p.id = o.person")
    model = exported_model(case.resolve())
    targets = model.specification.targets
    assert len(targets.nodes) == 4
    assert len({target.name for target in targets.relationships}) == 4
    assert [w for w in model.warnings if "several tables have the label Person" in w]
