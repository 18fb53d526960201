"""Exact rules against a known truth: 300 people in a CRM and a shop whose identifiers are dirty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations

import pytest

from c360_graph.customer.lookup import CustomerGraph, Match
from c360_graph.customer.neighbourhood import read_customer_neighbourhood
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.identity.dirty_people import (
    NOBODYS_EMAIL,
    DirtyPeople,
    dirty_people,
)
from c360_graph_tests.integration.reconcile.reconciled import NOTHING, changes, reconcile
from c360_graph_tests.integration.schemas.world import World, built
from c360_graph_tests.integration.serving.conftest import server

_COLUMNS = "{mail} text, {mobile} text, {landline} text, born date, postcode text, city text"
CRM = (
    "CREATE TABLE people (no int PRIMARY KEY, first text, last text, "
    + _COLUMNS.format(mail="email", mobile="mobile", landline="landline")
    + ");"
)
SHOP = (
    "CREATE TABLE accounts (no int PRIMARY KEY, first text, last text, "
    + _COLUMNS.format(mail="mail", mobile="cell", landline="home")
    + ");"
)
# What is of a household, such as its landline, is not compared, nor is the city that follows from a postcode.
CONTROL = """
INSERT INTO source_databases (source_id, source_name, db_name) VALUES (1, 'crm', 'crm'), (2, 'shop', 'shop');
INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES
    (1, 'people', 'Person'), (2, 'accounts', 'Account');
INSERT INTO identity_rules
    (entity_label, source_id, table_name, identifier_kind, column_name, normaliser, min_agreement, comparison)
SELECT 'Customer', source_id, table_name, kind, column_name, normaliser, min_agreement, comparison
FROM (VALUES
    (1, 'people', 'email', 'mobile', 'landline'), (2, 'accounts', 'mail', 'cell', 'home')
) AS t (source_id, table_name, email, mobile, landline),
LATERAL (VALUES
    ('email', email, 'email', NULL, NULL), ('mobile', mobile, 'phone(value, ''DE'')', NULL, NULL),
    ('landline', landline, 'phone(value, ''DE'')', 2, NULL),
    ('first name', 'first', 'lower(unaccent_ascii(trim(value)))', 2, NULL),
    ('first name', 'first', NULL, NULL, 'name'), ('last name', 'last', NULL, NULL, 'name'),
    ('email', email, NULL, NULL, 'code'), ('mobile', mobile, 'phone(value, ''DE'')', NULL, 'code'),
    ('born', 'born', NULL, NULL, 'date'), ('postcode', 'postcode', NULL, NULL, 'code')
) AS r (kind, column_name, normaliser, min_agreement, comparison);
"""
FOUND = """
MATCH (c:Customer)-[:IS]->(r)
RETURN c.customer_id, CASE WHEN r:Person THEN 'people' ELSE 'accounts' END, r.no
"""
ALIKE = """
MATCH (c:Customer)-[s:POSSIBLY_SAME_AS]->(d:Customer) RETURN c.customer_id, d.customer_id, s.score
"""

Records = set[frozenset[tuple[str, int]]]


@pytest.fixture(scope="module")
def people() -> DirtyPeople:
    return dirty_people()


@pytest.fixture(scope="module")
def world(
    people: DirtyPeople, servers: TestServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("dirty")
    texts = {
        "crm": CRM + people.insert_people(),
        "shop": SHOP + people.insert_accounts(),
        "control": CONTROL,
    }
    for name, text in texts.items():
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")
    with built(str(folder), servers, folder) as made:
        yield made


def pairs(entity_of: Iterable[tuple[int, tuple[str, int]]]) -> Records:
    """Each two records that are of one entity."""
    groups: dict[int, list[tuple[str, int]]] = {}
    for entity, record in entity_of:
        groups.setdefault(entity, []).append(record)
    return {frozenset(two) for group in groups.values() for two in combinations(group, 2)}


@pytest.fixture(scope="module")
def true(people: DirtyPeople) -> Records:
    return pairs((person, record) for record, person in people.truth.items())


@pytest.fixture(scope="module")
def joined(world: World) -> Records:
    return pairs((row[0], (row[1], row[2])) for row in world.cypher(FOUND))


def told(what: str, found: Records, true: Records) -> tuple[float, float]:
    """Precision and recall, which are printed."""
    precision, recall = len(found & true) / len(found), len(found & true) / len(true)
    print(  # noqa: T201
        f"{what}: precision {precision:.3f}, recall {recall:.3f} ({len(found & true)} of {len(true)} pairs)"
    )
    return precision, recall


def test_exact_rules_join_no_two_people_and_find_nine_tenths_of_the_records(
    joined: Records, true: Records
) -> None:
    precision, recall = told("exact rules", joined, true)
    assert precision == 1.0
    assert recall >= 0.9


def test_alike_records_give_at_least_half_of_the_rest_and_hardly_anything_else(
    world: World, joined: Records, true: Records
) -> None:
    records: dict[int, list[tuple[str, int]]] = {}
    for customer, table, number in world.cypher(FOUND):
        records.setdefault(customer, []).append((table, number))
    found = world.cypher(ALIKE)
    assert all(one < other and 0.95 <= score < 1 for one, other, score in found)
    alike = {
        frozenset((left, right))
        for one, other, _ in found
        for left in records[one]
        for right in records[other]
    }
    precision, recall = told("Splink, of the rest", alike, true - joined)
    assert precision >= 0.95
    assert recall >= 0.5
    # A proposal is no merge.
    assert world.counts()[0]["Customer"] == len(records)


def test_who_may_be_the_same_is_told_apart_from_what_is_of_a_customer(world: World) -> None:
    one, other, score = world.cypher(ALIKE)[0]
    with server(unmasked=True) as api:
        view = api.get(f"/v1/customers/{one}").json()
        around = api.get(f"/v1/customers/{one}/neighbourhood", params={"hops": 3}).json()
        journey = api.get(f"/v1/customers/{one}/journey").json()
        assert "Possibly the same" in api.get(f"/customers/{one}").text
    assert {"key": str(other), "score": score} in view["possibly_same"]
    counts = {(a["relationship"], a["label"]): a["count"] for a in view["activity"]}
    own = world.cypher(f"MATCH (:Customer {{customer_id: {one}}})-[:IS]->(r) RETURN labels(r)[0]")
    assert counts == {("IS", label): n for (label,), n in Counter(own).items()}
    records = [node for node in around["nodes"] if node["label"] != "Customer"]
    assert len(records) == len(own)
    assert {step["what"].split()[0] for step in journey["steps"]} <= {"Person", "Account"}
    ((node, properties),) = world.cypher(
        f"MATCH (c:Customer {{customer_id: {one}}}) RETURN elementId(c), properties(c)"
    )
    found = read_customer_neighbourhood(
        CustomerGraph(world.graph, timeout_seconds=60),
        Match(id=node, label="Customer", property="customer_id", properties=properties),
    )
    assert [
        {"key": str(other.thing.properties["customer_id"]), "score": other.score}
        for other in found.possibly_same
    ] == view["possibly_same"]
    assert sorted(thing.label for thing in found.records) == sorted(label for (label,) in own)
    assert {group.relationship_type for group in found.groups} == {"IS"}


def test_without_normalisers_most_are_not_found(
    people: DirtyPeople, true: Records, world: World
) -> None:
    """The truth is no easy one: as they are written, values find few."""
    written = [
        (value, (table, record[0]))
        for table, records in (("people", people.people), ("accounts", people.accounts))
        for record in records
        for value in record[3:5]
        if value not in (None, NOBODYS_EMAIL, "000")
    ]
    numbers = {value: number for number, value in enumerate({value for value, _ in written})}
    as_written = pairs((numbers[value], record) for value, record in written)
    assert len(as_written & true) / len(true) < 0.6
    assert world.number("crm", "SELECT count(*) FROM people") > 300


def test_a_decision_settles_a_proposal_and_the_rest_stay_as_they_are(
    people: DirtyPeople, world: World
) -> None:
    before = world.cypher(ALIKE)
    key_of = {customer: (table, number) for customer, table, number in world.cypher(FOUND)}
    decided = before[0][:2]
    (left, right) = (key_of[customer] for customer in decided)
    source = {"people": "crm", "accounts": "shop"}
    world.control(
        "INSERT INTO identity_decisions (entity_label, left_source, left_table, left_key, right_source,"
        f" right_table, right_key, verdict) VALUES ('Customer', '{source[left[0]]}', '{left[0]}',"
        f" '{left[1]}', '{source[right[0]]}', '{right[0]}', '{right[1]}', 'different')"
    )
    result = reconcile()
    assert changes(result) == NOTHING | {"relationships_deleted": 1}
    assert sorted(world.cypher(ALIKE)) == sorted(row for row in before if row[:2] != decided)
    check = next(
        c
        for c in result.get_asset_check_evaluations()
        if c.check_name == "similar_entities_are_decided"
    )
    assert check.description is not None
    assert check.description.startswith(f"{len(before) - 1} pairs of Customer may be the same")
