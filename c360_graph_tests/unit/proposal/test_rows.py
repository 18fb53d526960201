"""The rows that are proposed for a schema, each of which validation accepts."""

from __future__ import annotations

from c360_graph.mapping.control_rows import (
    ControlRows,
    NodeLabelRow,
    RelationshipRow,
)
from c360_graph_tests.unit.mapping.given import table
from c360_graph_tests.unit.proposal.given import joins, key, proposed, schema, treated


def test_several_keys_to_one_table_and_to_itself_are_told_apart() -> None:
    found = proposed(
        schema(
            "shop",
            table("addresses", "id int", key="id"),
            table(
                "orders",
                "id int; billing_address_id int; shipping_address_id int?; replaces_id int?; parent int",
                key="id",
            ),
            keys=[
                key("b", "orders(billing_address_id) -> addresses(id)"),
                key("s", "orders(shipping_address_id) -> addresses(id)"),
                key("r", "orders(replaces_id) -> orders(id)"),
                key("p", "orders(parent) -> orders(id)"),
                key("again", "orders(parent) -> orders(id)"),
            ],
        )
    )
    assert joins(found) == [
        "(Address)-[:HAS_ORDER_AS_BILLING_ADDRESS]->(Order) on a.id = o.billing_address_id",
        "(Order)-[:HAS_SHIPPING_ADDRESS]->(Address) on o.shipping_address_id = a.id",
        "(Order)-[:HAS_REPLACES]->(Order) on o.replaces_id = o1.id",
        "(Order)-[:HAS_PARENT]->(Order) on o.parent = o1.id",
    ]
    assert found.relationships[2].row.from_alias == "o"
    assert found.relationships[2].row.to_alias == "o1"


def test_a_foreign_key_of_several_columns_is_one_relationship() -> None:
    found = proposed(
        schema(
            "ops",
            table("legs", "leg_no int; departs date", key="leg_no departs"),
            table("bookings", "id int; leg_no int?; Departs Date date?", key="id"),
            keys=[key("f", "bookings(leg_no, Departs Date) -> legs(leg_no, departs)")],
        )
    )
    assert joins(found) == [
        '(Booking)-[:HAS_LEG]->(Leg) on b.leg_no = l.leg_no AND b."Departs Date" = l.departs'
    ]


def test_a_table_that_only_links_becomes_a_relationship_and_no_node() -> None:
    things = (table("users", "id int", key="id"), table("groups", "id int", key="id"))
    link = ("user_id int; group_id int; since date?", "user_id group_id")
    found = proposed(
        schema(
            "app",
            *things,
            table("user_groups", link[0], key=link[1]),
            table("follows", "id int; follower_id int; followee_id int", key="id"),
            table("notes", "id int; user_id int; group_id int; text text", key="id"),
            keys=[
                key("a", "user_groups(user_id) -> users(id)"),
                key("b", "user_groups(group_id) -> groups(id)"),
                key("c", "follows(follower_id) -> users(id)"),
                key("d", "follows(followee_id) -> users(id)"),
                key("e", "notes(user_id) -> users(id)"),
                key("f", "notes(group_id) -> groups(id)"),
            ],
        )
    )
    assert [p.row.node_label for p in found.labels] == ["User", "Group", "Note"]
    assert joins(found) == [
        "(User)-[:HAS_NOTE]->(Note) on u.id = n.user_id",
        "(Group)-[:HAS_NOTE]->(Note) on g.id = n.group_id",
        "(User)-[:HAS_GROUP]->(Group) on u.id = ug.user_id AND ug.group_id = g.id through user_groups",
        "(User)-[:FOLLOWS]->(User) on u.id = f.follower_id AND f.followee_id = u1.id through follows",
    ]


def test_personal_columns_are_treated_by_what_they_are_for() -> None:
    found = proposed(
        schema(
            "app",
            table("users", "email text; phone text; ssn text; password text", key="email"),
            table("logins", "id int; user_email text; ip text; card_number text", key="id"),
            table("patients", "ssn text; first_name text", key="ssn"),
            keys=[key("f", "logins(user_email) -> users(email)")],
        )
    )
    assert treated(found) == {
        "app/users.email": "hash",
        "app/logins.user_email": "hash",
        "app/users.phone": "hash",
        "app/users.ssn": "exclude",
        "app/users.password": "exclude",
        "app/logins.ip": "hash",
        "app/logins.card_number": "mask",
        "app/patients.ssn": "hash",
        "app/patients.first_name": "exclude",
    }
    assert joins(found) == ["(User)-[:HAS_LOGIN]->(Login) on u.email = l.user_email"]


def test_rows_that_stand_or_are_switched_off_are_not_proposed_again() -> None:
    shop = schema(
        "shop",
        table("users", "id int; email text", key="id"),
        table("orders", "id int; user_id int", key="id"),
        table("secrets", "id int; user_id int", key="id"),
        keys=[key("o", "orders(user_id) -> users(id)"), key("s", "secrets(user_id) -> users(id)")],
    )
    standing = ControlRows(
        labels=(
            NodeLabelRow(mapping_id=1, source_id=None, table_name="users", node_label="Person"),
            NodeLabelRow(mapping_id=2, source_id=1, table_name="orders", node_label="Order"),
        ),
    )
    off = RelationshipRow(
        relationship_id=3,
        relationship_type="BOUGHT",
        from_label="Person",
        to_label="Order",
        join_condition="x.id = y.user_id",
    )
    inactive = NodeLabelRow(mapping_id=4, source_id=1, table_name="secrets", node_label="Secret")
    every = standing.model_copy(
        update={"labels": (*standing.labels, inactive), "relationships": (off,)}
    )
    found = proposed(shop, standing=standing, every=every)
    assert found.labels == ()
    assert joins(found) == []
    assert treated(found) == {"shop/users.email": "hash"}
    assert found.remarks[0] == (
        "shop/secrets is not proposed: its row in node_label_mappings is switched off or refused."
    )
