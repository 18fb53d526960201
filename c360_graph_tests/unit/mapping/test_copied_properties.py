"""Columns of the side that holds the reference, as properties of the relationship."""

from __future__ import annotations

from typing import Any

import pytest

from c360_graph.cypher.following import create_missing_of_ids, create_of_pairs, update_of_ids
from c360_graph.cypher.merges import update_relationships
from c360_graph.cypher.relationships import create_missing_relationships, create_relationships
from c360_graph.extract_joins.graph_input import kept_from_refused
from c360_graph.following.relationships import Patterns
from c360_graph.mapping.control_rows import PropertyRow
from c360_graph.mapping.graph_manifest import GraphManifest, manifest_of
from c360_graph.mapping.missing import refused_names
from c360_graph.plan.decisions import relationship_properties_to_remove
from c360_graph_tests.unit.mapping.given import Case, table

PEOPLE = table("people", "id int; name text?", key="id")
ORDERS = table(
    "orders", "no int; person int?; state text?; secret text?", key="no", referring=("person",)
)


def case(columns: tuple[str, ...] | None = ("state",), **more: Any) -> Case:
    made = Case().source("one", PEOPLE, ORDERS).label("people", "Person").label("orders", "Order")
    return made.joining(
        "Person", "PLACED", "Order", "p.id = o.person", relationship_properties=columns, **more
    )


def test_the_relationship_has_columns_of_the_side_that_holds_the_reference() -> None:
    made = case(("state", "no"))
    made.more["properties"] = (
        PropertyRow(mapping_id=1, table_name="orders", column_name="state", property_name="status"),
    )
    found = made.relationship()
    assert (found.seek, found.properties) == ("from", ("status", "no"))
    manifest = manifest_of(made.resolve().tables, [found], {})
    assert manifest.edge_properties == {"PLACED\tPerson\tOrder": ("status", "no")}


def test_what_a_junction_table_gave_a_relationship_is_removed_once_the_row_names_none() -> None:
    links = table("links", "person int; no int; since date?", key="person, no")
    joined = (
        Case()
        .source("one", PEOPLE, ORDERS, links)
        .label("people", "Person")
        .label("orders", "Order")
        .joining(
            "Person",
            "PLACED",
            "Order",
            "p.id = l.person AND l.no = o.no",
            junction_table="links",
        )
        .resolve()
    )
    before = manifest_of(joined.tables, joined.relationships, {})
    assert before.junction_properties == {"PLACED\tPerson\tOrder": ("since",)}
    plain = case(None).resolve()
    now = manifest_of(plain.tables, plain.relationships, {})
    edges = ("PLACED", "Person", "Order")
    assert list(relationship_properties_to_remove(now, before, GraphManifest())) == [
        (edges, "since")
    ]
    assert before.joined(now).junction_properties == before.junction_properties
    assert not list(relationship_properties_to_remove(before, before, GraphManifest()))


def test_every_way_to_make_the_relationship_gives_it_the_properties() -> None:
    found = case().relationship()
    given = "-[:`PLACED` {`state`: row.`state`}]->"
    assert given in create_relationships(found, sought=1)
    assert given in create_relationships(found, sought=10**9)
    assert given in create_missing_relationships(found)
    assert "CREATE (a)-[:`PLACED` {`state`: b.`state`}]->(b)" in create_of_pairs(found)
    by_order = create_missing_of_ids(found, found.end)
    assert by_order.endswith("CREATE (n)<-[:`PLACED` {`state`: n.`state`}]-(o)")
    by_person = create_missing_of_ids(found, found.start)
    assert by_person.endswith("CREATE (n)-[:`PLACED` {`state`: o.`state`}]->(o)")
    assert update_of_ids(found, found.end) == (
        "CYPHER 5 UNWIND $ids AS id MATCH (n:`Order`) WHERE id(n) = id"
        " MATCH (n)<-[x:`PLACED`]-(:`Person`) SET x.`state` = n.`state`"
    )
    assert update_relationships(found).startswith(
        "CYPHER 5 MATCH (a:`Person`)-[r:`PLACED`]->(row:`Order`) WHERE true AND NOT (coalesce(r.`state` = row.`state`"
    )


def test_a_row_whose_property_changes_is_looked_at_when_it_is_followed() -> None:
    mapping = case().resolve()
    people, orders = mapping.tables
    patterns = Patterns(mapping, {people.qualified_name, orders.qualified_name})
    assert patterns.joined(orders) == {"person", "state"}
    assert patterns.joined(people) == {"id"}


def test_a_relationship_without_properties_is_fingerprinted_as_before() -> None:
    plain, copied = case(None).relationship(), case().relationship()
    assert plain.fingerprint_source.startswith('{"relationship_type"')
    assert '"properties"' not in plain.fingerprint_source.replace('"properties":[]', "")
    assert copied.fingerprint_source == "('state',)\n" + plain.fingerprint_source


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (("secret",), "relationship_properties names 'secret', which is excluded in one/orders (field_exclusion_rules row 1)"),
        (("stat",), "relationship_properties names 'stat', which is no column of one/orders, the side that holds the reference; did you mean 'state'?"),
        (("name",), "relationship_properties names 'name', which is no column of one/orders, the side that holds the reference"),
    ],
)  # fmt: skip
def test_the_relationship_is_made_without_what_the_side_does_not_have(
    columns: tuple[str, ...], said: str
) -> None:
    made = case(("state", *columns, "state")).excluding("orders", "secret")
    mapping = made.resolve()
    (refusal,) = mapping.refusals
    assert refusal.reason == f"{said}. The relationships are made without it"
    assert [r.properties for r in mapping.relationships] == [("state",)]
    # What is made is neither missing from the graph nor kept as it was.
    assert refused_names(made.rows, mapping.refusals) == {}
    assert kept_from_refused(made.rows, mapping.refusals).edges == ()


def test_a_junction_table_has_its_own() -> None:
    made = Case().source("one", PEOPLE, ORDERS, table("links", "person int; no int", key="no"))
    made.label("people", "Person").label("orders", "Order")
    made.joining(
        "Person",
        "LINKED",
        "Order",
        "p.id = l.person AND l.no = o.no",
        junction_table="links",
        relationship_properties=("state",),
    )
    assert "relationship_properties is for relationships without a junction table" in made.reason()
