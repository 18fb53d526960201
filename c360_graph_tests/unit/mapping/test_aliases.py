"""Which end each alias of a join condition stands for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from c360_graph_tests.unit.mapping.given import Case, table

ACCOUNTS = table("accounts", "account_id uuid; email text; parent_id uuid?", key="account_id")
CARDS = table("cards", "card_id uuid; account_id uuid; email text", key="card_id")
TICKETS = table("tickets", "ticket_id text; customer text", key="ticket_id")
TAGS = table("tags", "tag_id int; tag_name text", key="tag_id")
LINKS = table("ticket_tags", "ticket_id text; tag_id int; since date?", key="ticket_id tag_id")
STAFF = table("employee", "employee_id int; manager_id int?; site int", key="employee_id")


def shop() -> Case:
    case = Case().source("shop", ACCOUNTS, CARDS, TICKETS, TAGS, LINKS, STAFF)
    for name, label in (
        ("accounts", "Account"),
        ("cards", "Card"),
        ("tickets", "Ticket"),
        ("tags", "Tag"),
        ("employee", "Employee"),
    ):
        case.label(name, label)
    return case


def test_aliases_are_found_by_which_labels_table_has_the_columns() -> None:
    found = shop().joining("Account", "SENT", "Ticket", "x.customer = y.email").relationship()
    assert found.pairs == (("email", "customer"),)


def test_assignments_that_give_the_same_equalities_are_one() -> None:
    found = shop().joining("Account", "HAS", "Card", "a.account_id = pm.account_id").relationship()
    assert found.pairs == (("account_id", "account_id"),)


def test_several_conditions_decide_together_what_one_leaves_open() -> None:
    found = (
        shop()
        .joining(
            "Account", "HAS", "Card", "a.account_id = b.account_id AND b.card_id = a.parent_id"
        )
        .relationship()
    )
    assert found.pairs == (("account_id", "account_id"), ("parent_id", "card_id"))


def test_a_condition_said_twice_counts_once() -> None:
    found = (
        shop()
        .joining("Account", "HAS", "Card", "a.email = c.email AND c.email = a.email")
        .relationship()
    )
    assert found.pairs == (("email", "email"),)


def test_a_self_join_that_can_mean_two_things_lists_both_and_is_refused() -> None:
    case = shop().joining("Employee", "REPORTS_TO", "Employee", "e.manager_id = m.employee_id")
    assert case.reason() == (
        "join_condition 'e.manager_id = m.employee_id' can mean: from = e, to = m; or from = m, to = e."
        " Say which in from_alias and to_alias"
    )


@pytest.mark.parametrize(
    "said",
    [{"from_alias": "e"}, {"to_alias": "m"}, {"from_alias": "E", "to_alias": '"m"'}],
)
def test_named_aliases_decide_a_self_join(said: dict[str, str]) -> None:
    found = (
        shop()
        .joining("Employee", "REPORTS_TO", "Employee", "e.manager_id = m.employee_id", **said)
        .relationship()
    )
    assert found.pairs == (("manager_id", "employee_id"),)
    assert found.seek == "to"


def test_named_aliases_turn_a_self_join_around() -> None:
    found = (
        shop()
        .joining("Employee", "MANAGES", "Employee", "e.manager_id = m.employee_id", from_alias="m")
        .relationship()
    )
    assert found.pairs == (("employee_id", "manager_id"),)
    assert found.seek == "from"


def test_a_self_join_that_is_the_same_either_way_needs_no_names() -> None:
    found = shop().joining("Employee", "SITS_WITH", "Employee", "a.site = b.site").relationship()
    assert found.pairs == (("site", "site"),)


@pytest.mark.parametrize("alias", ["account", "ACCOUNT", "accounts", '"Account"'])
def test_an_alias_that_is_one_ends_label_or_table_name_stands_for_that_end(alias: str) -> None:
    # By their columns alone both assignments would do: each table has both columns.
    one = table("accounts", "id int; ref int", key="id")
    other = table("orders", "id int; ref int", key="id")
    found = (
        Case()
        .source("shop", one, other)
        .label("accounts", "Account")
        .label("orders", "Order")
        .joining("Account", "PLACED", "Order", f"{alias}.id = o.ref")
        .relationship()
    )
    assert found.pairs == (("id", "ref"),)


def test_a_label_as_alias_that_both_ends_share_decides_nothing() -> None:
    case = shop().joining(
        "Employee", "REPORTS_TO", "Employee", "employee.manager_id = boss.employee_id"
    )
    assert "can mean: from = employee, to = boss; or from = boss" in case.reason()


def test_what_the_row_names_goes_before_a_table_name() -> None:
    one = table("accounts", "id int; ref int", key="id")
    other = table("orders", "id int; ref int", key="id")
    found = (
        Case()
        .source("shop", one, other)
        .label("accounts", "Account")
        .label("orders", "Order")
        .joining("Account", "PLACED", "Order", "orders.id = o.ref", from_alias="orders")
        .relationship()
    )
    assert found.pairs == (("id", "ref"),)


def test_a_table_name_as_alias_of_a_column_that_the_table_lacks_is_refused() -> None:
    case = shop().joining("Account", "HAS", "Card", "cards.parent_id = a.card_id")
    assert case.reason() == ("join_condition uses cards.parent_id, a column that shop/cards lacks")


def test_a_junction_needs_three_aliases_and_keeps_its_further_columns_as_properties() -> None:
    found = (
        shop()
        .joining(
            "Ticket",
            "TAGGED",
            "Tag",
            "t.ticket_id = link.ticket_id AND link.tag_id = tag.tag_id",
            junction_table="ticket_tags",
        )
        .relationship()
    )
    assert found.junction is not None
    assert found.junction.table == ("shop", "ticket_tags")
    assert found.junction.node_label is None
    assert found.junction.from_pairs == (("ticket_id", "ticket_id"),)
    assert found.junction.to_pairs == (("tag_id", "tag_id"),)
    assert found.junction.properties == ("since",)


def test_a_junction_back_to_the_same_label_must_say_which_end_is_which() -> None:
    friends = table("friends", "one uuid; other uuid; since date", key="one other")
    case = Case().source("shop", ACCOUNTS, friends).label("accounts", "Account")
    on = "a.account_id = f.one AND f.other = b.account_id"
    case.joining("Account", "KNOWS", "Account", on, junction_table="friends")
    assert "from = a, to = b, junction = f; or from = b, to = a, junction = f" in case.reason()
    decided = Case().source("shop", ACCOUNTS, friends).label("accounts", "Account")
    decided.joining("Account", "KNOWS", "Account", on, junction_table="friends", to_alias="a")
    junction = decided.relationship().junction
    assert junction is not None
    assert junction.from_pairs == (("account_id", "other"),)
    assert junction.to_pairs == (("account_id", "one"),)


def test_a_junction_that_skips_one_end_is_refused() -> None:
    case = shop().joining(
        "Ticket",
        "TAGGED",
        "Tag",
        "t.ticket_id = link.ticket_id AND t.customer = tag.tag_name",
        junction_table="ticket_tags",
    )
    assert "fits no assignment of its aliases to from, to, junction" in case.reason()
    assert "each equality must join one end with the junction" in case.reason()


@pytest.mark.parametrize(
    ("on", "said", "reason"),
    [
        ("a.account_id = a.account_id", {}, "uses 1 aliases (a), but 2 are needed"),
        ("a.email = b.email AND b.email = c.email", {}, "uses 3 aliases (a, b, c), but 2 are"),
        ("a.email = b.email", {"from_alias": "x"}, "from_alias 'x' is no alias of join_condition"),
        (
            "a.email = b.email",
            {"from_alias": "a", "to_alias": "A"},
            "from_alias and to_alias are both 'A'",
        ),
        (
            "a.email = b.email",
            {"junction_alias": "b"},
            "junction_alias is 'b', but the row names no",
        ),
        (
            "a.emial = b.email",
            {},
            "uses a.emial, a column that no table of its labels has; did you mean 'email'?",
        ),
        ("a.parent_id = b.parent_id", {}, "(a has the columns of from; b has the columns of from)"),
        (
            "a.email = a.email AND b.card_id = b.card_id",
            {},
            "each equality must join one end with the other",
        ),
    ],
)
def test_aliases_that_fit_nothing_are_refused_with_what_to_do(
    on: str, said: dict[str, str], reason: str
) -> None:
    assert reason in shop().joining("Account", "HAS", "Card", on, **said).reason()


def test_blank_alias_columns_say_nothing() -> None:
    case = shop().joining(
        "Account", "HAS", "Card", "a.account_id = c.account_id", from_alias=" ", junction_alias=""
    )
    assert case.relationship().pairs == (("account_id", "account_id"),)


def test_mixed_case_columns_are_found_without_quotes_where_the_lower_case_one_is_not_there() -> (
    None
):
    people = table("People", "Id int; id text; BossId int?", key="Id")
    case = Case().source("hr", people).label("People", "Person")
    case.joining("Person", "UNDER", "Person", 'p.BossId = b."Id"', from_alias="p")
    assert case.relationship().pairs == (("BossId", "Id"),)
    unquoted = Case().source("hr", people).label("People", "Person")
    unquoted.joining("Person", "ALIAS", "Person", "p.Id = b.id", from_alias="p")
    assert unquoted.relationship().pairs == (("id", "id"),)


def test_quoted_columns_mean_their_exact_letters() -> None:
    case = shop().joining("Account", "HAS", "Card", 'a."Email" = c.email')
    assert (
        "a.Email, a column that no table of its labels has; did you mean 'email'?" in case.reason()
    )


def test_a_column_that_is_excluded_cannot_be_joined_by() -> None:
    case = shop().excluding("accounts", "email")
    case.joining("Account", "HAS", "Card", "a.email = c.email")
    assert case.reason() == (
        "join_condition 'a.email = c.email' uses email, which is excluded in shop/accounts"
        " (field_exclusion_rules row 1); join by another column, or give it the treatment hash on both"
        " sides"
    )


def test_an_exclusion_never_turns_a_condition_into_another_meaning() -> None:
    # Without accounts.email only `a` as the card would be left, which nobody meant.
    on = "a.email = c.account_id"
    reason = shop().joining("Account", "HAS", "Card", on).reason()
    assert "can mean" in reason
    assert (
        shop().excluding("accounts", "email").joining("Account", "HAS", "Card", on).reason()
        == reason
    )


def test_a_column_excluded_in_one_table_of_a_label_cannot_be_joined_by_in_another() -> None:
    old = table("old_accounts", "account_id uuid; email text", key="account_id")
    case = (
        Case()
        .source("shop", ACCOUNTS, old, CARDS)
        .label("accounts", "Account")
        .label("old_accounts", "Account")
        .label("cards", "Card")
        .excluding("old_accounts", "email")
        .joining("Account", "HAS", "Card", "a.email = c.email")
    )
    assert "excluded in shop/old_accounts (field_exclusion_rules row 1)" in case.reason()


def _ways() -> list[Callable[[], Case]]:
    return [
        lambda: shop().joining("Account", "HAS", "Card", "a.account_id = c.account_id"),
        lambda: shop().joining("Card", "OF", "Account", "a.account_id = c.account_id"),
    ]


@pytest.mark.parametrize(("way", "seek"), list(zip(_ways(), ["from", "to"], strict=True)))
def test_the_end_whose_key_is_joined_is_sought_for_each_row_of_the_other(
    way: Callable[[], Case], seek: str
) -> None:
    assert way().relationship().seek == seek
