"""Which columns look personal: by name, and by what sampled values look like."""

from __future__ import annotations

import pytest

from c360_graph.proposal.personal_columns import findings_of, likeness
from c360_graph.proposal.personal_names import kind_by_name
from c360_graph_tests.unit.mapping.given import column_type, table

EMAILS = [f"someone.{n}@mail{n}.example" for n in range(6)]


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("users.email text", "e-mail address"),
        ("tickets.customerEmail varchar", "e-mail address"),
        ("accounts.hashed_password text", "credential"),
        ("accounts.api_key text", "credential"),
        ("cards.cvv int", "credential"),
        ("people.mobile_no text", "phone number"),
        ("payments.card_number text", "card number"),
        ("payments.iban varchar", "bank account"),
        ("patients.ssn varchar", "national id"),
        ("drivers.passport_no text", "national id"),
        ("events.ip_address inet", "network address"),
        ("events.client inet", "network address"),
        ("phones.imei text", "device id"),
        ("nics.hw macaddr", "device id"),
        ("users.first_name text", "person's name"),
        ("customers.name text", "person's name"),
        ("users.street_address text", "postal address"),
        ("users.zip text", "postal address"),
        ("users.date_of_birth date", "birth date"),
        ("users.latitude double", "location"),
        ("patients.diagnosis text", "special category"),
    ],
)
def test_a_name_says_what_a_column_holds(place: str, kind: str) -> None:
    assert by_name(place) == kind


@pytest.mark.parametrize(
    "place",
    [
        "plans.name text",
        "plans.plan_name text",
        "ports.latitude double",
        "stores.address text",
        "users.email_verified text",
        "users.email bool",
        "users.password_changed_at timestamptz",
        "events.account_id_from_token uuid",
        "cards.card_last_four text",
        "cards.card_type text",
        "tickets.description text",
        "tickets.shipping_method text",
        "files.zipped_size bigint",
        "lines.company text",
    ],
)
def test_a_name_that_only_sounds_like_it_is_left(place: str) -> None:
    assert by_name(place) is None


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("e-mail address", EMAILS),
        ("phone number", [f"+49 30 12345{n:02}" for n in range(9)]),
        ("phone number", [f"(555) 123-45{n:02}" for n in range(9)]),
        # Test numbers of the card schemes.
        (
            "card number",
            [
                "4111 1111 1111 1111",
                "4012888888881881",
                "5555555555554444",
                "5105105105105100",
                "378282246310005",
                "6011111111111117",
            ],
        ),
        (
            "bank account",
            [
                "GB82 WEST 1234 5698 7654 32",
                "DE89370400440532013000",
                "FR1420041010050500013M02606",
                "CH9300762011623852957",
                "NL91ABNA0417164300",
            ],
        ),
        ("national id", [f"123-45-67{n:02}" for n in range(9)]),
        ("network address", [f"198.51.100.{n}" for n in range(6)]),
        ("network address", [f"2001:db8::{n}" for n in range(6)]),
        ("credential", [f"$2b$12$abcdefghijklmnopqrstuv{n}" for n in range(6)]),
    ],
)
def test_values_say_what_a_column_holds(kind: str, values: list[str]) -> None:
    found = likeness(values)
    assert found is not None
    assert (found.kind, found.count, found.of) == (kind, len(values), len(values))


@pytest.mark.parametrize(
    "values",
    [
        EMAILS[:4],
        [*EMAILS, "none", "n/a"],
        [f"2024-01-{n:02}" for n in range(1, 20)],
        [f"{n}.{n}.{n}" for n in range(1, 20)],
        [str(n) for n in range(5_000_000_000_000_000, 5_000_000_000_000_020)],
        [f"SKU-{n:09}" for n in range(20)],
        [f"{n:011}" for n in range(10_000, 10_040)],
        ["open", "closed"] * 20,
    ],
)
def test_few_values_or_others_say_nothing(values: list[str]) -> None:
    assert likeness(values) is None


def test_a_finding_holds_shares_and_no_value() -> None:
    found, remarks = findings_of(
        table("x", "id int; contact text; note text; doc jsonb", key="id"),
        {
            "contact": EMAILS,
            "note": [f"please write to {EMAILS[0]}", *(f"nothing here {n}" for n in range(9))],
            "doc": [f'{{"to": "{email}"}}' for email in EMAILS],
        },
    )
    assert {name: (f.kind, f.why) for name, f in found.items()} == {
        "contact": ("e-mail address", "100 % of 6 different sampled values look like one"),
        "doc": ("e-mail address", "100 % of 6 different sampled values hold one"),
    }
    assert remarks == (
        "note is proposed as it is, but 10 % of 10 different sampled values hold something like a"
        " e-mail address: judge whether it is to be excluded.",
    )


def by_name(place: str) -> str | None:
    names, _, kind = place.rpartition(" ")
    table_name, column = names.split(".")
    return kind_by_name(table_name, column, column_type(kind))
