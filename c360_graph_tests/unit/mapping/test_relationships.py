"""Which relationship rows are valid, which are inactive and which are refused."""

from __future__ import annotations

import pytest

from c360_graph_tests.unit.mapping.given import Case, table

PEOPLE = table("people", "id int; boss int?; email text", key="id")
ORDERS = table("orders", "id int; person int", key="id")


def two_shops() -> Case:
    """Two sources with the same tables, each label fed by both."""
    return (
        Case()
        .source("north", PEOPLE, ORDERS, table("link", "person int; ord int", key="person ord"))
        .source("south", PEOPLE, ORDERS, table("link", "person int; ord int", key="person ord"))
        .label("people", "Person")
        .label("orders", "Order")
    )


def test_a_row_about_one_source_joins_only_that_sources_tables_of_a_shared_label() -> None:
    case = two_shops().joining("Person", "PLACED", "Order", "p.id = o.person", source_db="north")
    found = case.relationship()
    assert found.from_tables == ("north/people",)
    assert found.to_tables == ("north/orders",)


def test_of_a_shared_label_only_the_tables_that_are_named_take_part() -> None:
    mapping = (
        two_shops()
        .joining("Person", "PLACED", "Order", "p.id = o.person", source_db="north")
        .resolve()
    )
    (found,) = mapping.relationships
    assert [t.qualified_name for t in mapping.tables if found.start.has(t)] == ["north/people"]
    assert [t.qualified_name for t in mapping.tables if found.is_driven_by(t)] == ["north/orders"]
    assert (found.start.pairs, found.end.pairs) == ((("id", "person"),), (("person", "id"),))


def test_one_end_is_sought_for_the_other_even_where_both_are_joined_alike() -> None:
    case = Case().source("north", PEOPLE).label("people", "Person")
    found = case.joining("Person", "SHARES", "Person", "a.email = b.email").relationship()
    assert found.sought == (found.start,)
    assert found.driving == found.end


@pytest.mark.parametrize("source_db", [None, "cross_database"])
def test_a_row_about_no_source_joins_all_tables_of_its_labels(source_db: str | None) -> None:
    case = two_shops().joining("Person", "PLACED", "Order", "p.id = o.person", source_db=source_db)
    found = case.relationship()
    assert (found.from_tables, found.to_tables) == ((), ())


def test_a_row_about_a_source_that_feeds_one_end_alone_joins_it_with_all_of_the_other() -> None:
    case = (
        Case()
        .source("north", PEOPLE)
        .source("south", PEOPLE)
        .source("web", table("visits", "email text"))
        .label("people", "Person")
        .label("visits", "Visit")
        .joining("Person", "MADE", "Visit", "p.email = v.email", source_db="web")
    )
    assert case.relationship().from_tables == ()


def test_the_same_row_for_each_of_two_sources_is_no_repetition() -> None:
    case = two_shops()
    for source in ("north", "south"):
        case.joining("Person", "PLACED", "Order", "p.id = o.person", source_db=source)
    mapping = case.resolve()
    assert mapping.refusals == ()
    assert [r.from_tables for r in mapping.relationships] == [("north/people",), ("south/people",)]


def test_a_row_that_makes_an_earlier_ones_relationships_again_is_refused() -> None:
    case = two_shops()
    case.joining("Person", "PLACED", "Order", "p.id = o.person")
    case.joining("Person", "PLACED", "Order", "x.person = y.id", source_db="south")
    assert case.reason() == (
        "it repeats row 1: the same relationships would be made twice; deactivate one of the two"
    )


def test_several_relationships_between_one_pair_of_labels_are_all_made() -> None:
    case = (
        Case()
        .source("shop", PEOPLE, ORDERS)
        .label("people", "Person")
        .label("orders", "Order")
        .joining("Person", "PLACED", "Order", "p.id = o.person")
        .joining("Person", "PAID", "Order", "p.id = o.person")
        .joining("Person", "PLACED", "Order", "p.boss = o.person")
        .joining("Order", "PLACED", "Person", "p.id = o.person")
    )
    assert len(case.resolve().relationships) == 4


def test_relationships_run_by_execution_order_and_then_by_id() -> None:
    case = Case().source("shop", PEOPLE).label("people", "Person")
    for order, kind in ((20, "C"), (None, "A"), (20, "D"), (10, "B")):
        case.joining("Person", kind, "Person", "a.email = b.email", execution_order=order)
    assert [r.relationship_type for r in case.resolve().relationships] == ["A", "B", "C", "D"]


def test_a_junction_is_that_of_the_source_the_row_names() -> None:
    case = two_shops().joining(
        "Person",
        "SHARED",
        "Order",
        "people.id = l.person AND l.ord = orders.id",
        junction_table="link",
        source_db="south",
    )
    junction = case.relationship().junction
    assert junction is not None
    assert junction.table == ("south", "link")
    assert [t.qualified_name for t in case.resolve().tables if not t.node_label] == ["south/link"]


def test_a_junction_that_two_sources_have_is_refused_and_not_read() -> None:
    case = two_shops().joining(
        "Person",
        "SHARED",
        "Order",
        "people.id = l.person AND l.ord = orders.id",
        junction_table="link",
    )
    assert "several have and source_db does not say which" in case.reason()
    assert all(t.node_label for t in case.resolve().tables)


def test_a_labelled_junction_of_another_source_never_stands_in_for_the_one_that_is_meant() -> None:
    case = two_shops().label("link", "Link", source_id=1)
    case.joining(
        "Person",
        "SHARED",
        "Order",
        "people.id = l.person AND l.ord = orders.id",
        junction_table="link",
        source_db="south",
    )
    junction = case.relationship().junction
    assert junction is not None
    assert junction.table == ("south", "link")
    assert junction.node_label is None


def test_a_junction_whose_label_other_tables_feed_too_is_read_from_its_own_rows() -> None:
    case = two_shops().label("link", "Link")
    case.joining(
        "Person",
        "SHARED",
        "Order",
        "people.id = l.person AND l.ord = orders.id",
        junction_table="link",
        junction_label="Link",
        source_db="north",
    )
    junction = case.relationship().junction
    assert junction is not None
    assert junction.node_label is None
    assert junction.table == ("north", "link")


def test_a_junction_with_a_label_of_its_own_drives_by_its_nodes() -> None:
    case = (
        Case()
        .source("shop", PEOPLE, ORDERS, table("link", "person int; ord int"))
        .label("people", "Person")
        .label("orders", "Order")
        .label("link", "Link")
        .joining(
            "Person",
            "SHARED",
            "Order",
            "people.id = l.person AND l.ord = orders.id",
            junction_table="link",
        )
    )
    junction = case.relationship().junction
    assert junction is not None
    assert junction.node_label == "Link"


def test_a_junction_that_is_read_only_for_a_refused_row_is_not_read() -> None:
    case = (
        Case()
        .source("shop", PEOPLE, ORDERS, table("link", "person int; ord int"))
        .label("people", "Person")
        .label("orders", "Order")
        .joining(
            "Person",
            "",
            "Order",
            "people.id = l.person AND l.ord = orders.id",
            junction_table="link",
        )
    )
    assert case.reason() == "relationship_type is empty"
    assert [t.table_name for t in case.resolve().tables] == ["people", "orders"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"relationship_type": ""}, "relationship_type is empty"),
        ({"relationship_type": " \t"}, "relationship_type is empty"),
        ({"relationship_type": "A\x00B"}, "relationship_type holds a NUL character"),
        ({"relationship_type": "_c360X"}, "relationship_type '_c360X' begins with _C360"),
        ({"relationship_type": "R" * 1001}, "relationship_type is longer than 1000"),
        (
            {"from_label": "person"},
            "from_label 'person' is the label of no table that can be read; did you mean 'Person'?",
        ),
        ({"to_label": "Invoice"}, "to_label 'Invoice' is the label of no table that can be read"),
        ({"to_label": "Gone"}, "; node_label_mappings row 3 that maps it was refused"),
        ({"junction_label": "Link"}, "junction_label is 'Link' but junction_table is empty"),
        ({"junction_table": "links"}, "junction_table 'links' is no table that can be read"),
        (
            {"junction_table": "people", "junction_label": "Order"},
            "junction_label 'Order' is not the label of junction_table 'people'",
        ),
    ],
)
def test_what_a_row_names_must_be_there(change: dict[str, str], reason: str) -> None:
    case = (
        Case()
        .source("shop", PEOPLE, ORDERS)
        .label("people", "Person")
        .label("orders", "Order")
        .label("gone", "Gone")
        .joining("Person", "PLACED", "Order", "p.id = o.person")
    )
    case.relationships[0] = case.relationships[0].model_copy(update=change)
    (refusal,) = [r for r in case.resolve().refusals if r.control_table == "relationship_mappings"]
    assert reason in refusal.reason
    assert str(refusal).startswith("relationship_mappings row 1: ")


def test_a_relationship_whose_label_is_deactivated_rests_and_is_no_fault() -> None:
    case = Case().source("shop", PEOPLE).label("people", "Person")
    case.joining("Person", "PLACED", "Order", "p.id = o.person")
    case.more = {"inactive_labels": ("Order",)}
    mapping = case.resolve()
    assert (mapping.refusals, mapping.inactive_relationship_ids) == ((), (1,))


def test_a_relationship_of_a_deactivated_source_rests() -> None:
    case = Case().source("north", PEOPLE, ORDERS).label("people", "Person").label("orders", "Order")
    case.joining("Person", "PLACED", "Order", "p.id = o.person", source_db="south")
    case.more = {"inactive_sources": ("south",)}
    mapping = case.resolve()
    assert (mapping.refusals, mapping.relationships, mapping.inactive_relationship_ids) == (
        (),
        (),
        (1,),
    )


def test_a_label_for_any_source_rests_when_the_source_that_had_its_table_may_be_deactivated() -> (
    None
):
    case = Case().source("north", PEOPLE).label("people", "Person").label("orders", "Order")
    case.joining("Person", "PLACED", "Order", "p.id = o.person")
    assert len(case.resolve().refusals) == 2
    case.more = {"inactive_sources": ("south",)}
    mapping = case.resolve()
    assert (mapping.refusals, mapping.inactive_relationship_ids, mapping.inactive_label_ids) == (
        (),
        (1,),
        (2,),
    )


def test_a_relationship_to_a_source_that_could_not_be_asked_is_left_open() -> None:
    case = (
        Case()
        .source("shop", PEOPLE)
        .source("down", asked=False)
        .label("people", "Person")
        .label("orders", "Order", source_id=2)
        .joining("Person", "PLACED", "Order", "p.id = o.person")
        .joining(
            "Person",
            "KNOWS",
            "Person",
            "p.id = k.one AND k.other = q.id",
            junction_table="knows",
            source_db="down",
        )
    )
    mapping = case.resolve()
    assert (mapping.refusals, mapping.relationships, mapping.inactive_relationship_ids) == (
        (),
        (),
        (),
    )
    assert [t.qualified_name for t in mapping.tables] == [
        "shop/people",
        "down/orders",
        "down/knows",
    ]


def test_one_row_that_is_not_valid_leaves_the_others_as_they_are() -> None:
    case = Case().source("shop", PEOPLE, ORDERS).label("people", "Person").label("orders", "Order")
    case.joining("Person", "A", "Order", "p.id = o.person OR TRUE")
    case.joining("Person", "B", "Order", "p.id = o.person")
    mapping = case.resolve()
    assert [r.relationship_type for r in mapping.relationships] == ["B"]
    assert [r.row_id for r in mapping.refusals] == [1]


ACCOUNTS = table("accounts", "account_id int; email text", key="account_id")
TICKETS = table("tickets", "ticket_id int; customer_email text?", key="ticket_id")


def driving(case: Case) -> str:
    """The label whose rows refer, so that those without partner are orphans."""
    (found,) = case.resolve().relationships
    assert found.driving is not None
    return found.driving.label


@pytest.mark.parametrize("ends", [("Ticket", "Account"), ("Account", "Ticket")])
@pytest.mark.parametrize("email_is_unique", [True, False])
def test_the_source_that_a_row_names_holds_the_reference_whichever_way_it_leads(
    ends: tuple[str, str], email_is_unique: bool
) -> None:
    accounts = table(
        "accounts",
        "account_id int; email text",
        key="account_id",
        unique=("email",) if email_is_unique else (),
    )
    for named, wanted in (("support", "Ticket"), ("profiles", "Account")):
        case = (
            Case()
            .source("profiles", accounts)
            .source("support", TICKETS)
            .label("accounts", "Account")
            .label("tickets", "Ticket")
            .joining(ends[0], "IS", ends[1], "t.customer_email = a.email", source_db=named)
        )
        assert driving(case) == wanted


@pytest.mark.parametrize("source_db", [None, "cross_database", "support"])
@pytest.mark.parametrize("ends", [("Ticket", "Account"), ("Account", "Ticket")])
def test_where_no_source_says_it_the_side_that_is_not_unique_refers(
    ends: tuple[str, str], source_db: str | None
) -> None:
    """A unique index counts that is not the key, and one over a column that may be NULL."""
    accounts = ACCOUNTS.model_copy(update={"unique_columns": (("account_id",), ("email",))})
    case = (
        Case()
        .source("support", accounts, TICKETS)
        .label("accounts", "Account")
        .label("tickets", "Ticket")
        .joining(ends[0], "IS", ends[1], "t.customer_email = a.email", source_db=source_db)
    )
    assert driving(case) == "Ticket"


@pytest.mark.parametrize("ends", [("User", "Profile"), ("Profile", "User")])
def test_where_both_sides_are_keys_the_foreign_key_refers(ends: tuple[str, str]) -> None:
    case = (
        Case()
        .source(
            "one",
            table("users", "id int", key="id"),
            table("profiles", "user_id int", key="user_id", referring=("user_id",)),
        )
        .label("users", "User")
        .label("profiles", "Profile")
        .joining(ends[0], "HAS", ends[1], "u.id = p.user_id", source_db="one")
    )
    assert driving(case) == "Profile"


@pytest.mark.parametrize("aliases", [("e", "b"), ("b", "e")])
def test_in_a_self_join_the_rows_that_name_another_refer(aliases: tuple[str, str]) -> None:
    case = (
        Case()
        .source("one", PEOPLE)
        .label("people", "Person")
        .joining(
            "Person",
            "KNOWS",
            "Person",
            "e.boss = b.id",
            source_db="one",
            from_alias=aliases[0],
            to_alias=aliases[1],
        )
    )
    (found,) = case.resolve().relationships
    assert found.driving is not None
    assert [column for column, _ in found.driving.pairs] == ["boss"]


def test_a_source_whose_server_does_not_know_its_time_zone_is_refused_with_its_tables() -> None:
    case = (
        Case()
        .source("north", PEOPLE)
        .source("south", ORDERS, PEOPLE)
        .label("people", "Person", source_id=1)
        .label("orders", "Order", source_id=2)
        .label("people", "Everybody")
        .joining("Person", "PLACED", "Order", "p.id = o.person")
    )
    case.sources[1] = case.sources[1].model_copy(update={"time_zone": "UTC+2"})
    case.catalogs[2] = case.catalogs[2].model_copy(update={"unknown_time_zone": "UTC+2"})
    mapping = case.resolve()
    assert [t.qualified_name for t in mapping.tables] == ["north/people"]
    assert mapping.relationships == ()
    refused = {(r.control_table, r.row_id): r.reason for r in mapping.refusals}
    assert set(refused) == {
        ("source_databases", 2),
        ("node_label_mappings", 2),
        ("node_label_mappings", 3),
        ("relationship_mappings", 1),
    }
    assert "time_zone 'UTC+2' is not in pg_timezone_names" in refused["source_databases", 2]
    assert "source_databases row 2" in refused["node_label_mappings", 2]
    # The row has another zone since: what was said of the former one is no reason.
    case.sources[1] = case.sources[1].model_copy(update={"time_zone": "Etc/GMT-2"})
    assert case.resolve().refusals == ()
