"""One customer, whole: from any record and any spelling to all records and what belongs to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.customer import neighbourhood
from c360_graph.questions import ask, read_question_set
from c360_graph.report.page import picture_of
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.schemas.world import World, built_from

CRM = """
CREATE TABLE people (person_id int PRIMARY KEY, name text, email text, phone text);
INSERT INTO people VALUES
    (1, 'Ann', 'Ann@Example.com', '+49 30 5550101'), (2, 'Ann B.', 'ann@example.com', NULL),
    (3, 'Bob', 'bob@example.com', NULL), (4, 'Cy', 'cy@example.com', '030 5550199');
"""
SHOP = """
CREATE TABLE accounts (no int PRIMARY KEY, mail text, phone text);
CREATE TABLE orders (order_no text PRIMARY KEY, account_no int, placed_on date);
CREATE TABLE lines (line_no int PRIMARY KEY, order_no text, sku text);
CREATE TABLE products (sku text PRIMARY KEY, maker text);
CREATE TABLE makers (maker text PRIMARY KEY);
INSERT INTO accounts VALUES (7, 'ann@shop.example', '030/5550101'), (8, 'BOB@example.com', NULL);
INSERT INTO orders VALUES ('O-1', 7, '2026-01-02'), ('O-2', 7, '2026-01-01'), ('O-3', 8, '2026-01-03');
INSERT INTO lines VALUES (1, 'O-1', 'own'), (2, 'O-1', 'shared'), (3, 'O-3', 'shared');
INSERT INTO products VALUES ('own', 'Acme'), ('shared', 'Best');
INSERT INTO makers VALUES ('Acme'), ('Best');
"""
CONTROL = """
INSERT INTO source_databases (source_id, source_name, db_name) VALUES (1, 'crm', 'crm'), (2, 'shop', 'shop');
INSERT INTO field_exclusion_rules (source_id, table_name, column_name, treatment)
VALUES (1, 'people', 'phone', 'hash'), (2, 'accounts', 'phone', 'hash');
INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES
    (1, 'people', 'Person'), (2, 'accounts', 'Account'), (2, 'orders', 'Order'), (2, 'lines', 'Line'),
    (2, 'products', 'Product'), (2, 'makers', 'Maker');
INSERT INTO relationship_mappings (source_db, relationship_type, from_label, to_label, join_condition) VALUES
    ('shop', 'PLACED', 'Account', 'Order', 'a.no = o.account_no'),
    ('shop', 'HAS', 'Order', 'Line', 'o.order_no = l.order_no'),
    ('shop', 'OF', 'Line', 'Product', 'l.sku = p.sku'),
    ('shop', 'BY', 'Product', 'Maker', 'p.maker = m.maker');
INSERT INTO identity_rules (entity_label, table_name, identifier_kind, column_name, normaliser) VALUES
    ('Customer', 'people', 'email', 'email', 'email'), ('Customer', 'accounts', 'email', 'mail', 'email'),
    ('Customer', 'people', 'phone', 'phone', 'phone(value, ''DE'')'),
    ('Customer', 'accounts', 'phone', 'phone', 'phone(value, ''DE'')');
"""


@pytest.fixture(scope="module")
def world(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("customer")
    with built_from({"crm": CRM, "shop": SHOP, "control": CONTROL}, servers, folder) as made:
        yield made


@pytest.mark.parametrize(
    "arguments",
    [
        (" ANN@EXAMPLE.COM ",),
        ("ann@shop.example",),
        ("030/5550101",),
        ("0049 30 5550101",),
        ("1", "--label", "Person"),
        ("7", "--label", "Account"),
        ("ANN@EXAMPLE.COM", "--label", "Customer"),
    ],
)
def test_any_record_and_any_spelling_leads_to_the_whole_customer(
    world: World, arguments: tuple[str, ...]
) -> None:
    told = customer(*arguments)
    assert told["customer"]["label"] == "Customer"
    assert told["customer"]["properties"]["records"] == 3
    assert groups(told) == {
        (0, "Customer", "IS", "Person"): [1, 2],
        (0, "Customer", "IS", "Account"): [7],
        (1, "Account", "PLACED", "Order"): ["O-1", "O-2"],
    }
    assert [(step["what"], step["item"]) for step in told["journey"]] == [
        ("Order placed on", "O-2"),
        ("Order placed on", "O-1"),
    ]


def test_further_hops_go_on_where_nothing_is_shared_with_others(
    world: World, tmp_path: Path
) -> None:
    assert [*groups(customer("030/5550101", "--hops", "1"))][-1][-1] == "Order"
    told = customer("030/5550101", "--hops", "5")
    assert {group: values for group, values in groups(told).items() if group[0] > 1} == {
        (2, "Order", "HAS", "Line"): [1, 2],
        (3, "Line", "OF", "Product"): ["own", "shared"],
        # Of the shared product nothing is told, not even its maker.
        (4, "Product", "BY", "Maker"): ["Acme"],
    }
    page = tmp_path / "ann.html"
    shown = invoke("030/5550101", "--hops", "3", "--html", str(page)).replace("\n", " ")
    assert "1, Ann" in page.read_text()
    assert "Line by HAS of Order" in page.read_text()
    assert "Order by PLACED of Account: 2" in shown
    assert "Line by HAS of Order: 2" in shown


def test_a_value_of_several_customers_is_not_that_of_one(world: World) -> None:
    result = CliRunner().invoke(app, ["customer", "2026-01-01"])
    assert result.exit_code == 1
    assert "O-1" in json.dumps(customer("O-1"))
    world.cypher("MATCH (a:Account) SET a.city = 'Berlin'")
    world.cypher("MATCH (p:Person) WHERE p.person_id > 2 SET p.name = 'Same'")
    same = CliRunner().invoke(app, ["customer", "Same"])
    assert "several nodes have it in Person.name" in same.output


def test_of_a_node_with_too_many_relationships_only_some_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbourhood, "MOST_SCANNED", 2)
    monkeypatch.setattr(neighbourhood, "MOST_NEIGHBOURS", 1)
    world.cypher(
        "MATCH (a:Account {no: 7}) UNWIND range(1, 50) AS i CREATE (a)-[:PLACED]->(:Order {order_no: 'N' + i})"
    )
    try:
        cut = {one["label"]: one for one in customer("030/5550101")["cut"]}
        assert (cut["Order"]["told"], cut["Order"]["total"], cut["Order"]["newest"]) == (
            1,
            52,
            False,
        )
        assert "only 1 are shown and counted, and 51 more are not." in invoke("030/5550101")
    finally:
        world.cypher("MATCH (o:Order) WHERE o.order_no STARTS WITH 'N' DETACH DELETE o")


def test_each_starter_question_fits_the_graph_and_has_an_answer(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "queries"
    monkeypatch.setenv("C360_QUERIES_DIR", str(folder))
    written = CliRunner().invoke(app, ["ask", "--starter", str(folder)])
    assert written.exit_code == 0, written.output
    assert {path.stem for path in folder.rglob("*.cypher")} == {
        "nodes",
        "relationships",
        "around_one_customer",
        "records_of_each_customer",
        "shared_order_account_no",
    }
    told = asked()
    assert {row["label"]: row["nodes"] for row in told["nodes"]}["Customer"] == 3
    assert len(told["relationships"]) == 6
    assert [(row["records"], row["nodes"]) for row in told["records_of_each_customer"]] == [
        (1, 1), (2, 1), (3, 1),
    ]  # fmt: skip
    assert {row["relationship"] for row in told["around_one_customer"]} == {"IS"}
    (question,) = read_question_set(folder).pictures[:1]
    drawn = picture_of(ask(world.graph, question, {}, timeout_seconds=60))
    assert drawn is not None
    assert {"Customer", "Person", "Account"} <= {node.kind for node in drawn.nodes}
    # A value that two people have in common, and a file that was changed.
    (folder / "nodes.cypher").write_text("RETURN 1 AS mine")
    world.cypher("MATCH (p:Person) WHERE p.person_id > 2 SET p.email = 'both@example.com'")
    again = CliRunner().invoke(app, ["ask", "--starter", str(folder), "--json"])
    assert json.loads(again.stdout)["written"] == ["shared_person_email.cypher"]
    assert asked()["shared_person_email"] == [{"value": "both@example.com", "nodes": 2}]
    assert asked()["nodes"] == [{"mine": 1}]


def asked() -> dict[str, list[dict[str, Any]]]:
    result = CliRunner().invoke(app, ["ask", "--json"])
    assert result.exit_code == 0, result.output
    return {answer["name"]: answer["rows"] for answer in json.loads(result.stdout)}


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["customer", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def customer(*arguments: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(invoke(*arguments, "--json"))
    return told


def groups(told: dict[str, Any]) -> dict[tuple[int, str, str, str], list[Any]]:
    return {
        (g["hop"], g["start"], g["relationship_type"], g["label"]): sorted(
            next(iter(item["thing"]["properties"].values())) for item in g["items"]
        )
        for g in told["groups"]
    }
