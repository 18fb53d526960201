"""Only the rows that a filter keeps are read, and a view has the key that its row declares."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.reconcile.reconciled import NOTHING, changes, reconcile
from c360_graph_tests.integration.schemas.world import World, built_from

RUNNER = CliRunner()
SHOP = """
CREATE TYPE state AS ENUM ('new', 'paid', 'void');
CREATE TABLE customers (id int PRIMARY KEY, "na%me'" text, deleted_at timestamptz);
CREATE TABLE orders (no int PRIMARY KEY, customer_id int REFERENCES customers, state state, total numeric(10,2), placed date);
CREATE TABLE pairs (a int, b text);
INSERT INTO customers VALUES (1, 'x%', NULL), (2, 'it''s', NULL), (3, NULL, NULL), (4, 'gone', now());
INSERT INTO orders SELECT n, 1 + n % 4, (ARRAY['new', 'paid', 'void', NULL])[1 + n % 4]::state, n - 10.5, date '2024-01-01' + n
FROM generate_series(1, 40) AS n;
INSERT INTO pairs VALUES (1, 'x'), (1, 'y'), (2, 'x'), (NULL, 'x'), (3, NULL);
CREATE VIEW lines AS SELECT a, b, a || b AS text FROM pairs;
"""
KEPT = "state IN ('new', 'paid') AND total >= -5 AND placed <> '2024-01-20' AND customer_id IS NOT NULL"
CONTROL = f"""
INSERT INTO source_databases (source_id, source_name, db_name) VALUES (1, 'shop', 'shop');
INSERT INTO node_label_mappings (source_id, table_name, node_label, row_filter, key_columns) VALUES
    (1, 'customers', 'Customer', 'Deleted_At IS NULL AND "na%me''" NOT IN (''a'', ''it''''s'')', NULL),
    (1, 'orders', 'Order', '{KEPT.replace("'", "''")}', NULL),
    (1, 'lines', 'Line', NULL, '{{b,a}}');
INSERT INTO relationship_mappings (relationship_type, from_label, to_label, join_condition) VALUES
    ('PLACED', 'Customer', 'Order', 'c.id = o.customer_id');
"""


@pytest.fixture(scope="module")
def world(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("fitting")
    with built_from({"shop": SHOP, "control": CONTROL}, servers, folder) as made:
        yield made


def wanted(world: World) -> tuple[dict[str, int], dict[str, int]]:
    customers = "deleted_at IS NULL AND \"na%me'\" NOT IN ('a', 'it''s')"
    nodes = {
        "Customer": world.number("shop", f"SELECT count(*) FROM customers WHERE {customers}"),
        "Order": world.number("shop", f"SELECT count(*) FROM orders WHERE {KEPT}"),
        "Line": world.number("shop", "SELECT count(*) FROM lines WHERE a IS NOT NULL AND b IS NOT NULL"),
    }  # fmt: skip
    placed = f"SELECT count(*) FROM customers c JOIN orders o ON c.id = o.customer_id WHERE {customers} AND {KEPT}"
    return nodes, {"PLACED": world.number("shop", placed)}


def test_the_graph_has_the_rows_that_the_filter_keeps(world: World) -> None:
    assert world.counts() == wanted(world)
    assert wanted(world)[0] == {"Customer": 1, "Order": 17, "Line": 3}
    assert world.cypher("MATCH (l:Line) RETURN l.text ORDER BY l.text") == [
        ("1x",),
        ("1y",),
        ("2x",),
    ]
    keys = world.cypher("SHOW CONSTRAINTS YIELD labelsOrTypes, properties RETURN *")
    assert (["Line"], ["b", "a"]) in [(row[0], row[1]) for row in keys]


def test_a_row_that_the_filter_no_longer_keeps_is_removed_and_one_that_it_keeps_now_is_made(
    world: World,
) -> None:
    assert changes(reconcile()) == NOTHING
    world.execute_in(
        "shop",
        "UPDATE customers SET deleted_at = now() WHERE id = 1; UPDATE customers SET deleted_at = NULL WHERE id = 4; UPDATE orders SET customer_id = 4 WHERE no = 40; UPDATE pairs SET a = 9 WHERE a IS NULL",
    )
    told = changes(reconcile(max_removed_share=1.0))
    assert (told["nodes_created"], told["nodes_deleted"]) == (2, 1)
    assert world.counts() == wanted(world)
    found = json.loads(RUNNER.invoke(app, ["plan", "--json"]).stdout)
    planned = {table["table"]: table for table in found["tables"]}
    assert planned["customers"]["row_filter"][0] == '"deleted_at" IS NULL'
    assert (planned["customers"]["rows"], planned["customers"]["rows_basis"]) == (1, "count")
    (placed,) = found["relationships"]
    assert placed["sample"]["sampled"] == wanted(world)[0]["Order"]
    assert placed["sample"]["matched"] == wanted(world)[1]["PLACED"]


def test_a_filter_that_fits_no_column_refuses_the_row_and_one_of_the_wrong_kind_fails_the_check(
    world: World,
) -> None:
    world.control(
        "UPDATE node_label_mappings SET row_filter = 'nowhere = 1' WHERE table_name = 'lines'"
    )
    said = RUNNER.invoke(app, ["check", "--json"]).stdout
    assert "row_filter names 'nowhere', a column that is not read" in said
    world.control(
        "UPDATE node_label_mappings SET row_filter = NULL, key_columns = '{a,c}' WHERE table_name = 'lines'"
    )
    assert (
        "key_columns names 'c', a column that is not read"
        in RUNNER.invoke(app, ["check", "--json"]).stdout
    )
    world.control("UPDATE node_label_mappings SET key_columns = '{a,b}' WHERE table_name = 'lines'")
    world.control(
        "UPDATE node_label_mappings SET row_filter = 'total = ''dear''' WHERE table_name = 'orders'"
    )
    checked = RUNNER.invoke(app, ["check", "--json"])
    assert "shop/orders cannot be read" in checked.stdout
    world.control("UPDATE node_label_mappings SET row_filter = NULL WHERE table_name = 'orders'")
