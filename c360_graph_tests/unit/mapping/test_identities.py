"""What rows of identity_rules mean, and why others are refused."""

from __future__ import annotations

from typing import Any

import pytest

from c360_graph.mapping.control_rows import IdentityRuleRow
from c360_graph.mapping.exclusions import forbidden_columns
from c360_graph.mapping.model import Identifier
from c360_graph_tests.unit.mapping.given import Case, table


def rule(number: int, table_name: str, column: str, **more: Any) -> IdentityRuleRow:
    given = {"entity_label": "LoyalCustomer", "identifier_kind": "email", **more}
    return IdentityRuleRow(rule_id=number, table_name=table_name, column_name=column, **given)


def case(*rules: IdentityRuleRow) -> Case:
    made = (
        Case()
        .source("crm", table("people", "id int; email text?; age int?", key="id"))
        .source("shop", table("accounts", "a text; b int; mail text?", key="a b"))
        .label("people", "Person")
        .label("accounts", "Account")
    )
    made.more = {"identity_rules": rules}
    return made


def test_rules_make_entities_and_a_table_of_links_for_each_table_of_records() -> None:
    mapping = case(
        rule(1, "people", "email", normaliser="email"),
        rule(2, "accounts", "mail", normaliser="lower(trim(value))", min_agreement=2),
    ).resolve()
    assert mapping.refusals == ()
    (identity,) = mapping.identities
    assert [record.identifiers for record in identity.records] == [
        (Identifier(kind="email", column="_c360_join_unicode_email__email"),),
        (Identifier(kind="email", column="_c360_join_unicode_lower_trim__mail", min_agreement=2),),
    ]
    names = {t.asset_key: [p.column for p in t.properties] for t in mapping.tables}
    assert names == {
        ("crm", "people"): ["id", "email", "age", "_c360_join_unicode_email__email"],
        ("shop", "accounts"): ["a", "b", "mail", "_c360_join_unicode_lower_trim__mail"],
        ("loyal_customer_identity", "loyal_customer"): ["loyal_customer_id", "records"],
        ("loyal_customer_identity", "crm.people"): ["identity_id", "key_id"],
        ("loyal_customer_identity", "shop.accounts"): ["identity_id", "key_a", "key_b"],
    }
    drawn = [(r.from_label, r.relationship_type, r.to_label) for r in mapping.relationships]
    assert drawn == [
        ("LoyalCustomer", "IS", "Person"),
        ("LoyalCustomer", "IS", "Account"),
    ]
    junction = mapping.relationships[1].junction
    assert junction is not None
    assert junction.from_pairs == (("loyal_customer_id", "identity_id"),)
    assert junction.to_pairs == (("a", "key_a"), ("b", "key_b"))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (rule(1, "people", "e_mail"), "no column 'e_mail' that is read"),
        (rule(1, "persons", "email"), "no table 'persons' has a label"),
        (rule(1, "people", "age", normaliser="email"), "email() takes texts, and int is none"),
        (rule(1, "people", "email", normaliser="soundex"), "normaliser 'soundex' cannot be used"),
        (rule(1, "people", "email", normaliser="phone(value, 'UK')"), "a country of ISO 3166"),
        (rule(1, "people", "email", normaliser="email(value) = 1 OR x.y"), "cannot be used"),
        (rule(1, "people", "email", min_agreement=0), "min_agreement is 0"),
        (rule(1, "people", "email", entity_label="Person"), "a label of node_label_mappings"),
        (rule(1, "people", "email", entity_label="_C360Load"), "kept for the loader"),
        (rule(1, "people", "email", source_id=9), "source_id 9 is no active row"),
        (rule(1, "people", "email", comparison="soundex"), "comparison 'soundex' cannot be used"),
        (rule(1, "people", "age", comparison="name"), "it takes texts, and int is none"),
        (rule(1, "people", "email", comparison="name", min_agreement=2), "are both set"),
        (rule(1, "people", "email", comparison="code"), "at least 2 kinds are needed"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_with_its_reason(
    wrong: IdentityRuleRow, reason: str
) -> None:
    mapping = case(wrong).resolve()
    (refusal,) = mapping.refusals
    assert (refusal.control_table, refusal.row_id) == ("identity_rules", 1)
    assert reason in refusal.reason
    assert mapping.identities == ()
    assert len(mapping.tables) == 2


def test_a_rule_that_is_refused_leaves_the_others_of_its_label() -> None:
    mapping = case(rule(1, "people", "email"), rule(2, "accounts", "none")).resolve()
    assert [record.table for record in mapping.identities[0].records] == [("crm", "people")]


def test_a_hashed_column_beside_one_that_is_not_is_refused() -> None:
    mapping = (
        case(rule(1, "people", "email"), rule(2, "accounts", "mail"))
        .excluding("people", "email", treatment="hash")
        .resolve()
    )
    assert {r.row_id for r in mapping.refusals} == {1, 2}
    assert "crm/people.email is hashed and shop/accounts.mail is not" in mapping.refusals[0].reason


def test_a_masked_column_identifies_nobody() -> None:
    mapping = case(rule(1, "people", "email")).excluding("people", "email", treatment="mask")
    assert "masked values are not unique" in mapping.reason()


def test_while_a_source_cannot_be_reached_the_entities_of_the_last_load_stay() -> None:
    made = case(rule(1, "people", "email"), rule(2, "rest", "mail"))
    made.source("away", asked=False).label("rest", "Rest", source_id=3)
    mapping = made.resolve()
    assert mapping.identities == ()
    assert "whose source cannot be reached" in str(mapping.refusals[0])


def test_what_a_rule_forbids_of_a_key_is_forbidden_in_the_links_too() -> None:
    made = case(rule(1, "people", "email"))
    (links,) = [t for t in made.resolve().tables if t.table_name == "crm.people"]
    assert forbidden_columns(links, made.rows) == ()
    assert forbidden_columns(links, made.excluding("people", "ID").rows) == ("key_id",)


def compared() -> list[IdentityRuleRow]:
    return [
        rule(1, "people", "email", normaliser="email"),
        rule(2, "people", "email", comparison="code"),
        rule(3, "accounts", "mail", comparison=" Code"),
        rule(4, "people", "age", identifier_kind="age", comparison="exact"),
    ]


def test_rows_with_a_comparison_make_a_table_of_entities_that_may_be_the_same() -> None:
    mapping = case(*compared()).resolve()
    assert mapping.refusals == ()
    (identity,) = mapping.identities
    assert [record.identifiers for record in identity.records][1] == ()
    assert [[c.column for c in record.compared] for record in identity.records] == [
        ["email", "age"],
        ["mail"],
    ]
    assert identity.tables[-1].asset_key == ("loyal_customer_identity", "possibly_same_as")
    drawn = mapping.relationships[-1]
    assert (drawn.from_label, drawn.relationship_type, drawn.to_label) == (
        "LoyalCustomer",
        "POSSIBLY_SAME_AS",
        "LoyalCustomer",
    )
    assert drawn.junction is not None
    assert drawn.junction.to_pairs == (("loyal_customer_id", "other_id"),)
    assert drawn.copied == ("score",)
    assert len({r.relationship_id for r in mapping.relationships}) == len(mapping.relationships)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (rule(5, "accounts", "a", comparison="name"), "has the comparison code in another row"),
        (rule(5, "accounts", "a", comparison="code"), "another column of the table is compared"),
    ],
)
def test_a_kind_is_compared_in_one_way_and_by_one_column_of_a_table(
    more: IdentityRuleRow, reason: str
) -> None:
    mapping = case(*compared(), more).resolve()
    (refusal,) = mapping.refusals
    assert (refusal.row_id, reason in refusal.reason) == (5, True)
    assert mapping.identities[0].similar is not None


def test_hashed_values_are_compared_for_being_equal_alone() -> None:
    made = case(*compared()).excluding("people", "email", treatment="hash")
    assert "hashes of similar values are not similar" in made.reason()
