"""Properties that come, change and go, and values that the exclusion rules forbid."""

from __future__ import annotations

from dataclasses import replace

import pytest

from c360_graph.plan.diff import questions
from c360_graph.plan.inputs import CountsNeeded, GraphState
from c360_graph.plan.model import PlannedProperty, PlannedPurge, Way
from c360_graph_tests.unit.mapping.given import Case, table
from c360_graph_tests.unit.plan.given import intention, loaded, planned, shop


def test_properties_come_change_their_type_and_go() -> None:
    case = shop()
    case.catalogs[1] = case.catalogs[1].model_copy(
        update={"tables": (table("customers", "id int; born text?; note text?", key="id"),)}
    )
    before = loaded(shop())
    asked = questions(intention(case, way="reconcile"), before)
    assert asked == CountsNeeded(holders=(("Customer", "email"), ("Customer", "note")))
    plan = planned(case, replace(before, holders={("Customer", "email"): 2}))
    assert plan.properties == (
        PlannedProperty(label="Customer", name="note", change="new", types=("STRING",)),
        PlannedProperty(
            label="Customer",
            name="born",
            change="changed",
            types=("STRING",),
            former_types=("DATE",),
        ),
        PlannedProperty(
            label="Customer",
            name="email",
            change="removed",
            former_types=("STRING",),
            nodes=2,
            destroys=True,
        ),
    )
    assert plan.destroyed == ("Customer.email of 2 nodes (it is no longer read)",)
    assert planned(case, before).destroyed == ()


def test_an_array_may_have_been_json_or_empty() -> None:
    case = (
        Case()
        .source("a_db", table("things", "id int; tags text[]?", key="id"))
        .label("things", "Thing")
    )
    holding = GraphState(
        manifest=intention(case).desired,
        all_nodes=1,
        nodes={"Thing": 1},
        types={"Thing": {"id": ("INTEGER",), "tags": ("LIST<NOTHING>", "STRING")}},
    )
    assert planned(case, holding).properties == ()
    other = replace(holding, types={"Thing": {"tags": ("LIST<INTEGER>",)}})
    assert [found.name for found in planned(case, other).properties] == ["tags"]


@pytest.mark.parametrize(
    ("way", "listed", "outcome"),
    [
        ("clear", True, "removed"),
        ("reconcile", True, "removed"),
        ("clear", False, "removed"),
        ("reconcile", False, "stays"),
    ],
)
def test_an_excluded_value_in_the_graph_is_purged_unless_others_wrote_it(
    way: Way, listed: bool, outcome: str
) -> None:
    case = shop().excluding("customers", "email")
    before = loaded(shop() if listed else case)
    assert questions(intention(case), before).holders == (("Customer", "email"),)
    plan = planned(case, replace(before, holders={("Customer", "email"): 3}), way=way)
    assert [(p.property, p.nodes, p.outcome, p.rule_id) for p in plan.purges] == [
        ("email", 3, outcome, 1)
    ]
    assert bool(plan.destroyed) == listed


def test_plain_values_of_a_column_that_is_hashed_now_are_replaced() -> None:
    case = shop().excluding("customers", "email", treatment="hash")
    before = loaded(shop())
    assert questions(intention(case), before).untreated == (("Customer", "email", "hash"),)
    plan = planned(case, replace(before, untreated={("Customer", "email"): 3}))
    assert plan.purges == (
        PlannedPurge(
            label="Customer", property="email", treatment="hash", nodes=3, outcome="replaced"
        ),
    )
    assert plan.destroyed == ()
