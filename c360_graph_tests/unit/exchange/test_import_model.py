"""Control rows from an import specification."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_graph.errors import ExchangeError
from c360_graph.exchange.export_model import exported_model
from c360_graph.exchange.import_model import proposal_of
from c360_graph.exchange.import_spec import read_specification, written_specification
from c360_graph.mapping.control_rows import ControlRows, PropertyRow, RelationshipRow
from c360_graph.proposal.control_rows import script
from c360_graph_tests.unit.exchange.given import (
    exported_text,
    sample,
    standing,
    there_and_back,
    what_it_means,
)
from c360_graph_tests.unit.mapping.given import Case, table
from c360_graph_tests.unit.proposal.given import joins, treated

NORTHWIND = {
    "version": "1",
    "config": {"key": "value"},
    "sources": [
        {
            "name": "products",
            "type": "jdbc",
            "data_source": "northwind",
            "sql": "SELECT productname, unitprice AS price FROM products ORDER BY productname ASC",
        },
        {"name": "categories", "type": "text", "urls": ["gs://bucket/categories.csv"]},
        {
            "name": "links",
            "type": "bigquery",
            "query": "SELECT productname, categoryname FROM public.in_category WHERE weight > 0",
        },
        {"name": "joined", "type": "jdbc", "sql": "SELECT * FROM a NATURAL JOIN b"},
    ],
    "targets": {
        "nodes": [
            {
                "source": "products",
                "name": "product_nodes",
                "labels": ["Product", "Thing"],
                "properties": [
                    {"source_field": "productname", "target_property": "name"},
                    {
                        "source_field": "price",
                        "target_property": "unitPrice",
                        "target_property_type": {"name": "float"},
                    },
                ],
                "schema": {
                    "key_constraints": [
                        {"name": "product_key", "label": "Product", "properties": ["name"]}
                    ],
                    "range_indexes": [{"name": "i", "label": "Product", "properties": ["name"]}],
                },
            },
            {
                "source": "categories",
                "name": "category_nodes",
                "labels": ["Category"],
                "source_transformations": {"enable_grouping": True},
                "properties": [
                    {"source_field": "CategoryName", "target_property": "categoryname"},
                    {"source_field": "nothing", "target_property": "nothing"},
                ],
                "schema": {
                    "key_constraints": [
                        {
                            "name": "category_key",
                            "label": "Category",
                            "properties": ["categoryname"],
                        }
                    ]
                },
            },
            {
                "source": "joined",
                "name": "joined_nodes",
                "labels": ["Joined"],
                "properties": [{"source_field": "a", "target_property": "a"}],
            },
        ],
        "relationships": [
            {
                "source": "links",
                "name": "in_category",
                "type": "IN_CATEGORY",
                "node_match_mode": "merge",
                "start_node_reference": "product_nodes",
                "end_node_reference": "category_nodes",
            },
            {
                "source": "links",
                "name": "off",
                "type": "OFF",
                "active": False,
                "start_node_reference": "product_nodes",
                "end_node_reference": "category_nodes",
            },
        ],
        "queries": [{"name": "q", "source": "links", "query": "RETURN 1"}],
    },
    "actions": [{"name": "a", "type": "cypher", "stage": "start", "query": "RETURN 1"}],
}


def northwind() -> Case:
    return Case().source(
        "northwind",
        table(
            "products",
            "productid int; productname text; unitprice text; secret text",
            key="productid",
        ),
        table("categories", "categoryname text; description text", key="categoryname"),
        table("in_category", "productname text; categoryname text; weight int"),
    )


def imported(document: dict[str, Any], case: Case, **more: Any) -> Any:
    return proposal_of(read_specification(json.dumps(document)), standing=standing(case), **more)


def test_the_sample_exported_and_imported_means_the_same() -> None:
    proposal, back = there_and_back(sample())
    assert proposal.remarks == ()
    assert back.refusals == ()
    assert what_it_means(back) == what_it_means(sample().resolve())
    assert treated(proposal) == {"profiles_db/accounts.hashed_password": "exclude"}


def test_names_types_labels_and_properties_of_relationships_come_back() -> None:
    case = Case().source(
        "shop",
        table("people", "id int; born text?; mail text; secret text", key="id", unique=("mail",)),
        table("orders", "no int; person int?; state text?", key="no", referring=("person",)),
    )
    case.label("people", "Person").label("orders", "Order").excluding("people", "secret")
    case.labels[0] = case.labels[0].model_copy(
        update={"extra_labels": ("Human",), "key_columns": ("mail",)}
    )
    case.more["properties"] = (
        PropertyRow(
            mapping_id=1, table_name="people", column_name="born", property_name="birthday",
            cast_type="date",
        ),
    )  # fmt: skip
    case.joining("Person", "PLACED", "Order", "p.mail = o.state", relationship_properties=("no",))
    proposal, back = there_and_back(case)
    assert (proposal.remarks, back.refusals) == ((), ())
    assert what_it_means(back) == what_it_means(case.resolve())


def test_a_label_of_several_sources_comes_back() -> None:
    people = table("people", "id int; boss int?", key="id", referring=("boss",))
    case = Case().source("one", people).source("two", people).label("people", "Person")
    case.joining("Person", "REPORTS_TO", "Person", "a.boss = b.id", from_alias="a", to_alias="b")
    _, back = there_and_back(case)
    assert back.refusals == ()
    assert what_it_means(back) == what_it_means(case.resolve())


def test_a_document_of_another_tool_becomes_rows_and_the_rest_is_named() -> None:
    proposal = imported(NORTHWIND, northwind(), source_name="northwind")
    assert joins(proposal) == [
        "(Product)-[:IN_CATEGORY]->(Category) on p.productname = ic.productname"
        " AND ic.categoryname = c.categoryname through in_category"
    ]
    assert treated(proposal) == {
        "northwind/products.productid": "exclude",
        "northwind/products.secret": "exclude",
        "northwind/categories.description": "exclude",
        "northwind/in_category.weight": "exclude",
    }
    assert [
        (p.row.column_name, p.row.property_name, p.row.cast_type) for p in proposal.properties
    ] == [
        ("productname", "name", None),
        ("unitprice", "unitPrice", "float"),
    ]
    assert proposal.remarks == (
        "Query target q is not imported: control rows have no Cypher.",
        "The actions of the model are not imported.",
        "Node target product_nodes: range_indexes of its schema are not imported; the pipeline makes the"
        " constraints and indexes that it needs.",
        "Target category_nodes: source_transformations is not imported.",
        "Relationship target in_category: its node_match_mode is not imported; nodes are only made from"
        " rows of their own table.",
        "Source links: its SQL leaves out rows, which is not imported; write a row_filter in"
        " node_label_mappings.",
        "Source joined is not imported: its SQL is more than columns of one table; map a view with this"
        " SQL, and name it here.",
        "Node target category_nodes: property nothing is not imported: field nothing is no column of"
        " northwind/categories.",
        "Node target joined_nodes is not imported: source joined is not imported.",
        "Target off is not imported: it is not active.",
    )


def test_the_sql_of_rows_has_their_keys_labels_and_casts() -> None:
    sql = script(imported(NORTHWIND, northwind(), source_name="northwind"))
    assert "property_mappings IN SHARE ROW EXCLUSIVE MODE" in sql
    assert (
        "INSERT INTO node_label_mappings (source_id, table_name, node_label, key_columns, extra_labels,"
        " is_active)\n"
        "SELECT src.source_id, 'products', 'Product', ARRAY['productname'], ARRAY['Thing'], true\n"
    ) in sql
    assert "'unitprice', 'unitPrice',\n    'float', true\n" in sql
    assert "-- Columns that the model does not name" in sql


def test_rows_that_are_there_stay_as_they_are() -> None:
    case = sample()
    again = proposal_of(read_specification(exported_text(case)), standing=standing(case, case.rows))
    assert again.count == 0
    assert len(again.remarks) == 7
    assert all("which stays as it is" in remark for remark in again.remarks)


def test_columns_of_a_mapped_table_are_not_excluded_afterwards() -> None:
    case = sample()
    document = json.loads(exported_text(case))
    for node in document["targets"]["nodes"]:
        node["properties"] = [p for p in node["properties"] if p["source_field"] != "full_name"]
    again = proposal_of(
        read_specification(json.dumps(document)), standing=standing(case, case.rows)
    )
    assert again.exclusions == ()
    assert any("full_name" in remark for remark in again.remarks)


def test_a_row_that_validation_refuses_is_not_proposed() -> None:
    case = northwind()
    document = json.loads(json.dumps(NORTHWIND))
    document["targets"]["nodes"][0]["labels"] = ["_C360Product"]
    document["targets"]["nodes"][0]["schema"] = {
        "unique_constraints": [{"name": "u", "label": "_C360Product", "properties": ["name"]}]
    }
    proposal = imported(document, case, source_name="northwind")
    assert [p.row.node_label for p in proposal.labels] == ["Category"]
    assert any("products is not proposed" in remark for remark in proposal.remarks)


def test_tables_whose_source_is_not_known_are_an_error() -> None:
    with pytest.raises(ExchangeError, match="--source") as raised:
        imported(NORTHWIND, northwind())
    assert "northwind" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "document: Invalid JSON"),
        ("[]", "document: Input should be an object"),
        ('{"version": "1", "sources": [], "targets": {}}', "sources: Tuple should have at least 1"),
        ('{"version": "0.8.0", "dataModel": {}}', "a model of the Data Importer, another format"),
        ('{"version": "s3cret"}', "version: Input should be '1'"),
    ],
)
def test_what_is_no_document_is_an_error_without_its_content(text: str, said: str) -> None:
    with pytest.raises(ExchangeError) as raised:
        read_specification(text)
    assert said in str(raised.value)
    assert "s3cret" not in str(raised.value)


NAMES = st.text(st.sampled_from("aB/ .\"'`\\-;$_é漢%{}1\n"), min_size=1, max_size=6).filter(
    lambda name: bool(name.strip())
)


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(NAMES, min_size=6, max_size=6, unique_by=str.casefold),
)
def test_any_names_come_back(names: list[str]) -> None:
    one, other, key, reference, label, kind = names
    case = Case().source(
        f"source {one}",
        table_named(one, (key, "x")),
        table_named(other, (key, reference)),
    )
    case.label(one, label).label(other, f"{label}2")
    case.relationships.append(
        RelationshipRow(
            relationship_id=1,
            relationship_type=kind,
            from_label=label,
            to_label=f"{label}2",
            join_condition=f"a.{quoted_name(key)} = b.{quoted_name(reference)}",
            from_alias="a",
            to_alias="b",
        )
    )
    before = case.resolve()
    if not before.tables:
        return
    proposal, back = there_and_back(case)
    assert back.refusals == ()
    assert what_it_means(back) == what_it_means(before), proposal.remarks


def table_named(name: str, columns: tuple[str, str]) -> Any:
    made = table("t", "a int; b int", key="a")
    renamed = tuple(
        column.model_copy(update={"name": new})
        for column, new in zip(made.columns, columns, strict=True)
    )
    keys = {"primary_key": columns[:1], "unique_columns": (columns[:1],)}
    return made.model_copy(update={"table_name": name, "columns": renamed, **keys})


def quoted_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def test_a_written_document_is_read_as_it_was() -> None:
    document = exported_model(sample().resolve()).specification
    assert read_specification(written_specification(document)) == document


def test_nothing_is_proposed_for_sources_without_rows() -> None:
    empty = standing(Case().source("northwind"), ControlRows())
    proposal = proposal_of(
        read_specification(json.dumps(NORTHWIND)), standing=empty, source_name="northwind"
    )
    assert proposal.count == 0
    assert script(proposal) == "-- Nothing is left to propose for source northwind.\n"
