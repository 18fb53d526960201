"""A person is found in both databases however an address, a number or a name is written, at each way to load."""

from __future__ import annotations

import json
from collections.abc import Iterator

import dagster as dg
import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.reconcile.reconciled import NOTHING, changes, reconcile
from c360_graph_tests.integration.schemas.world import World, built_from

RUNNER = CliRunner()

CRM = """
CREATE TABLE people (id int PRIMARY KEY, email text, phone text, name text);
INSERT INTO people VALUES
    (1, '  USER1@EXAMPLE.COM', '+49 30 5550101', 'José Núñez'),
    (2, 'user2@example.com', '030/5550102', 'Weiß'),
    (3, 'User3@Example.com ', '(030) 555 0103', 'ΟΔΟΣ'),
    (4, 'É4@example.com', 'call me', 'Łódź'),
    (5, '', '', ''),
    (6, NULL, NULL, NULL),
    (7, '   ', '0000', ' '),
    (8, E'tab\\there@example.com', '+1 (202) 555-0108', E'a\\nb');
CREATE TABLE visits (no int PRIMARY KEY, mail varchar(60), note text);
INSERT INTO visits VALUES (1, 'user1@example.com', 'x'), (2, 'USER1@example.com ', 'y'), (3, 'nobody@x.y', 'z'),
    (4, '', ''), (5, NULL, NULL);
CREATE TABLE met (mail text, friend int, place text, PRIMARY KEY (mail, friend));
INSERT INTO met VALUES ('USER2@EXAMPLE.COM', 1, 'here'), (' user3@example.com', 2, 'there'), ('nobody', 1, 'nowhere');
"""
SHOP = """
CREATE TABLE customers (no int PRIMARY KEY, email varchar(60) NOT NULL UNIQUE, phone text, name text);
INSERT INTO customers VALUES
    (11, 'user1@example.com', '030 5550101', 'Jose Nunez'),
    (12, 'USER2@example.com', '0049-30-5550102', ' weiss'),
    (13, 'user3@example.com', '+49305550103', 'οδος'),
    (14, 'é4@EXAMPLE.com', 'none', 'LODZ'),
    (15, '', '', ''),
    (18, E'TAB\\tHERE@example.com', '12025550108', E'A\\nB');
"""
HOSTILE = "we`ird %s__''\\u0060lower(\"\"x"
ODD = f"""
CREATE TABLE odd (id int PRIMARY KEY, "{HOSTILE}" text);
INSERT INTO odd VALUES (1, ' Ab'), (2, 'aB '), (3, NULL);
"""
BY_ADDRESS = "lower(trim(p.email)) = lower(trim(c.email))"
BY_PHONE = "phone(p.phone, 'DE') = phone(c.phone, 'DE')"
BY_NAME = "lower(unaccent_ascii(trim(p.name))) = lower(unaccent_ascii(trim(c.name)))"
CONTROL = f"""
INSERT INTO source_databases (source_id, source_name, db_name) VALUES (1, 'crm', 'crm'), (2, 'shop', 'shop');
INSERT INTO field_exclusion_rules (source_id, table_name, column_name, treatment) VALUES
    (1, 'people', 'phone', 'hash'), (2, 'customers', 'phone', 'hash');
INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES
    (1, 'people', 'Person'), (1, 'visits', 'Visit'), (2, 'customers', 'Customer'),
    (1, 'odd', 'Odd'), (2, 'odd', 'Even');
INSERT INTO relationship_mappings (relationship_type, from_label, to_label, join_condition, junction_table, from_alias, to_alias) VALUES
    ('SAME_ADDRESS', 'Person', 'Customer', '{BY_ADDRESS}', NULL, NULL, NULL),
    ('SAME_PHONE', 'Person', 'Customer', '{BY_PHONE.replace("'", "''")}', NULL, NULL, NULL),
    ('SAME_NAME', 'Person', 'Customer', '{BY_NAME}', NULL, NULL, NULL),
    ('ODD', 'Odd', 'Even', 'lower(trim(o."{HOSTILE.replace("'", "''")}")) = lower(trim(e."{HOSTILE.replace("'", "''")}"))', NULL, 'o', 'e'),
    ('CAME', 'Person', 'Visit', 'email(p.email) = email(v.mail)', NULL, NULL, NULL),
    ('MET', 'Person', 'Person', 'email(a.email) = email(m.mail) AND m.friend = b.id', 'met', 'a', 'b');
"""


@pytest.fixture(scope="module")
def world(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("normalised")
    with built_from(
        {"crm": CRM + ODD, "shop": SHOP + ODD, "control": CONTROL}, servers, folder
    ) as made:
        yield made


def pairs(world: World, kind: str) -> list[tuple[int, int]]:
    found = world.cypher(f"MATCH (p:Person)-[:{kind}]->(c) RETURN p.id, coalesce(c.no, c.id)")
    return sorted((int(a), int(b)) for a, b in found)


def passed(result: dg.ExecuteInProcessResult) -> None:
    checks = {c.check_name: c for c in result.get_asset_check_evaluations()}
    counts = checks["relationship_counts_match"]
    assert (counts.passed, counts.description) == (True, "No problem was found.")


ADDRESSES = [(1, 11), (2, 12), (3, 13), (4, 14), (5, 15), (7, 15), (8, 18)]
PHONES = [(1, 11), (2, 12), (3, 13)]
NAMES = [(1, 11), (2, 12), (4, 14), (5, 15), (7, 15), (8, 18)]


def test_each_person_is_found_however_the_value_is_written(world: World) -> None:
    assert pairs(world, "SAME_ADDRESS") == ADDRESSES
    assert pairs(world, "SAME_PHONE") == PHONES
    assert pairs(world, "SAME_NAME") == NAMES
    assert world.counts()[1]["ODD"] == 4
    assert pairs(world, "CAME") == [(1, 1), (1, 2)]
    assert pairs(world, "MET") == [(2, 1), (3, 2)]
    assert world.cypher("MATCH ()-[m:MET]->() RETURN m.mail, m.place ORDER BY m.place") == [
        ("USER2@EXAMPLE.COM", "here"),
        (" user3@example.com", "there"),
    ]


def test_what_is_joined_by_is_a_property_named_for_it_and_indexed(world: World) -> None:
    ((address, phone, name, own),) = world.cypher(
        "MATCH (p:Person {id: 4}) RETURN p._c360_join_unicode_lower_trim__email, p._c360_join_phone_DE__phone,"
        " p._c360_join_lower_unaccent_ascii_trim__name, p._c360_join_email__email"
    )
    assert (address, phone, name, own) == ("é4@example.com", None, "lodz", "É4@example.com".lower())
    ((hashed,),) = world.cypher("MATCH (p:Person {id: 1}) RETURN p._c360_join_phone_DE__phone")
    assert len(hashed) == 64
    indexed = {
        tuple(row[0])
        for row in world.cypher("SHOW INDEXES YIELD properties RETURN properties")
        if row[0]
    }
    assert {("_c360_join_unicode_lower_trim__email",), ("_c360_join_email__email",)} <= indexed


def test_a_load_of_what_changed_finds_what_is_written_otherwise_since(world: World) -> None:
    before = changes(reconcile(max_removed_share=1.0))
    assert before == NOTHING
    world.execute_in("shop", "UPDATE customers SET email = ' User1@Example.com' WHERE no = 11")
    result = reconcile(max_removed_share=1.0)
    passed(result)
    told = changes(result)
    assert (
        told["nodes_updated"],
        told["relationships_created"],
        told["relationships_deleted"],
    ) == (1, 0, 0)
    world.execute_in(
        "shop",
        "UPDATE customers SET phone = '+1 202 555 0108' WHERE no = 18;"
        " UPDATE customers SET email = 'gone@x.y' WHERE no = 12; DELETE FROM customers WHERE no = 14;"
        " INSERT INTO customers VALUES (19, 'USER3@EXAMPLE.COM ', '030-555 01 03', 'ŁÓDŹ')",
    )
    result = reconcile(max_removed_share=1.0)
    passed(result)
    assert pairs(world, "SAME_ADDRESS") == [(1, 11), (3, 13), (3, 19), (5, 15), (7, 15), (8, 18)]
    assert pairs(world, "SAME_PHONE") == [*PHONES, (3, 19), (8, 18)]
    assert pairs(world, "SAME_NAME") == [(1, 11), (2, 12), (4, 19), (5, 15), (7, 15), (8, 18)]
    assert changes(reconcile()) == NOTHING
    passed(world.materialize())
    assert pairs(world, "SAME_PHONE") == [*PHONES, (3, 19), (8, 18)]


def test_plan_and_metadata_say_what_is_compared_and_what_came_to_nothing(world: World) -> None:
    found = json.loads(RUNNER.invoke(app, ["plan", "--json"]).stdout)
    planned = {row["type"]: row for row in found["relationships"]}
    assert planned["SAME_ADDRESS"]["compared"] == ["lower(trim(email)) = lower(trim(email))"]
    assert planned["MET"]["compared"] == ["email(email) = email(mail)"]
    assert {kind: row["sample"]["problem"] for kind, row in planned.items()} == dict.fromkeys(
        planned
    )
    assert planned["SAME_PHONE"]["sample"]["matched"] == 5
    result = world.materialize()
    people = absent(result, "crm__people")
    assert (people["_c360_join_phone_DE__phone"], people["_c360_join_email__email"]) == (3, 2)


def absent(result: dg.ExecuteInProcessResult, node: str) -> dict[str, int]:
    (event,) = result.asset_materializations_for_node(node)
    assert isinstance(event, dg.AssetMaterialization)
    found = event.metadata["values_absent"].value
    assert isinstance(found, dict)
    return {str(name): int(str(count)) for name, count in found.items()}


def test_a_rule_takes_what_is_joined_by_out_of_the_graph_and_hashes_it(world: World) -> None:
    world.control(
        "INSERT INTO field_exclusion_rules (source_id, table_name, column_name) VALUES (1, 'people', 'name')"
    )
    reconcile(max_removed_share=1.0)
    by_name = "n._c360_join_lower_unaccent_ascii_trim__name IS NOT NULL"
    assert (
        world.cypher(f"MATCH (n) WHERE {by_name} OR (n:Person AND n.name IS NOT NULL) RETURN n")
        == []
    )
    before = world.counts()[1]
    world.control(
        "INSERT INTO field_exclusion_rules (source_id, table_name, column_name, treatment) VALUES"
        " (1, 'people', 'email', 'hash'), (1, 'visits', 'mail', 'hash'), (1, 'met', 'mail', 'hash'),"
        " (2, 'customers', 'email', 'hash')"
    )
    result = reconcile(max_removed_share=1.0)
    passed(result)
    assert world.counts()[1] == before
    hashed = world.cypher(
        "MATCH (n) UNWIND [n._c360_join_unicode_lower_trim__email, n._c360_join_email__email,"
        " n._c360_join_email__mail] AS value"
        " WITH value WHERE value IS NOT NULL RETURN DISTINCT size(value)"
    )
    assert hashed == [(64,)]
