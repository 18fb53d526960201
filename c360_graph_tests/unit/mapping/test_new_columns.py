"""Columns that nobody has decided on, and rules that find nothing."""

from __future__ import annotations

import pytest

from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.control_rows import ExclusionRow
from c360_graph.mapping.exclusions import (
    AcceptedColumn,
    ColumnHistory,
    holding_rules,
    rules_without_table,
    why_held_back,
    withheld_lines,
)
from c360_graph.mapping.model import TableMapping
from c360_graph.mapping.resolve import resolve
from c360_graph_tests.unit.mapping.given import Case, table

BEFORE = ("email", "id", "name")


def known(name: str = "people", columns: tuple[str, ...] = BEFORE, **more: bool) -> ColumnHistory:
    accepted = dict.fromkeys(columns, AcceptedColumn())
    return ColumnHistory(tables={1: {name: accepted}}, **more)


def people(columns: str, *rules: str, name: str = "people") -> Case:
    """A table as it is now, with rules for the table `people`."""
    made = Case().source("crm", table(name, columns, key="id")).label(name, "Person")
    for column in rules:
        made.excluding("people", column, source_id=1)
    return made


def read(case: Case, history: ColumnHistory) -> TableMapping:
    (found,) = resolve(case.rows, case.catalogs, history).tables
    return found


def holding(case: Case, history: ColumnHistory, number: int = 0) -> list[int]:
    source, catalog = case.sources[0], case.catalogs[1]
    lost = rules_without_table(source, catalog, case.rows)
    rules = holding_rules(source, catalog.tables[number], case.rows, history, without_table=lost)
    return [rule.rule_id for rule in rules]


def allowing(case: Case, column: str, table_name: str = "people") -> Case:
    row = ExclusionRow(rule_id=9, source_id=1, table_name=table_name, column_name=column)
    case.more["allowed"] = (row,)
    return case


def test_a_column_that_is_new_to_a_table_with_rules_is_no_property() -> None:
    found = read(people("id int; email text; name text; phone text", "email"), known())
    assert [p.column for p in found.properties] == ["id", "name"]
    assert found.withheld == ("phone",)
    assert set(found.known_columns) == {"id", "name", "email"}
    (line,) = withheld_lines([found])
    assert line.startswith("crm/people: phone withheld, new to a table with exclusion rules.")


@pytest.mark.parametrize(
    ("case", "history"),
    [
        (people("id int; email text; phone text"), known()),
        (people("id int; email text; phone text", "email"), ColumnHistory()),
        (people("id int; email text; phone text", "email"), known(lets_in=True)),
        (people("id int; email text; phone text", "email", "PHONE"), known()),
        (allowing(people("id int; email text; Phone text", "email"), "phone"), known()),
        (people("id int; email text; name text", "email"), known()),
    ],
    ids=["no rules", "never read", "the setting", "a rule", "a row", "nothing new"],
)
def test_nothing_is_withheld(case: Case, history: ColumnHistory) -> None:
    assert read(case, history).withheld == ()
    assert holding(case, history) == []


def test_every_treatment_makes_a_table_one_with_rules() -> None:
    for treatment in ("hash", "mask", "exclude"):
        case = people("id int; email text; phone text")
        case.excluding("PEOPLE", "Email", treatment=treatment)
        assert read(case, known()).withheld == ("phone",)


def test_a_row_lets_in_the_one_of_two_columns_that_it_writes_as_it_is() -> None:
    case = people("id int; email text; phone text", "email")
    case.catalogs[1] = case.catalogs[1].model_copy(
        update={
            "tables": (table("people", "id int; email text; Phone text; phone text", key="id"),)
        }
    )
    assert read(allowing(case, "PHONE"), known()).withheld == ("Phone", "phone")


def test_a_key_that_is_withheld_is_no_key() -> None:
    made = Case().source("crm", table("people", "no int; email text", key="no"))
    case = made.label("people", "Person").excluding("people", "email")
    assert read(case, known()).key == ()
    assert read(case, ColumnHistory()).key == ("no",)


@pytest.mark.parametrize("history", [known(), ColumnHistory(), known(lets_in=True)])
def test_a_rule_that_finds_no_column_holds_its_table_back(history: ColumnHistory) -> None:
    case = people("id int; email_address text; name text", "email")
    assert holding(case, history) == [1]
    (refusal,) = resolve(case.rows, case.catalogs, history).refusals
    assert refusal.reason == (
        "table 'people' has no column 'email': the rule protects nothing. Until the row is corrected,"
        " deleted or switched off, crm/people is not read"
    )
    said = why_held_back(case.sources[0], case.catalogs[1].tables[0], case.rows.exclusions, history)
    assert "field_exclusion_rules row 1 finds no column 'email'" in said
    assert "correct column_name of the row" in said


def test_a_column_whose_letter_case_changed_is_found() -> None:
    case = people("id int; EMAIL text", "email")
    assert holding(case, known()) == []
    assert [e.column for e in read(case, known()).excluded] == ["EMAIL"]


def test_a_rule_for_every_source_holds_back_the_table_that_had_its_column() -> None:
    case = people("id int; email_address text")
    case.excluding("people", "email")
    assert holding(case, known()) == [1]
    assert holding(case, ColumnHistory()) == []
    assert holding(case, known(columns=("id",))) == []
    # Another source's rule says nothing of this one.
    other = (
        people("id int; email_address text")
        .source("shop")
        .excluding("people", "email", source_id=2)
    )
    assert holding(other, known()) == []


def test_a_table_under_a_new_name_is_held_back_until_its_rule_has_that_name() -> None:
    renamed = people("id int; email text; name text", "email", name="clients")
    # It was read before under the rule's name, or it has the rule's column.
    assert holding(renamed, known()) == [1]
    assert holding(renamed, ColumnHistory()) == [1]
    (refusal,) = resolve(renamed.rows, renamed.catalogs, known()).refusals
    assert "no table 'people' is in crm: the rule protects nothing" in refusal.reason
    assert "crm/clients is not read" in refusal.reason
    both = people("id int; mail text; name text", "email", name="clients")
    assert holding(both, known()) == [1]
    assert holding(both, ColumnHistory()) == []


def test_a_table_that_was_read_before_or_is_decided_on_is_not_taken_for_another() -> None:
    columns = "id int; email text"
    assert holding(people(columns, "email", name="clients"), known("clients")) == []
    assert holding(people(columns, "email", name="clients"), known(lets_in=True)) == []
    ruled = people(columns, "email", name="clients").excluding("clients", "email", source_id=1)
    assert holding(ruled, ColumnHistory()) == []
    allowed = allowing(people(columns, "email", name="clients"), "email", "clients")
    assert holding(allowed, ColumnHistory()) == []


def test_a_rule_of_a_table_that_is_not_mapped_holds_nothing_back() -> None:
    tables: tuple[CatalogTable, ...] = (
        table("people", "id int", key="id"),
        table("other", "id int; email text", key="id"),
    )
    case = Case().source("crm", *tables).label("people", "Person")
    case.excluding("other", "gone", source_id=1)
    assert holding(case, known(columns=("id",))) == []
    assert case.resolve().refusals == ()


def test_a_join_by_a_withheld_column_is_refused_with_that_reason() -> None:
    case = people("id int; email text; boss int", "email")
    case.joining("Person", "KNOWS", "Person", "a.boss = b.id", from_alias="a", to_alias="b")
    (refusal,) = resolve(case.rows, case.catalogs, known()).refusals
    assert "uses boss, which is withheld in crm/people" in refusal.reason
    assert "is_excluded false" in refusal.reason
    assert resolve(case.rows, case.catalogs, ColumnHistory()).refusals == ()


def numbered(case: Case, *numbers: int) -> Case:
    """The case with attributes of the columns of its only table."""
    catalog = case.catalogs[1]
    (only,) = catalog.tables
    columns = tuple(
        column.model_copy(update={"attribute": (16400, number)})
        for column, number in zip(only.columns, numbers, strict=True)
    )
    case.catalogs[1] = catalog.model_copy(
        update={"tables": (only.model_copy(update={"columns": columns}),)}
    )
    return case


@pytest.mark.parametrize(
    ("rules", "numbers", "holds"),
    [
        ((("email", "exclude"),), (1, 2, 3), []),
        ((("email", "exclude"),), (1, 3, 2), [1]),
        ((("EMAIL", "hash"),), (1, 3, 2), [1]),
        ((("email", "hash"), ("name", "exclude")), (1, 3, 2), [2]),
        ((("email", "mask"), ("name", "mask")), (1, 3, 2), []),
        ((("email", "exclude"),), (2, 3, 1), [1]),
        ((("email", "exclude"),), (1, 9, 3), []),
    ],
    ids=["as it was", "swapped", "other letters", "strictest", "equal", "in a ring", "made anew"],
)
def test_a_rule_holds_its_table_while_its_column_has_a_name_that_is_treated_less_strictly(
    rules: tuple[tuple[str, str], ...], numbers: tuple[int, ...], holds: list[int]
) -> None:
    case = numbered(people("id int; email text; name text"), *numbers)
    for column, treatment in rules:
        case.excluding("people", column, source_id=1, treatment=treatment)
    treatments = {name.lower(): treatment for name, treatment in rules}
    accepted = {
        name: AcceptedColumn(attribute=(16400, number), treatment=treatments.get(name))
        for number, name in enumerate(("id", "email", "name"), start=1)
    }
    history = ColumnHistory(tables={1: {"people": accepted}})
    assert holding(case, history) == holds


def test_a_rule_that_names_the_swapped_column_rightly_holds_nothing() -> None:
    case = numbered(people("id int; email text; name text", "name"), 1, 3, 2)
    accepted = {
        "id": AcceptedColumn(attribute=(16400, 1)),
        "email": AcceptedColumn(attribute=(16400, 2), treatment="exclude"),
        "name": AcceptedColumn(attribute=(16400, 3)),
    }
    history = ColumnHistory(tables={1: {"people": accepted}})
    assert holding(case, history) == []
