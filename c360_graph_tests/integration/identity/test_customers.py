"""One customer for each person, from a CRM and a shop that write e-mail addresses differently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from c360_graph.control.connection import ControlDatabase
from c360_graph.pipeline.cleaning import clean_data_folder
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.reconcile.reconciled import NOTHING, changes, contents, reconcile
from c360_graph_tests.integration.runs import c360, load_graph
from c360_graph_tests.integration.schemas.world import World, built_from

CRM = """
CREATE TABLE people (person_id int PRIMARY KEY, name text, email text, phone text);
INSERT INTO people VALUES
    (1, 'Ann', '  ANN@EXAMPLE.COM', NULL), (2, 'Bob', 'bob@example.com', NULL), (3, 'Cy', NULL, NULL),
    (4, 'Dee', 'dee@example.com', NULL), (5, 'Eve', 'eve@work.example', NULL);
"""
SHOP = """
CREATE TABLE accounts (region text, no int, mail text, PRIMARY KEY (region, no));
INSERT INTO accounts VALUES
    ('eu', 1, 'ann@example.com'), ('us', 1, 'Bob@Example.com '), ('us', 2, ''),
    (E'e\\tu', 3, 'DEE@example.com'), ('eu', 4, 'eve@home.example');
"""
CONTROL = """
INSERT INTO source_databases (source_id, source_name, db_name) VALUES (1, 'crm', 'crm'), (2, 'shop', 'shop');
INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES
    (1, 'people', 'Person'), (2, 'accounts', 'Account');
INSERT INTO identity_rules (entity_label, source_id, table_name, identifier_kind, column_name, normaliser) VALUES
    ('Customer', 1, 'people', 'email', 'email', 'email'), ('Customer', 2, 'accounts', 'email', 'mail', 'email');
"""
PAIRS = """
MATCH (c:Customer) OPTIONAL MATCH (c)-[:IS]->(r)
WITH c, r ORDER BY r.name, r.mail
RETURN c.customer_id, c.records, collect(coalesce(r.name, r.mail)) ORDER BY c.customer_id
"""


@pytest.fixture
def world(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("identity")
    with built_from({"crm": CRM, "shop": SHOP, "control": CONTROL}, servers, folder) as made:
        yield made


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The metadata of the customers."""
    (event,) = [
        e
        for e in result.asset_materializations_for_node("customer_identity__entities")
        if e.asset_key == dg.AssetKey(["customer_identity", "customer"])
    ]
    return {name: value.value for name, value in event.metadata.items()}


def failed_checks(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    return {
        check.check_name: str(check.description)
        for check in result.get_asset_check_evaluations()
        if not check.passed
    }


CUSTOMERS = [
    (1, 2, ["Ann", "ann@example.com"]),
    (2, 2, ["Bob", "Bob@Example.com "]),
    (3, 1, ["Cy"]),
    (4, 2, ["Dee", "DEE@example.com"]),
    (5, 1, ["Eve"]),
    (6, 1, ["eve@home.example"]),
    (7, 1, [""]),
]


def test_records_with_one_email_are_of_one_customer_however_it_is_written(world: World) -> None:
    assert world.cypher(PAIRS) == CUSTOMERS
    assert world.counts() == ({"Person": 5, "Account": 5, "Customer": 7}, {"IS": 10})
    assert world.cypher(
        "MATCH (:Customer {customer_id: 4})-[:IS]->(a:Account) RETURN a.region"
    ) == [("e\tu",)]


def test_an_update_of_the_graph_gives_what_a_clear_load_gives(world: World) -> None:
    made = contents(world.graph)
    assert changes(reconcile()) == NOTHING
    world.cypher("MATCH (n) DETACH DELETE n")
    planned = c360("plan", "--reconcile")
    assert "by the script, as the graph is empty" in planned.stdout, planned.stdout
    result = reconcile()
    assert changes(result) == NOTHING | {"nodes_created": 17, "relationships_created": 10}
    (event,) = result.asset_materializations_for_node("neo4j_graph")
    assert str(event.metadata["script_name"].value).startswith("graph_output_")
    assert contents(world.graph) == made
    assert changes(reconcile()) == NOTHING


def test_one_new_shared_email_makes_one_customer_of_two_and_keeps_the_older_id(
    world: World,
) -> None:
    world.execute_in("shop", "UPDATE accounts SET mail = 'EVE@work.example' WHERE no = 4")
    result = reconcile()
    assert world.cypher(PAIRS) == [
        *CUSTOMERS[:4],
        (5, 2, ["Eve", "EVE@work.example"]),
        CUSTOMERS[6],
    ]
    facts = told(result)
    assert (facts["entities_merged"], facts["merged"]) == (1, [{"id": 6, "into": 5}])
    assert changes(result) == NOTHING | {
        "nodes_updated": 2,
        "nodes_deleted": 1,
        "relationships_created": 1,
        "relationships_deleted": 1,
    }
    again = reconcile()
    assert changes(again) == NOTHING
    assert told(again)["entities_merged"] == 0
    assert failed_checks(again) == {}


def test_a_split_keeps_the_id_with_one_part_and_is_reported(world: World) -> None:
    world.execute_in("shop", "UPDATE accounts SET mail = 'else@example.com' WHERE no = 3")
    result = reconcile()
    assert world.cypher(PAIRS)[3:] == [
        (4, 1, ["Dee"]),
        *CUSTOMERS[4:],
        (8, 1, ["else@example.com"]),
    ]
    assert told(result)["split"] == [{"id": 4, "parts": [4, 8]}]
    assert failed_checks(result) == {
        "no_entity_was_split": "the records of Customer 4 are of 4, 8 now"
    }
    assert changes(reconcile()) == NOTHING


def test_what_a_person_decided_wins_over_identifiers_and_stays(world: World) -> None:
    world.control(
        "INSERT INTO identity_decisions (entity_label, left_source, left_table, left_key, right_source,"
        " right_table, right_key, verdict) VALUES"
        " ('Customer', 'crm', 'people', '1', 'shop', 'accounts', '[\"eu\", \"1\"]', 'different'),"
        " ('Customer', 'crm', 'people', '4', 'shop', 'accounts', '[\"e\\tu\", \"3\"]', 'same'),"
        " ('Customer', 'crm', 'people', '5', 'shop', 'accounts', '[\"eu\", \"4\"]', 'same'),"
        " ('Customer', 'crm', 'people', '5', 'shop', 'accounts', '4', 'same')"
    )
    result = reconcile()
    assert world.cypher(PAIRS) == [
        (1, 1, ["Ann"]),
        *CUSTOMERS[1:4],
        (5, 2, ["Eve", "eve@home.example"]),
        CUSTOMERS[6],
        (8, 1, ["ann@example.com"]),
    ]
    assert told(result)["decisions"] == 3
    assert failed_checks(result)["decisions_are_applied"].split("\n\n") == [
        "identity_decisions row 4: the key of shop/accounts has the columns region, no; write their values"
        ' as a JSON array of texts, such as ["1", "x"]',
        "identity_decisions row 1: identifiers that would join its records were left out",
    ]
    assert changes(load_graph_again()) == NOTHING


def load_graph_again() -> dg.ExecuteInProcessResult:
    return load_graph(run_config={"ops": {"neo4j_graph": {"config": {"clear_database": False}}}})


def test_hashed_identifiers_are_normalised_before_they_are_hashed(world: World) -> None:
    world.control(
        "INSERT INTO field_exclusion_rules (source_id, table_name, column_name, treatment)"
        " VALUES (1, 'people', 'email', 'hash'), (2, 'accounts', 'mail', 'hash')"
    )
    assert load_graph().success
    assert [row[:2] for row in world.cypher(PAIRS)] == [row[:2] for row in CUSTOMERS]
    assert world.cypher("MATCH (p:Person) WHERE p.email CONTAINS '@' RETURN p.email") == []


def test_a_key_that_is_excluded_later_stays_in_no_file(world: World) -> None:
    folder = world.data_dir / "extracts" / "customer_identity"
    files = [*folder.rglob("rows.tsv")]
    assert any("e\\tu\t3" in file.read_text(encoding="utf-8") for file in files)
    world.control(
        "INSERT INTO field_exclusion_rules (source_id, table_name, column_name) VALUES (2, 'accounts', 'region')"
    )
    control = ControlDatabase(world.servers.credentials(world.control_db))
    # As every run does first, outside of this process.
    clean_data_folder(world.data_dir, control.read_rows())
    result = load_graph()
    # Without its key the table has no records that could be told apart.
    assert "has no key" in failed_checks(result)["control_rows_are_valid"]
    assert not any("e\\tu" in file.read_text(encoding="utf-8") for file in folder.rglob("rows.tsv"))
    assert world.counts()[1] == {"IS": 5}


def test_without_rules_the_customers_go_as_they_do_from_an_older_control_database(
    world: World,
) -> None:
    world.control("DROP TABLE identity_rules, identity_decisions")
    assert reconcile(max_removed_share=1.0).success
    assert world.counts() == ({"Person": 5, "Account": 5}, {})


def test_a_source_that_is_down_leaves_the_customers_of_the_last_load(world: World) -> None:
    before = contents(world.graph)
    world.control("UPDATE source_databases SET db_name = 'gone' WHERE source_id = 2")
    assert not reconcile().success
    assert contents(world.graph) == before
    assert world.counts()[0]["Customer"] == 7
