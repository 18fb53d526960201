"""Properties of other names and types, further labels, properties of relationships: equal after a load, an update and following."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph_tests.conftest import TestServers, empty
from c360_graph_tests.integration.following.followed import await_quiet, drop_slots, following
from c360_graph_tests.integration.reconcile.reconciled import NOTHING, changes, contents, reconcile
from c360_graph_tests.integration.schemas.world import World, built_from

RUNNER = CliRunner()
SHOP = """
CREATE TABLE people (id int PRIMARY KEY, mail text, born text, tier text);
CREATE TABLE orders (no int PRIMARY KEY, person text, price text, "secret %'" text, state text, placed date);
CREATE TABLE notes (person int REFERENCES people, "order" int REFERENCES orders, stars text, PRIMARY KEY (person, "order"));
INSERT INTO people VALUES (1, 'Ada@x', '1990-02-28', 'gold'), (2, 'bob@x', '1990-02-30', 'silver'), (3, NULL, NULL, 'lead');
INSERT INTO orders SELECT n, CASE n WHEN 9 THEN 'nobody' ELSE (1 + n % 3)::text END, CASE n WHEN 4 THEN 'free' ELSE n || '.50' END, 's', 'new', '2024-01-01'
FROM generate_series(1, 9) AS n;
INSERT INTO notes SELECT 1 + n % 3, n, n::text FROM generate_series(1, 9) AS n;
"""
CONTROL = """
INSERT INTO source_databases (source_id, source_name, db_name) VALUES (1, 'shop', 'shop');
INSERT INTO node_label_mappings (mapping_id, source_id, table_name, node_label, extra_labels, label_column, label_values) VALUES
    (1, 1, 'people', 'Person', '{Party,"Odd `label"}', 'tier', '{gold,silver,"it''s"}'), (2, 1, 'orders', 'Order', NULL, NULL, NULL);
INSERT INTO field_exclusion_rules (rule_id, source_id, table_name, column_name) VALUES (1, 1, 'orders', 'secret %''');
INSERT INTO property_mappings (mapping_id, source_id, table_name, column_name, property_name, cast_type) VALUES
    (1, 1, 'people', 'id', 'person `id', NULL), (2, NULL, 'people', 'mail', 'e-mail', NULL), (3, 1, 'people', 'born', NULL, 'date'),
    (4, 1, 'orders', 'person', 'buyer', 'integer'), (5, 1, 'orders', 'price', 'amount', 'float'), (6, 1, 'orders', 'no', 'number', NULL),
    (7, 1, 'notes', 'stars', 'rating', 'integer'), (8, 1, 'notes', 'order', 'of', NULL);
INSERT INTO relationship_mappings (relationship_id, source_db, relationship_type, from_label, to_label, join_condition, junction_table, relationship_properties) VALUES
    (1, 'shop', 'PLACED', 'Person', 'Order', 'p.id = o.person', NULL, '{price,state,placed}'),
    (2, 'shop', 'RATED', 'Person', 'Order', 'p.id = n.person AND n."order" = o.no', 'notes', NULL),
    (3, 'shop', 'CALLED', 'Person', 'Order', 'lower(p.mail) = lower(o.state)', NULL, '{state}'),
    (4, 'shop', 'CALLED', 'Person', 'Order', 'p.id = o.person', NULL, '{price}');
"""


@pytest.fixture(scope="module")
def world(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("fitting")
    with built_from({"shop": SHOP, "control": CONTROL}, servers, folder) as made:
        try:
            yield made
        finally:
            empty(made.graph)
            drop_slots(servers.postgres, made.prefix)


def test_the_graph_has_the_properties_that_the_rows_say(world: World) -> None:
    orders = world.cypher(
        "MATCH (o:Order) RETURN o.number, o.buyer, o.amount, keys(o) ORDER BY o.number"
    )
    compared = "_c360_join_lower__state"
    assert orders[0][:3] == (1, 2, 1.5)
    assert {*orders[0][3]} == {"number", "buyer", "amount", "state", "placed", compared}
    assert orders[3][:3] == (4, 2, None)
    assert orders[8][:3] == (9, None, 9.5)
    people = world.cypher(
        "MATCH (p:Person) RETURN p.`person ``id`, p.`e-mail`, toString(p.born) ORDER BY p.`person ``id`"
    )
    assert people == [(1, "Ada@x", "1990-02-28"), (2, "bob@x", None), (3, None, None)]
    placed = "MATCH (p:Person)-[r:PLACED]->(o:Order) RETURN count(*), sum(o.number), sum(r.amount), count(r.state)"
    assert world.cypher(placed) == [(8, 36, 35.5, 8)]
    rated = "MATCH (p:Person)-[r:RATED]->(o:Order) RETURN count(*), sum(r.rating), sum(o.number)"
    assert world.cypher(rated) == [(9, 45, 45)]
    found = world.cypher("SHOW CONSTRAINTS YIELD labelsOrTypes, properties RETURN *")
    keys = [(row[0], row[1]) for row in found]
    assert (["Person"], ["person `id"]) in keys
    assert (["Order"], ["number"]) in keys


LABELS = "MATCH (p:Person) RETURN p.`person ``id` AS id, [l IN labels(p) WHERE l <> 'Person' | l] ORDER BY id"


def labels(world: World) -> dict[int, set[str]]:
    return {number: {*found} - {"Party", "Odd `label"} for number, found in world.cypher(LABELS)}


def test_nodes_have_further_labels_and_are_counted_by_the_main_one(world: World) -> None:
    assert labels(world) == {1: {"gold"}, 2: {"silver"}, 3: set()}
    nodes, _ = world.counts()
    assert (nodes["Person"], nodes["Party"], nodes["Odd `label"]) == (3, 3, 3)
    plan = json.loads(RUNNER.invoke(app, ["plan", "--json"]).stdout)
    assert (plan["destroyed"], [label["label"] for label in plan["labels"]]) == (
        [],
        ["Person", "Order"],
    )
    planned = {table["table"]: table for table in plan["tables"]}
    assert (
        planned["people"]["extra_labels"]
        == "Party and Odd `label and gold or silver or it's by tier"
    )


def test_values_that_cannot_be_cast_are_counted_and_said(world: World) -> None:
    said = world.sql(
        "control",
        "SELECT table_name, error_message FROM etl_table_logs WHERE error_message IS NOT NULL",
    )
    assert sorted(said) == [
        (
            "orders",
            "1 value of person cannot be cast to integer (property_mappings row 4); 1 value of price cannot be"
            " cast to float (property_mappings row 5): absent from the graph. Correct them in the source, or the"
            " row.",
        ),
        (
            "people",
            "1 value of born cannot be cast to date (property_mappings row 3): absent from the graph. Correct"
            " them in the source, or the row.",
        ),
    ]
    plan = json.loads(RUNNER.invoke(app, ["plan", "--json"]).stdout)
    planned = {table["table"]: table for table in plan["tables"]}
    assert planned["orders"]["mapped_properties"] == [
        "no -> number",
        "person -> buyer text -> bigint",
        "price -> amount text -> double precision",
    ]
    placed = next(r for r in plan["relationships"] if r["type"] == "PLACED")
    assert (placed["sample"]["sampled"], placed["sample"]["matched"]) == (8, 8)
    assert placed["properties"] == ["amount", "state", "placed"]


CHANGES = """
UPDATE people SET mail = 'EVE@x', born = '2000-01-01' WHERE id = 2; UPDATE people SET tier = 'it''s' WHERE id = 3;
UPDATE people SET tier = NULL WHERE id = 1;
UPDATE orders SET person = '3', price = 'x', state = 'eve@X' WHERE no = 1; UPDATE orders SET price = '4' WHERE no = 4;
UPDATE orders SET person = '1' WHERE no = 9; DELETE FROM notes WHERE "order" IN (1, 2); UPDATE notes SET stars = 'many' WHERE "order" = 3;
INSERT INTO people VALUES (10, 'new@x', 'x', 'silver'); INSERT INTO orders VALUES (10, '10', '1', 's', 'new', NULL);
"""


def test_an_update_and_following_give_what_a_load_gives(world: World) -> None:
    compared = changes(reconcile(full_comparison=True))
    # Those of a junction table and of several mappings are made anew.
    assert compared == NOTHING | {"relationships_created": 17, "relationships_deleted": 17}
    world.execute_in("shop", CHANGES)
    told = changes(reconcile())
    assert (told["nodes_created"], told["nodes_updated"]) == (2, 6)
    placed = "MATCH (:Person)-[r:PLACED]->(o:Order) WHERE o.number IN [1, 4] RETURN r.amount, r.state ORDER BY o.number"
    assert world.cypher(placed) == [(None, "eve@X"), (4.0, "new")]
    assert labels(world) == {1: set(), 2: {"silver"}, 3: {"it's"}, 10: {"silver"}}
    updated = contents(world.graph)
    assert world.materialize().success
    assert contents(world.graph) == updated
    with following() as running:
        running.await_following()
        world.execute_in(
            "shop",
            "UPDATE orders SET no = 11, price = '7' WHERE no = 10; UPDATE people SET mail = 'x', tier = 'gold' WHERE id = 10;"
            "DELETE FROM orders WHERE no = 2; UPDATE orders SET person = '2' WHERE no = 9; UPDATE notes SET stars = '9' WHERE \"order\" = 3;"
            "UPDATE orders SET state = 'Ada@X' WHERE no = 5; UPDATE people SET tier = 'other' WHERE id = 1;"
            "UPDATE orders SET price = '77', state = NULL WHERE no = 6;"
            "UPDATE people SET tier = 'gold' WHERE id = 3; INSERT INTO people VALUES (12, NULL, NULL, 'it''s')",
        )
        await_quiet(world.servers.postgres, world.prefix, running)
        followed = contents(world.graph)
        assert labels(world) == {1: set(), 2: {"silver"}, 3: {"gold"}, 10: {"gold"}, 12: {"it's"}}
    assert world.materialize().success
    assert contents(world.graph) == followed


def test_what_the_rows_name_no_longer_is_taken_away_and_what_others_changed_is_mended(
    world: World,
) -> None:
    world.control(
        "UPDATE relationship_mappings SET relationship_properties = '{placed}' WHERE relationship_id = 1"
    )
    world.control(
        "UPDATE node_label_mappings SET extra_labels = '{Other}', label_values = '{gold}' WHERE mapping_id = 1"
    )
    # The type CALLED is that of the refused row alone: it stays, without what must not be read.
    world.control("DELETE FROM relationship_mappings WHERE relationship_id = 4")
    world.control(
        "INSERT INTO field_exclusion_rules (rule_id, source_id, table_name, column_name) VALUES (30, 1, 'orders', 'state')"
    )
    called = "MATCH ()-[r:CALLED]->() RETURN count(r) > 0, count(r.state), count(r.amount)"
    assert world.cypher(called)[0][:2] > (True, 0)
    world.cypher("MATCH ()-[r:PLACED]->(o:Order {number: 4}) SET r.placed = null RETURN r")
    world.cypher("MATCH ()-[r:PLACED]->(o:Order {number: 5}) SET r.placed = 'x' RETURN r")
    world.cypher("MATCH (p:Person {`person ``id`: 3}) SET p:`it's` REMOVE p:gold RETURN p")
    told = changes(reconcile())
    assert (told["nodes_created"], told["nodes_deleted"]) == (0, 0)
    assert world.cypher(called)[0][:2] == (True, 0)
    world.control("UPDATE relationship_mappings SET is_active = false WHERE relationship_id = 3")
    assert changes(reconcile())["nodes_updated"] == 0
    updated = contents(world.graph)
    nodes, _ = world.counts()
    assert nodes["Other"] == nodes["Person"]
    assert not {"Party", "silver", "it's"} & nodes.keys()
    assert labels(world)[3] == {"gold", "Other"}
    assert world.materialize().success
    assert contents(world.graph) == updated


def test_a_further_label_does_not_become_that_of_a_table_while_nodes_have_it(world: World) -> None:
    world.control("UPDATE node_label_mappings SET extra_labels = NULL WHERE mapping_id = 1")
    world.control("UPDATE node_label_mappings SET node_label = 'Other' WHERE mapping_id = 2")
    world.control("UPDATE relationship_mappings SET to_label = 'Other'")
    plan = json.loads(RUNNER.invoke(app, ["plan", "--reconcile", "--json"]).stdout)
    (said,) = plan["obstacles"]
    assert said.startswith(
        "Other is the label of a table now, and the graph has other nodes with it"
    )
    failed = reconcile(max_removed_share=1.0)
    assert not failed.asset_materializations_for_node("neo4j_graph")
    assert world.counts()[0]["Other"] == world.counts()[0]["Person"]


def test_mistakes_are_found_before_a_run(world: World) -> None:
    world.control(
        "INSERT INTO property_mappings (mapping_id, source_id, table_name, column_name, property_name) VALUES (20, 1, 'orders', 'secret %''', 'x')"
    )
    said = RUNNER.invoke(app, ["check", "--json"]).stdout
    assert "secret %'" in said
    assert "is excluded by field_exclusion_rules row 1" in said
    world.control("DELETE FROM property_mappings WHERE mapping_id = 20")
