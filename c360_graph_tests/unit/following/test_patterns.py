"""Which relationships a changed table may gain or lose, by what they are found, and which are left to loads."""

from __future__ import annotations

import pytest

from c360_graph.cypher.schema import LabelProperties
from c360_graph.following.relationships import Patterns, why_links_are_left
from c360_graph.mapping.model import GraphMapping
from c360_graph_tests.unit.mapping.given import Case, table


def desk(*, link: str, key: str, ticket: str = "text") -> Case:
    """Tickets and tags, and the table between them."""
    tables = (
        table("tickets", f"ticket_id {ticket}; title text?", key="ticket_id"),
        table("tags", "tag_id int; name text", key="tag_id"),
        table("links", link, key=key),
    )
    return Case().source("desk", *tables).label("tickets", "Ticket").label("tags", "Tag")


ON = "t.ticket_id = l.ticket_id AND l.tag_id = g.tag_id"


def tagged(case: Case) -> GraphMapping:
    case.joining(
        "Ticket",
        "TAGGED",
        "Tag",
        ON,
        junction_table="links",
        from_alias="t",
        to_alias="g",
        junction_alias="l",
    )
    mapping = case.resolve()
    assert mapping.refusals == ()
    return mapping


def links(mapping: GraphMapping) -> str | None:
    found = mapping.table(("desk", "links"))
    assert found is not None
    return why_links_are_left(mapping, found)


def test_a_junction_without_a_label_whose_key_is_what_it_joins_is_followed() -> None:
    mapping = tagged(desk(link="ticket_id text; tag_id int", key="ticket_id tag_id"))
    assert links(mapping) is None
    patterns = Patterns(mapping, {"desk/links", "desk/tickets", "desk/tags"})
    assert [pattern.edges for pattern in patterns.followed] == [("TAGGED", "Ticket", "Tag")]
    tickets = mapping.table(("desk", "tickets"))
    assert tickets is not None
    assert patterns.told(tickets) == ("ticket_id",)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (desk(link="id int; ticket_id text; tag_id int", key="id"), "its key does not hold"),
        (
            desk(link="ticket_id text; tag_id int", key="ticket_id tag_id").excluding(
                "links", "ticket_id", treatment="hash"
            ).excluding("tickets", "ticket_id", treatment="hash"),
            "hashed or masked",
        ),
        (
            desk(link="ticket_id date; tag_id int", key="ticket_id tag_id", ticket="date"),
            "neither integers, texts nor uuids",
        ),
    ],
    ids=["another key", "hashed", "dates"],
)  # fmt: skip
def test_a_junction_without_a_label_that_cannot_be_followed_says_why(
    case: Case, reason: str
) -> None:
    assert reason in (links(tagged(case)) or "")


def test_what_goes_through_a_table_that_is_not_followed_is_left_to_loads() -> None:
    mapping = tagged(desk(link="ticket_id text; tag_id int", key="ticket_id tag_id"))
    patterns = Patterns(mapping, {"desk/tickets", "desk/tags"})
    assert [pattern.edges for pattern in patterns.left] == [("TAGGED", "Ticket", "Tag")]
    assert patterns.followed == ()


def test_the_side_that_refers_is_indexed_since_the_other_may_come_late() -> None:
    tables = (
        table("accounts", "account_id int; name text?", key="account_id"),
        table("events", "event_id int; account int?", key="event_id"),
    )
    case = Case().source("shop", *tables).label("accounts", "Account").label("events", "Event")
    mapping = case.joining(
        "Account", "DID", "Event", "a.account_id = e.account", from_alias="a", to_alias="e"
    ).resolve()
    patterns = Patterns(mapping, set())
    assert patterns.indexes() == (LabelProperties(label="Event", properties=("account",)),)
    events, accounts = mapping.table(("shop", "events")), mapping.table(("shop", "accounts"))
    assert events is not None
    assert accounts is not None
    assert patterns.joined(events) == {"account"}
    # A name that changes touches no relationship.
    assert patterns.joined(accounts) == {"account_id"}
