"""Rows of quality_rules: what they mean, and why one cannot be checked."""

from __future__ import annotations

from typing import Any

import pytest

from c360_graph.mapping.control_rows import QualityRow
from c360_graph_tests.unit.mapping.given import Case, table

PEOPLE = table("people", "id int; email text?; state text; secret text", key="id")


def case(**row: Any) -> Case:
    made = Case().source("crm", PEOPLE).label("people", "Person").excluding("people", "secret")
    made.more = {"quality": (QualityRow(rule_id=4, **row),)}
    return made


def test_a_rule_is_checked_for_each_source_that_has_the_table() -> None:
    made = case(table_name="people", column_name="email", kind="unique", severity="warn")
    made.source("shop", PEOPLE)
    found = made.resolve()
    assert found.refusals == ()
    assert [rule.table for rule in found.quality] == [("crm", "people"), ("shop", "people")]
    assert {rule.severity for rule in found.quality} == {"warn"}


def test_arguments_are_read_once() -> None:
    (rule,) = case(table_name="people", kind="row_count", argument="1..").resolve().quality
    assert (rule.least, rule.most) == (1, None)
    (rule,) = (
        case(table_name="people", column_name="state", kind="accepted_values", argument='["a", 1]')
        .resolve()
        .quality
    )
    assert rule.accepted == ("a", "1")
    (rule,) = case(kind="no_rows", argument="MATCH (n) RETURN n;").resolve().quality
    assert (rule.table, rule.query) == (None, "MATCH (n) RETURN n")


def test_nothing_is_said_of_a_source_that_could_not_be_asked() -> None:
    made = Case().source("crm", asked=False).label("people", "Person", source_id=1)
    row = QualityRow(rule_id=4, table_name="people", column_name="email", kind="unique")
    made.more = {"quality": (row,)}
    found = made.resolve()
    assert (found.quality, found.refusals) == ((), ())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"kind": "notnull"}, "kind 'notnull' is none of not_null, unique, accepted_values, row_count, no_rows; did you mean 'not_null'?"),
        ({"kind": "not_null"}, "not_null needs a table_name"),
        ({"kind": "not_null", "table_name": "people"}, "not_null needs a column_name"),
        ({"kind": "not_null", "table_name": "people", "column_name": "id, email"}, "not_null needs a column_name"),
        ({"kind": "not_null", "table_name": "peple", "column_name": "id"}, "no mapped table is called 'peple'; did you mean 'people'?"),
        ({"kind": "not_null", "table_name": "people", "column_name": "emial"}, "crm/people has no column 'emial'; did you mean 'email'?"),
        ({"kind": "not_null", "table_name": "people", "column_name": "secret"}, "crm/people.secret is excluded by field_exclusion_rules row 1, so it is not read"),
        ({"kind": "not_null", "table_name": "people", "column_name": "id", "severity": "fatal"}, "severity 'fatal' is neither error nor warn"),
        ({"kind": "row_count", "table_name": "people", "argument": "many"}, "argument 'many' is not the least and the most rows, such as 1..1000"),
        ({"kind": "row_count", "table_name": "people", "argument": ".."}, "argument '..' is not the least and the most rows, such as 1..1000"),
        ({"kind": "row_count", "table_name": "people", "argument": "5..1"}, "argument '5..1' allows no number of rows"),
        ({"kind": "row_count", "table_name": "people", "column_name": "id", "argument": "1.."}, "row_count counts rows; leave column_name empty"),
        ({"kind": "accepted_values", "table_name": "people", "column_name": "state", "argument": "a, b"}, "argument 'a, b' is not a JSON list of values, such as [\"a\", \"b\"]"),
        ({"kind": "accepted_values", "table_name": "people", "column_name": "state", "argument": "[[1]]"}, "argument '[[1]]' has more than texts, numbers, true and false"),
        ({"kind": "no_rows"}, "no_rows needs a Cypher query in argument"),
        ({"kind": "no_rows", "table_name": "people", "argument": "RETURN 1"}, "no_rows asks the graph; leave table_name and column_name empty"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_checked_is_refused_with_the_reason(
    row: dict[str, Any], reason: str
) -> None:
    found = case(**row).resolve()
    assert found.quality == ()
    (refusal,) = found.refusals
    assert (refusal.control_table, refusal.row_id, refusal.reason) == ("quality_rules", 4, reason)
