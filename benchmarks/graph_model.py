"""The graph as one would write it down by hand, for the contenders that are not this project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["string", "integer", "float", "datetime", "date"]
ROWS_IN_TRANSACTION = 10_000


@dataclass(frozen=True, kw_only=True)
class Label:
    """A label and the table that it comes from; the columns with their kinds, in order."""

    name: str
    source: str
    table: str
    key: tuple[str, ...]
    columns: dict[str, Kind]


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A relationship type. `rows` is the label whose rows hold the references.

    `start_by` and `end_by` are (property of that end, column of `rows`); None where the row is the end.
    """

    type: str
    start: str
    end: str
    rows: str
    start_by: tuple[str, str] | None = None
    end_by: tuple[str, str] | None = None


LABELS = {
    label.name: label
    for label in (
        Label(
            name="Account",
            source="profiles_db",
            table="accounts",
            key=("account_id",),
            columns={
                "account_id": "string",
                "email": "string",
                "full_name": "string",
                "created_at": "datetime",
            },
        ),
        Label(
            name="Plan",
            source="profiles_db",
            table="plans",
            key=("plan_id",),
            columns={
                "plan_id": "integer",
                "plan_name": "string",
                "monthly_fee": "float",
                "max_devices": "integer",
            },
        ),
        Label(
            name="PaymentMethod",
            source="profiles_db",
            table="payment_methods",
            key=("payment_method_id",),
            columns={
                "payment_method_id": "string",
                "account_id": "string",
                "card_fingerprint": "string",
                "card_type": "string",
                "card_last_four": "string",
            },
        ),
        Label(
            name="Subscription",
            source="profiles_db",
            table="subscriptions",
            key=("subscription_id",),
            columns={
                "subscription_id": "string",
                "account_id": "string",
                "plan_id": "integer",
                "status": "string",
                "starts_at": "datetime",
                "renews_at": "datetime",
            },
        ),
        Label(
            name="Media",
            source="streaming_db",
            table="media_content",
            key=("media_id",),
            columns={
                "media_id": "string",
                "title": "string",
                "media_type": "string",
                "genre": "string",
                "release_date": "date",
                "duration_minutes": "integer",
            },
        ),
        Label(
            name="PlayEvent",
            source="streaming_db",
            table="play_events",
            key=("event_id",),
            columns={
                "event_id": "integer",
                "session_id": "string",
                "account_id_from_token": "string",
                "media_id": "string",
                "event_timestamp": "datetime",
                "action": "string",
                "ip_address": "string",
                "device_fingerprint": "string",
            },
        ),
        Label(
            name="Ticket",
            source="support_db",
            table="tickets",
            key=("ticket_id",),
            columns={
                "ticket_id": "string",
                "customer_email": "string",
                "agent_id": "string",
                "subject": "string",
                "status": "string",
                "created_at": "datetime",
                "last_updated_at": "datetime",
            },
        ),
        Label(
            name="Tag",
            source="support_db",
            table="ticket_tags",
            key=("tag_id",),
            columns={"tag_id": "integer", "tag_name": "string"},
        ),
        Label(
            name="TicketTagLink",
            source="support_db",
            table="ticket_tag_link",
            key=("ticket_id", "tag_id"),
            columns={"ticket_id": "string", "tag_id": "integer"},
        ),
    )
}

EDGES = (
    Edge(
        type="HAS_PAYMENT_METHOD",
        start="Account",
        end="PaymentMethod",
        rows="PaymentMethod",
        start_by=("account_id", "account_id"),
    ),
    Edge(
        type="HAS_SUBSCRIPTION",
        start="Account",
        end="Subscription",
        rows="Subscription",
        start_by=("account_id", "account_id"),
    ),
    Edge(
        type="SUBSCRIBED_TO",
        start="Subscription",
        end="Plan",
        rows="Subscription",
        end_by=("plan_id", "plan_id"),
    ),
    Edge(
        type="PLAYED",
        start="PlayEvent",
        end="Media",
        rows="PlayEvent",
        end_by=("media_id", "media_id"),
    ),
    Edge(
        type="TAGGED_WITH",
        start="Ticket",
        end="Tag",
        rows="TicketTagLink",
        start_by=("ticket_id", "ticket_id"),
        end_by=("tag_id", "tag_id"),
    ),
    Edge(
        type="SUBMITTED",
        start="Account",
        end="Ticket",
        rows="Ticket",
        start_by=("email", "customer_email"),
    ),
    Edge(
        type="WATCHED",
        start="Account",
        end="PlayEvent",
        rows="PlayEvent",
        start_by=("account_id", "account_id_from_token"),
    ),
)

SCHEMA = (
    *(
        f"CREATE CONSTRAINT FOR (n:{label.name}) REQUIRE"
        f" ({', '.join(f'n.{column}' for column in label.key)}) IS UNIQUE"
        for label in LABELS.values()
    ),
)
INDEXES = ("CREATE INDEX FOR (n:Account) ON (n.email)", "CALL db.awaitIndexes(600)")


def properties(label: Label, *, integers_are_text: bool) -> str:
    """The property map of a row that is the list `row`; `integers_are_text` as in a CSV file."""
    return ", ".join(
        f"{name}: {_converted(f'row[{position}]', kind, integers_are_text)}"
        for position, (name, kind) in enumerate(label.columns.items())
    )


def relationships(edge: Edge) -> str:
    """One statement that makes all relationships of a type from the nodes that are there."""
    matches = " ".join(
        f"MATCH ({variable}:{label} {{{by[0]}: row.{by[1]}}})"
        for variable, label, by in (("a", edge.start, edge.start_by), ("b", edge.end, edge.end_by))
        if by
    )
    start, end = "a" if edge.start_by else "row", "b" if edge.end_by else "row"
    return (
        f"MATCH (row:{edge.rows}) CALL (row) {{ {matches} CREATE ({start})-[:{edge.type}]->({end}) }}"
        f" IN TRANSACTIONS OF {ROWS_IN_TRANSACTION} ROWS"
    )


def _converted(text: str, kind: Kind, integers_are_text: bool) -> str:
    if kind == "integer":
        return f"toInteger({text})" if integers_are_text else text
    return {"float": f"toFloat({text})", "string": text}.get(kind, f"{kind}({text})")
