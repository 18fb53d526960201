"""Joins by functions around columns: what they are named for, and where they are computed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.mapping.join_forms import join_column, parsed, source_column
from c360_graph.mapping.join_functions import PLAIN, JoinFunctions, functions_named
from c360_graph_tests.unit.mapping.given import Case, table

CALLS = st.lists(st.sampled_from((*PLAIN, "phone_DE", "phone_US")), min_size=1, max_size=6)
COLUMNS = st.text(min_size=1, max_size=20) | st.lists(
    st.sampled_from(["_", "__", "lower", "trim", "email", "local", "unicode", "text", "x"]),
    min_size=1,
    max_size=6,
).map("".join)


@given(CALLS.map(tuple), st.booleans(), COLUMNS)
def test_a_name_tells_functions_and_column_whatever_the_column_is_called(
    calls: tuple[str, ...], unicode: bool, column: str
) -> None:
    functions = JoinFunctions(calls=calls, unicode=unicode)
    assert functions_named(functions.name) == functions
    assert parsed(join_column(functions, column)) == (functions, column)
    assert source_column(join_column(functions, column)) == column


@given(COLUMNS)
def test_a_form_is_not_taken_for_functions(column: str) -> None:
    assert parsed(join_column("text", column)) == ("text", column)


def crm_and_shop(on: str, *, kind: str = "text", other: str = "text", sources: int = 1) -> Case:
    people = table("people", f"id int; email {kind}?", key="id")
    accounts = table("accounts", f"no int; mail {other}?", key="no")
    case = Case()
    if sources == 1:
        case.source("crm", people, accounts)
    else:
        case.source("crm", people).source("shop", accounts)
    return (
        case.label("people", "Person")
        .label("accounts", "Account")
        .joining("Person", "HAS", "Account", on)
    )


@pytest.mark.parametrize(
    ("on", "sources", "pair"),
    [
        ("lower(trim(p.email)) = lower(a.mail)", 1, ("lower_trim__email", "lower__mail")),
        # Two databases may lower by different rules: there it is this process that does it.
        ("lower(trim(p.email)) = lower(a.mail)", 2, ("unicode_lower_trim__email", "unicode_lower__mail")),
        ("trim(p.email) = digits(a.mail)", 2, ("trim__email", "digits__mail")),
        ("email(p.email) = email(a.mail)", 1, ("email__email", "email__mail")),
        ("email(p.email) = email(a.mail)", 2, ("unicode_email__email", "unicode_email__mail")),
        ("lower(unaccent_ascii(p.email)) = lower(a.mail)", 2, ("lower_unaccent_ascii__email", "unicode_lower__mail")),
        ("unaccent_ascii(lower(p.email)) = a.mail", 2, ("unicode_unaccent_ascii_lower__email", "text_mail")),
        ("phone(p.email, 'de') = phone(trim(a.mail), 'GB')", 2, ("phone_DE__email", "phone_GB_trim__mail")),
        ("a.mail = lower(p.email)", 1, ("lower__email", "text_mail")),
    ],
)  # fmt: skip
def test_each_side_is_joined_by_a_property_named_for_its_functions(
    on: str, sources: int, pair: tuple[str, str]
) -> None:
    case = crm_and_shop(on, sources=sources)
    assert case.relationship().pairs == ((f"_c360_join_{pair[0]}", f"_c360_join_{pair[1]}"),)
    forms = {
        mapped.table_name: [prop.column for prop in mapped.properties if prop.form]
        for mapped in case.resolve().tables
    }
    assert forms == {"people": [f"_c360_join_{pair[0]}"], "accounts": [f"_c360_join_{pair[1]}"]}


def test_the_property_that_is_looked_up_is_indexed() -> None:
    mapping = crm_and_shop("lower(p.email) = lower(a.mail)").resolve()
    indexed = {mapped.table_name: mapped.indexed for mapped in mapping.tables}
    assert indexed == {"people": (("_c360_join_lower__email",),), "accounts": ()}


@pytest.mark.parametrize(
    ("on", "kinds", "reason"),
    [
        ("lower(p.email) = a.mail", ("int", "text"), "lower() takes texts, and int is none"),
        ("lower(p.email) = a.mail", ("uuid", "text"), "lower() takes texts, and uuid is none"),
        ("lower(p.email) = a.mail", ("enum:mood", "text"), "lower() takes texts, and mood is none"),
        ("lower(p.email) = a.mail", ("text[]", "text"), "lower() takes texts, and text[] is none"),
        ("lower(digits(p.email)) = a.mail", ("numeric", "text"), "digits() takes texts, and numeric is none"),
        ("phone(p.email, 'DE') = a.mail", ("bool", "text"), "phone() takes texts, and bool is none"),
        ("digits(p.email) = a.mail", ("int", "int"), "never compare equal in the graph; map a view that casts"),
    ],
)  # fmt: skip
def test_what_functions_cannot_take_is_refused_with_the_reason(
    on: str, kinds: tuple[str, str], reason: str
) -> None:
    assert reason in crm_and_shop(on, kind=kinds[0], other=kinds[1]).reason()


def test_digits_and_phone_take_whole_numbers() -> None:
    case = crm_and_shop("digits(p.email) = phone(a.mail, 'DE')", kind="bigint", other="int")
    assert case.relationship().pairs == (("_c360_join_digits__email", "_c360_join_phone_DE__mail"),)


def test_an_excluded_and_a_masked_column_cannot_be_joined_by_and_both_sides_are_hashed_or_none() -> (
    None
):
    def treated(*treatments: str) -> Case:
        case = crm_and_shop("lower(p.email) = lower(a.mail)")
        for column, treatment in zip(
            (("people", "email"), ("accounts", "mail")), treatments, strict=False
        ):
            case.excluding(*column, treatment=treatment)
        return case

    assert "uses email, which is excluded" in treated("exclude").reason()
    assert "a masked column cannot be joined by" in treated("mask", "mask").reason()
    assert "give both sides the treatment hash" in treated("hash").reason()
    mapped = treated("hash", "hash").resolve()
    assert mapped.refusals == ()
    assert {p.treatment for t in mapped.tables for p in t.properties if p.form} == {"hash"}


def test_a_junction_keeps_a_value_that_it_is_joined_by_in_another_writing() -> None:
    mapping = (
        Case()
        .source(
            "one",
            table("people", "id int; email text", key="id"),
            table("links", "mail text; friend int; since int", key="mail friend"),
        )
        .label("people", "Person")
        .joining(
            "Person",
            "KNOWS",
            "Person",
            "email(a.email) = email(l.mail) AND l.friend = b.id",
            junction_table="links",
            from_alias="a",
            to_alias="b",
        )
        .relationship()
    )
    assert mapping.junction is not None
    assert mapping.junction.from_pairs == (("_c360_join_email__email", "_c360_join_email__mail"),)
    assert mapping.junction.properties == ("mail", "since")
