"""Exact rules against a known truth: 300 people in a CRM and a shop whose identifiers are dirty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

import pytest

from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.identity.dirty_people import (
    NOBODYS_EMAIL,
    DirtyPeople,
    dirty_people,
)
from c360_graph_tests.integration.schemas.world import World, built

CRM = "CREATE TABLE people (no int PRIMARY KEY, name text, email text, mobile text, landline text);"
SHOP = "CREATE TABLE accounts (no int PRIMARY KEY, name text, mail text, cell text, home text);"
CONTROL = """
INSERT INTO source_databases (source_id, source_name, db_name) VALUES (1, 'crm', 'crm'), (2, 'shop', 'shop');
INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES
    (1, 'people', 'Person'), (2, 'accounts', 'Account');
INSERT INTO identity_rules
    (entity_label, source_id, table_name, identifier_kind, column_name, normaliser, min_agreement)
SELECT 'Customer', source_id, table_name, kind, column_name, normaliser, min_agreement
FROM (VALUES
    (1, 'people', 'email', 'mobile', 'landline'), (2, 'accounts', 'mail', 'cell', 'home')
) AS t (source_id, table_name, email, mobile, landline),
LATERAL (VALUES
    ('email', email, 'email', NULL), ('mobile', mobile, 'phone(value, ''DE'')', NULL),
    ('landline', landline, 'phone(value, ''DE'')', 2),
    ('name', 'name', 'lower(unaccent_ascii(trim(value)))', 2)
) AS r (kind, column_name, normaliser, min_agreement);
"""
FOUND = """
MATCH (c:Customer)-[:IS]->(r)
RETURN c.customer_id, CASE WHEN r:Person THEN 'people' ELSE 'accounts' END, r.no
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


def test_exact_rules_join_no_two_people_and_find_nine_tenths_of_the_records(
    people: DirtyPeople, world: World
) -> None:
    found = pairs((row[0], (row[1], row[2])) for row in world.cypher(FOUND))
    true = pairs((person, record) for record, person in people.truth.items())
    precision, recall = len(found & true) / len(found), len(found & true) / len(true)
    print(  # noqa: T201
        f"{len(people.truth)} records of 300 people: precision {precision:.3f}, recall {recall:.3f}"
        f" ({len(found & true)} of {len(true)} pairs)"
    )
    assert precision == 1.0
    assert recall >= 0.9


def test_without_normalisers_most_are_not_found(people: DirtyPeople, world: World) -> None:
    """The truth is no easy one: as they are written, values find few."""
    written = [
        (value, (table, record[0]))
        for table, records in (("people", people.people), ("accounts", people.accounts))
        for record in records
        for value in record[2:4]
        if value not in (None, NOBODYS_EMAIL, "000")
    ]
    numbers = {value: number for number, value in enumerate({value for value, _ in written})}
    as_written = pairs((numbers[value], record) for value, record in written)
    true = pairs((person, record) for record, person in people.truth.items())
    assert len(as_written & true) / len(true) < 0.6
    assert world.number("crm", "SELECT count(*) FROM people") > 300
