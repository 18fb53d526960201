"""Whether values that two columns have in common tell anything."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.mapping.catalog import CatalogTable
from c360_graph.proposal.candidates import (
    Candidate,
    as_numbered,
    candidates,
    decoys_for,
    doubt_about_names,
    doubt_about_values,
    doubt_by_chance,
    shared_out,
)
from c360_graph_tests.unit.mapping.given import table
from c360_graph_tests.unit.proposal.given import findings, schema

SCATTERED = [str(10_000_000 + int(sha256(b"%d" % n).hexdigest()[:6], 16)) for n in range(60)]


def candidate(column: str, key: str, *, kind: str = "int") -> Candidate:
    """A reference of another database, such as `orders.customer_id` to `customers.id`."""
    (own_table, own_column), (their_table, their_column) = column.split("."), key.split(".")
    ours = schema("ours", table(own_table, f"row_no bool; {own_column} {kind}", key="row_no"))
    theirs = schema("theirs", table(their_table, f"{their_column} {kind}", key=their_column))
    sides = [(one, one.catalog.tables) for one in (ours, theirs)]
    (found,) = candidates(sides[0], sides[1], findings({}, ours, theirs))
    return found


@pytest.mark.parametrize(
    ("kind", "values", "doubt"),
    [
        ("int", [str(n) for n in range(1, 51)], "numbers without gaps"),
        ("int", [str(n) for n in range(10, 2_000, 10)], "numbers without gaps"),
        ("int", [str(n) for n in range(1990, 2030)], "numbers without gaps"),
        ("int", ["170", "4", "9000"], "too few"),
        ("int", SCATTERED, None),
        ("uuid", [str(UUID(int=n)) for n in range(40)], "numbers without gaps"),
        ("uuid", [str(UUID(sha256(b"%d" % n).hexdigest()[:32])) for n in range(3)], None),
        ("text", [f"C{n:05}" for n in range(1, 90)], "numbers without gaps"),
        ("text", [f"C-{n}" for n in SCATTERED], None),
        ("text", ["open", "paid", "sent", "closed"] * 20, "too few"),
        ("text", [f"{a}{b}" for a in "ABCDEFG" for b in "ABCDEFG"], "as short as these"),
        ("text", [f"{a}{b}00" for a in "ABCDEFG" for b in "ABCDEFG"], "of this form are taken"),
        ("text", [sha256(b"%d" % n).hexdigest()[:12] for n in range(40)], None),
    ],
)
def test_values_that_every_database_has_tell_nothing(
    kind: str, values: list[str], doubt: str | None
) -> None:
    said = doubt_about_values(candidate("orders.part_ref", "parts.ref", kind=kind), values)
    assert (said is None) == (doubt is None)
    assert (doubt or "") in (said or "")


@pytest.mark.parametrize(
    ("reference", "key", "thing"),
    [
        ("orders.country_code", "countries.code", "country"),
        ("orders.status_code", "statuses.code", "status"),
        ("people.currency_name", "currencies.name", "currency"),
        ("sales.calendar_year", "calendar.year", "year"),
        ("orders.part_ref", "parts.ref", None),
        ("orders.company_name", "companies.name", None),
    ],
)
def test_lists_that_every_database_has_tell_nothing(
    reference: str, key: str, thing: str | None
) -> None:
    said = doubt_about_names(candidate(reference, key, kind="text"))
    assert said == (thing and f"a list of {thing} values is in many databases")


@given(
    st.lists(st.integers(min_value=0, max_value=10_000), min_size=5, max_size=60, unique=True),
    st.integers(min_value=1, max_value=50),
)
def test_decoys_are_numbers_between_those_of_the_reference_in_its_own_steps(
    numbers: list[int], step: int
) -> None:
    found = as_numbered([str(number * step) for number in numbers])
    assert found is not None
    decoys = decoys_for(found)
    for text in (*decoys.near, *decoys.between):
        assert found.numbers[0] <= int(text) <= found.numbers[-1]
        assert int(text) not in found.numbers
        assert (int(text) - found.numbers[0]) % step == 0


def test_a_key_with_the_numbers_between_as_well_agrees_by_chance() -> None:
    assert doubt_by_chance(0.05) is None
    assert doubt_by_chance(0.97) == "97 % of the numbers between them are in the key too"


def test_numbers_within_texts_keep_what_stands_around_them() -> None:
    found = as_numbered(["AB-0007-x", "AB-0100-x", "AB-0420-x"])
    assert found is not None
    assert found.numbers == (7, 100, 420)
    assert found.written(8) == "AB-0008-x"
    assert as_numbered(["AB-7", "CD-8"]) is None
    assert as_numbered(["one", "two"]) is None


def test_a_key_of_a_database_of_its_own_is_no_reference_to_that_of_another() -> None:
    ours = schema(
        "ours", table("users", "id int; code text; user_id uuid?", key="id", unique=("code",))
    )
    theirs = schema(
        "theirs", *(users := (table("users", "id int; code text", key="id", unique=("code",)),))
    )
    assert [str(c.key) for c in candidates((ours, ours.catalog.tables), (theirs, users), {})] == [
        "theirs/users.code"
    ]


def test_no_pair_of_sources_takes_the_share_of_another() -> None:
    def group(name: str, count: int) -> tuple[Candidate, ...]:
        keys = table("users", "id int; email text", key="id", unique=("email",))
        tables = tuple(table(f"t{n}", "user_id int; email text") for n in range(count))
        found: tuple[CatalogTable, ...] = (keys, *tables)
        return candidates((schema(name, *found), found), (schema("crm", keys), (keys,)), {})

    many, few = group("many", 90), group("few", 2)
    chosen, left = shared_out([many, few], most=20)
    assert len(chosen) == 20
    assert set(few) <= set(chosen)
    assert len(left) == len(many) + len(few) - 20
    # E-mail addresses come before numbers in each.
    assert [c.key.column for c in chosen[:4]] == ["email"] * 4
