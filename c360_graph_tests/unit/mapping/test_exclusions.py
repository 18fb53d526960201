"""Which rule governs a column, and which rules govern nothing."""

from __future__ import annotations

import pytest

from c360_graph_tests.unit.mapping.given import Case, table

PEOPLE = table("people", "id int; email text; Phone text?", key="id")


def people() -> Case:
    return Case().source("north", PEOPLE).source("south", PEOPLE).label("people", "Person")


def treatments(case: Case) -> list[dict[str, str | None]]:
    return [{p.column: p.treatment for p in t.properties} for t in case.resolve().tables]


def test_an_excluded_column_is_no_property_and_the_table_says_by_which_rule() -> None:
    tables = people().excluding("people", "email", source_id=1).resolve().tables
    assert [p.column for p in tables[0].properties] == ["id", "Phone"]
    assert [(e.column, e.rule_id) for e in tables[0].excluded] == [("email", 1)]
    assert [p.column for p in tables[1].properties] == ["id", "email", "Phone"]


@pytest.mark.parametrize(("named", "column"), [("PEOPLE", "EMAIL"), ("People", "phone")])
def test_letter_case_never_lets_a_column_slip_through(named: str, column: str) -> None:
    case = people().excluding(named, column)
    assert case.resolve().refusals == ()
    assert all(column.lower() not in {n.lower() for n in t} for t in treatments(case))


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ([("email", None, "exclude"), ("email", 1, "hash")], "hash"),
        ([("email", 1, "mask"), ("email", None, "exclude")], "mask"),
        ([("EMAIL", None, "exclude"), ("email", None, "hash")], "hash"),
        ([("EMAIL", None, "mask"), ("Email", None, "hash")], "hash"),
        ([("email", None, "mask"), ("email", None, "exclude")], None),
        ([("email", None, "scramble")], None),
    ],
)
def test_of_several_rules_the_more_exact_one_wins_and_then_the_stricter(
    rules: list[tuple[str, int | None, str]], found: str | None
) -> None:
    case = people()
    for column, source_id, treatment in rules:
        case.excluding("people", column, source_id=source_id, treatment=treatment)
    assert treatments(case)[0].get("email") == found


@pytest.mark.parametrize(
    ("table_name", "column", "source_id", "treatment", "reason"),
    [
        (
            "people",
            "emial",
            None,
            "exclude",
            "table 'people' has no column 'emial': the rule protects nothing; did you mean 'email'?",
        ),
        ("people", "emial", 1, "hash", "table 'people' has no column 'emial'"),
        (
            "peopel",
            "email",
            1,
            "exclude",
            "no table 'peopel' is in north: the rule protects nothing; did you mean 'people'?",
        ),
        ("ghosts", "email", None, "exclude", "no table 'ghosts' is in north, south"),
        (
            "people",
            "email",
            None,
            "scramble",
            "treatment 'scramble' is none of exclude, hash, mask; until it is corrected, the column is excluded",
        ),
    ],
)
def test_a_rule_that_protects_nothing_is_refused(
    table_name: str, column: str, source_id: int | None, treatment: str, reason: str
) -> None:
    case = people().excluding(table_name, column, source_id=source_id, treatment=treatment)
    assert reason in case.reason()
    assert str(case.resolve().refusals[0]).startswith("field_exclusion_rules row 1: ")


def test_a_rule_for_a_table_that_is_not_mapped_is_no_fault() -> None:
    case = Case().source("a", PEOPLE, table("other", "x int")).label("people", "Person")
    assert case.excluding("other", "x").excluding("other", "y").resolve().refusals == ()


def test_a_rule_for_a_source_that_was_not_asked_is_not_judged() -> None:
    case = Case().source("a", PEOPLE).source("b", asked=False).label("people", "Person")
    assert (
        case.excluding("ghosts", "x").excluding("ghosts", "x", source_id=2).resolve().refusals == ()
    )
