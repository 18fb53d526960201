"""The sample's tables and control rows, and what a mapping means, for tests of models."""

from __future__ import annotations

from typing import Any

from c360_graph.exchange.export_model import exported_model
from c360_graph.exchange.import_model import proposal_of
from c360_graph.exchange.import_spec import read_specification, written_specification
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import GraphMapping
from c360_graph.mapping.property_types import property_type
from c360_graph.mapping.resolve import resolve
from c360_graph.proposal.control_rows import Standing
from c360_graph.proposal.model import Proposal, SourceSchema
from c360_graph_tests.unit.mapping.given import Case, table


def sample() -> Case:
    """The tables and rows of the sample."""
    case = Case()
    case.source(
        "profiles_db",
        table(
            "accounts",
            "account_id uuid; email text; hashed_password text; full_name text?; created_at timestamptz",
            key="account_id",
            unique=("email",),
        ),
        table(
            "plans",
            "plan_id int; plan_name text; monthly_fee numeric(5,2); max_devices int?",
            key="plan_id",
            unique=("plan_name",),
        ),
        table(
            "payment_methods",
            "payment_method_id uuid; account_id uuid; card_fingerprint text?; card_type text?",
            key="payment_method_id",
            referring=("account_id",),
        ),
        table(
            "subscriptions",
            "subscription_id uuid; account_id uuid; plan_id int?; status text; starts_at timestamptz",
            key="subscription_id",
            referring=("account_id", "plan_id"),
        ),
    )
    case.source(
        "streaming_db",
        table("media_content", "media_id varchar; title text; release_date date?", key="media_id"),
        table(
            "play_events",
            "event_id bigint; account_id_from_token uuid?; media_id varchar?; event_timestamp timestamptz",
            key="event_id",
            referring=("media_id",),
        ),
    )
    case.source(
        "support_db",
        table("tickets", "ticket_id varchar; customer_email text?; subject text?", key="ticket_id"),
        table("ticket_tags", "tag_id int; tag_name text", key="tag_id", unique=("tag_name",)),
        table(
            "ticket_tag_link",
            "ticket_id varchar; tag_id int",
            key="ticket_id tag_id",
            referring=("ticket_id", "tag_id"),
        ),
    )
    case.excluding("accounts", "hashed_password", source_id=1)
    for source_id, name, label in (
        (1, "accounts", "Account"),
        (1, "plans", "Plan"),
        (1, "payment_methods", "PaymentMethod"),
        (1, "subscriptions", "Subscription"),
        (2, "media_content", "Media"),
        (2, "play_events", "PlayEvent"),
        (3, "tickets", "Ticket"),
        (3, "ticket_tags", "Tag"),
        (3, "ticket_tag_link", "TicketTagLink"),
    ):
        case.label(name, label, source_id=source_id)
    return _joined(case)


def _joined(case: Case) -> Case:
    own, play, support = "profiles_db", "streaming_db", "support_db"
    for source, start, kind, end, on in (
        (own, "Account", "HAS_PAYMENT_METHOD", "PaymentMethod", "a.account_id = pm.account_id"),
        (own, "Account", "HAS_SUBSCRIPTION", "Subscription", "a.account_id = s.account_id"),
        (own, "Subscription", "SUBSCRIBED_TO", "Plan", "s.plan_id = p.plan_id"),
        (play, "PlayEvent", "PLAYED", "Media", "pe.media_id = m.media_id"),
        (support, "Account", "SUBMITTED", "Ticket", "a.email = t.customer_email"),
        (play, "Account", "WATCHED", "PlayEvent", "a.account_id = pe.account_id_from_token"),
    ):
        case.joining(start, kind, end, on, source_db=source)
    return case.joining(
        "Ticket",
        "TAGGED_WITH",
        "Tag",
        "t.ticket_id = link.ticket_id AND link.tag_id = tag.tag_id",
        source_db=support,
        junction_table="ticket_tag_link",
        junction_label="TicketTagLink",
        from_alias="t",
        to_alias="tag",
        junction_alias="link",
    )


def standing(case: Case, rows: ControlRows | None = None) -> Standing:
    """The sources of a case with these rows, which are none by default."""
    active = (rows or ControlRows()).model_copy(update={"sources": tuple(case.sources)})
    schemas = (
        SourceSchema(source=source, catalog=case.catalogs[source.source_id])
        for source in case.sources
    )
    return Standing(active=active, every=active, schemas=tuple(schemas))


def exported_text(case: Case) -> str:
    """The document of a case."""
    return written_specification(exported_model(case.resolve()).specification)


def there_and_back(case: Case) -> tuple[Proposal, GraphMapping]:
    """What is proposed for the exported document of a case, and what it comes to where no row is there."""
    known = standing(case)
    proposal = proposal_of(read_specification(exported_text(case)), standing=known)
    return proposal, resolve(proposal.laid_over(known.active), known.catalogs)


def what_it_means(mapping: GraphMapping) -> dict[str, Any]:
    """Labels, keys and properties of tables, and relationships, without ids of rows."""
    return {
        "tables": {
            table.qualified_name: (
                table.node_label,
                table.extra.always,
                table.key,
                {
                    (prop.origin, prop.column): property_type(prop.type).name
                    for prop in table.columns_read
                },
            )
            for table in mapping.tables
        },
        "relationships": sorted(
            repr(
                one.model_dump(exclude={"relationship_id", "execution_order", "description"}),
            )
            for one in mapping.relationships
        ),
    }
