"""Joins that no foreign key names: found by names, judged by how many sampled values agree."""

from __future__ import annotations

from c360_graph.mapping.control_rows import (
    ControlRows,
    ExclusionRow,
    NodeLabelRow,
)
from c360_graph.proposal.candidates import Candidate, candidates
from c360_graph.proposal.model import QualifiedColumn, SourceSchema
from c360_graph.proposal.overlaps import Overlap
from c360_graph_tests.unit.mapping.given import column_type, table
from c360_graph_tests.unit.proposal.given import findings, joins, key, proposed, schema, treated

CRM = schema(
    "crm",
    table(
        "customers", "customer_id int; email text; name text?", key="customer_id", unique=("email",)
    ),
    number=2,
)
DESK = schema("desk", table("tickets", "ticket_id int; customer_email text?", key="ticket_id"))


def test_a_join_across_databases_hashes_the_personal_column_on_both_sides() -> None:
    found = proposed(DESK, CRM, overlaps=[agreeing(97)], standing=crm_is_mapped())
    assert joins(found) == ["(Ticket)-[:HAS_CUSTOMER]->(Customer) on t.customer_email = c.email"]
    assert found.relationships[0].row.description == (
        "tickets.customer_email refers to customers (across databases: desk/tickets.customer_email ="
        " crm/customers.email, 97 % of 100 sampled values)"
    )
    assert treated(found) == {"crm/customers.email": "hash", "desk/tickets.customer_email": "hash"}
    assert found.remarks == (
        "crm/customers.email is read in the clear at present; with its rule (hash) the next run takes"
        " the clear values out of the graph.",
    )


def test_a_join_waits_until_the_other_table_is_mapped_and_its_column_is_hashed_already() -> None:
    found = proposed(DESK, CRM, overlaps=[agreeing(97)])
    assert joins(found) == []
    assert treated(found) == {"desk/tickets.customer_email": "hash"}
    assert found.remarks == (
        "desk/tickets.customer_email = crm/customers.email, 97 % of 100 sampled values: is proposed"
        " once crm/customers is mapped.",
    )


def test_a_join_whose_values_hardly_agree_is_only_told_of() -> None:
    found = proposed(DESK, CRM, overlaps=[agreeing(20)], standing=crm_is_mapped())
    assert joins(found) == []
    assert found.remarks == (
        "desk/tickets.customer_email = crm/customers.email, 20 % of 100 sampled values: is not proposed.",
    )


def test_a_rule_that_stands_is_kept_and_a_join_against_it_is_not_proposed() -> None:
    rule = ExclusionRow(rule_id=4, source_id=2, table_name="customers", column_name="email")
    standing = crm_is_mapped().model_copy(update={"exclusions": (rule,)})
    excluded = proposed(DESK, CRM, overlaps=[agreeing(97)], standing=standing)
    # The same rule switched off says that the column is to be read as it is.
    clear = proposed(DESK, CRM, overlaps=[agreeing(97)], standing=crm_is_mapped(), every=standing)
    for found in (excluded, clear):
        assert joins(found) == []
        assert treated(found) == {"desk/tickets.customer_email": "hash"}
        assert "crm/customers.email has a rule other than hash" in found.remarks[0]


def test_names_that_agree_make_candidates_and_others_do_not() -> None:
    crm = schema(
        "crm",
        table("users", "id int; email text; status text", key="id", unique=("email", "status")),
        number=2,
    )
    desk = schema(
        "desk",
        table(
            "tickets",
            "id int; user_id bigint; mail text; created_by_user_id int; note_id int",
            key="id",
        ),
        table("users", "id int", key="id"),
        table(
            "logs",
            "user_id uuid; opener_email varchar; status text; owner_user_id int",
            key="user_id",
        ),
        keys=[key("f", "logs(owner_user_id) -> users(id)")],
    )
    assert [f"{c.reference} = {c.key}" for c in pairs(desk, crm)] == [
        # What identifies a person goes first. Two databases' own numbers are no pair.
        "desk/logs.opener_email = crm/users.email",
        "desk/tickets.user_id = crm/users.id",
        "desk/tickets.created_by_user_id = crm/users.id",
        # Of one kind, though their names do not agree.
        "desk/tickets.mail = crm/users.email",
    ]
    assert [c.kind for c in pairs(desk, crm)] == ["e-mail address", None, None, "e-mail address"]


def test_without_foreign_keys_names_within_a_source_make_candidates_too() -> None:
    shop = schema(
        "shop",
        table("users", "id int; referrer_user_id int?", key="id"),
        table("orders", "order_id int; user_id int", key="order_id"),
        table("lines", "order_id int; line_no int", key="order_id line_no"),
    )
    assert [f"{c.reference} = {c.key}" for c in pairs(shop, shop)] == [
        "shop/users.referrer_user_id = shop/users.id",
        "shop/orders.user_id = shop/users.id",
        "shop/lines.order_id = shop/orders.order_id",
    ]
    found = proposed(
        shop, overlaps=[Overlap(candidate=pair, sampled=9, found=9) for pair in pairs(shop, shop)]
    )
    assert joins(found) == [
        "(User)-[:HAS_REFERRER_USER]->(User) on u.referrer_user_id = u1.id",
        "(User)-[:HAS_ORDER]->(Order) on u.id = o.user_id",
        "(Order)-[:HAS_LINE]->(Line) on o.order_id = l.order_id",
    ]
    assert found.relationships[2].why == (
        "lines.order_id refers to orders and is never NULL: the parent has it (no foreign key says"
        " so: shop/lines.order_id = shop/orders.order_id, 100 % of 9 sampled values)"
    )


def test_a_table_links_by_names_and_values_as_well_as_by_foreign_keys() -> None:
    app = schema(
        "app",
        table("users", "user_id int", key="user_id"),
        table("teams", "team_id int", key="team_id"),
        table("members", "user_id int; team_id int"),
    )
    found = proposed(
        app, overlaps=[Overlap(candidate=pair, sampled=9, found=9) for pair in pairs(app, app)]
    )
    assert [p.row.node_label for p in found.labels] == ["User", "Team"]
    assert joins(found) == [
        "(User)-[:MEMBERS]->(Team) on u.user_id = m.user_id AND m.team_id = t.team_id through members"
    ]


def test_the_same_thing_in_two_sources_is_said_to_be_the_same() -> None:
    ours = schema("erp", table("ports", "code text", key="code"))
    theirs = schema("ops", table("ports", "code text", key="code"), number=2)
    (pair,) = pairs(ours, theirs)
    row = NodeLabelRow(mapping_id=1, source_id=2, table_name="ports", node_label="Port")
    found = proposed(
        ours,
        theirs,
        overlaps=[Overlap(candidate=pair, sampled=90, found=60)],
        standing=ControlRows(labels=(row,)),
    )
    assert joins(found) == ["(ErpPort)-[:SAME_AS]->(Port) on p.code = p1.code"]
    assert found.relationships[0].why == (
        "the same thing in both sources (across databases: erp/ports.code = ops/ports.code, 67 % of 90"
        " sampled values)"
    )


def pairs(own: SourceSchema, other: SourceSchema) -> tuple[Candidate, ...]:
    personal = findings({}, own, other)
    return candidates((own, own.catalog.tables), (other, other.catalog.tables), personal)


def crm_is_mapped() -> ControlRows:
    row = NodeLabelRow(mapping_id=1, source_id=2, table_name="customers", node_label="Customer")
    return ControlRows(labels=(row,))


def agreeing(found: int) -> Overlap:
    """Of 100 sampled values."""
    text = column_type("text")
    candidate = Candidate(
        reference=QualifiedColumn("desk", "tickets", "customer_email"),
        key=QualifiedColumn("crm", "customers", "email"),
        reference_type=text,
        key_type=text,
        kind="e-mail address",
    )
    return Overlap(candidate=candidate, sampled=100, found=found)
