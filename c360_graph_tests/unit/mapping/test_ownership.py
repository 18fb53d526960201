"""Owners and tags from control rows."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.mapping.control_rows import Refusal
from c360_graph.mapping.label_rows import Ownership, ownership_of, refused_ownership
from c360_graph_tests.unit.mapping.given import Case, table


def owned(source: dict[str, Any], label: dict[str, Any]) -> Case:
    case = Case().source("a", table("t", "id int", key="id")).label("t", "T")
    case.sources[0] = case.sources[0].model_copy(update=source)
    case.labels[0] = case.labels[0].model_copy(update=label)
    return case


def of(case: Case) -> Ownership:
    return ownership_of(case.resolve().tables[0], case.rows)


def test_rows_without_owner_and_tags_have_none() -> None:
    assert of(owned({}, {})) == Ownership()


def test_the_tables_owner_goes_before_the_sources_and_tags_join() -> None:
    source = {"owner": "data@example.com", "tags": "pii, tier=gold"}
    assert of(owned(source, {})) == Ownership(
        owners=("data@example.com",), tags=(("pii", ""), ("tier", "gold"))
    )
    assert of(
        owned(source, {"owner": "team:billing,  me@example.com", "tags": "tier=silver"})
    ) == Ownership(
        owners=("team:billing", "me@example.com"), tags=(("pii", ""), ("tier", "silver"))
    )


def test_what_cannot_be_shown_is_refused_by_its_row_and_the_table_is_read_all_the_same() -> None:
    case = owned({"owner": "nobody"}, {"tags": "a b, fine"})
    mapping = case.resolve()
    assert mapping.tables[0].node_label == "T"
    assert mapping.refusals == (
        Refusal(
            control_table="node_label_mappings",
            row_id=1,
            reason="tag 'a b' is not key or key=value of letters, digits, _ . and -, 63 at most each;"
            " it is not shown",
        ),
        Refusal(
            control_table="source_databases",
            row_id=1,
            reason="owner 'nobody' is neither an email address nor team:NAME; it is not shown",
        ),
    )
    assert of(case) == Ownership(tags=(("fine", ""),))


@pytest.mark.parametrize("owner", ["a@b.co", "team:x", "first.last+tag@mail.example.org"])
def test_usual_owners_are_taken(owner: str) -> None:
    assert of(owned({"owner": owner}, {})).owners == (owner,)


@given(
    owner=st.text() | st.from_regex(r"\A[ -~]*@[ -~]*\.[a-z]{1,9}\Z") | st.just("team:"),
    tags=st.text() | st.from_regex(r"\A[!-~]*=[!-~]*\Z") | st.just("dagster/x"),
)
def test_dagster_takes_whatever_is_not_refused(owner: str, tags: str) -> None:
    case = owned({"owner": owner}, {"tags": tags})
    found = of(case)
    dg.AssetSpec("t", owners=found.owners, tags=dict(found.tags))
    told = len(refused_ownership(case.rows)) + len(found.owners) + len(found.tags)
    assert bool(told) == any(part.strip() for part in f"{owner},{tags}".split(","))
