"""What a load would do to graphs of several kinds: whole plans compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from c360_graph.cypher.schema import LabelProperties, constraint_name
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.plan.diff import plan_load, questions
from c360_graph.plan.inputs import GraphState
from c360_graph.plan.model import (
    PartnerSample,
    Plan,
    PlannedGraph,
    PlannedLabel,
    PlannedRelationships,
    PlannedSchema,
    PlannedSource,
    PlannedTable,
    RowEstimate,
    Way,
)
from c360_graph_tests.unit.mapping.given import table
from c360_graph_tests.unit.plan.given import EDGES, SERVER, intention, loaded, planned, shop

WAYS: tuple[Way, ...] = ("clear", "reconcile")


FIRST = Plan(
    way="clear",
    graph=PlannedGraph(server=SERVER, state="empty"),
    sources=(
        PlannedSource(source="crm_db", tables=1),
        PlannedSource(source="shop_db", tables=1),
    ),
    tables=(
        PlannedTable(
            source="crm_db",
            table="customers",
            label="Customer",
            rows=3,
            rows_basis="count",
            properties=2,
            excluded=("email",),
        ),
        PlannedTable(
            source="shop_db",
            table="purchases",
            label="Purchase",
            rows=None,
            rows_basis="unknown",
            properties=3,
            excluded=(),
        ),
    ),
    labels=(
        PlannedLabel(label="Customer", change="new", nodes=0, key=("id",)),
        PlannedLabel(label="Purchase", change="new", nodes=0, key=("no",)),
    ),
    relationships=(
        PlannedRelationships(
            type="BOUGHT",
            from_label="Customer",
            to_label="Purchase",
            change="new",
            relationship_id=1,
            relationships=0,
            sample=PartnerSample(sampled=5, matched=4),
        ),
    ),
    schema_changes=(
        PlannedSchema(
            kind="constraint",
            change="create",
            name=constraint_name(LabelProperties(label="Customer", properties=("id",))),
            label="Customer",
            properties=("id",),
        ),
        PlannedSchema(
            kind="constraint",
            change="create",
            name=constraint_name(LabelProperties(label="Purchase", properties=("no",))),
            label="Purchase",
            properties=("no",),
        ),
    ),
)
"""The plan for an empty graph."""


def test_for_an_empty_graph_everything_is_new() -> None:
    plan = plan_load(
        intention(shop().excluding("customers", "email")),
        server=SERVER,
        holding=GraphState(),
        estimates={("crm_db", "customers"): RowEstimate(rows=3, basis="count")},
        samples={1: PartnerSample(sampled=5, matched=4)},
    )
    assert plan == FIRST


@pytest.mark.parametrize("way", WAYS)
def test_a_graph_of_the_same_rows_changes_in_nothing(way: Way) -> None:
    plan = planned(shop(), loaded(shop()), way=way)
    assert {label.change for label in plan.labels} == {"unchanged"}
    assert {edges.change for edges in plan.relationships} == {"unchanged"}
    assert (plan.properties, plan.schema_changes, plan.purges, plan.destroyed) == ((), (), (), ())


def test_a_label_without_its_row_goes_with_its_relationships_and_constraint() -> None:
    case = shop()
    case.labels.pop()
    case.more = {"inactive_labels": ("Purchase",)}
    plan = planned(case, loaded(shop()), way="reconcile")
    assert plan.labels[1] == PlannedLabel(
        label="Purchase", change="removed", nodes=5, former_key=("no",), destroys=True
    )
    assert plan.relationships == (
        PlannedRelationships(
            type="BOUGHT",
            from_label="Customer",
            to_label="Purchase",
            change="removed",
            relationships=4,
            destroys=True,
        ),
    )
    assert [(s.change, s.label) for s in plan.schema_changes] == [("drop", "Purchase")]
    assert plan.inactive_relationship_ids == (1,)
    assert plan.destroyed == (
        "5 nodes of Purchase (no active, valid control row maps it)",
        "4 relationships BOUGHT from Customer to Purchase (no active, valid control row produces them)",
    )


@pytest.mark.parametrize(("way", "change"), [("reconcile", "kept"), ("clear", "removed")])
def test_what_a_refused_row_made_stays_unless_the_graph_is_cleared(way: Way, change: str) -> None:
    case = shop()
    case.labels[1] = case.labels[1].model_copy(update={"table_name": "moved"})
    plan = planned(case, loaded(shop()), way=way)
    (label,) = (found for found in plan.labels if found.label == "Purchase")
    (edges,) = plan.relationships
    assert (label.change, edges.change) == (change, change)
    assert bool(plan.destroyed) == (way == "clear")
    assert [refusal.row_id for refusal in plan.refusals] == [2, 1]


def test_a_changed_key_or_join_is_told() -> None:
    case = shop()
    case.catalogs[1] = case.catalogs[1].model_copy(
        update={"tables": (table("customers", "id int; email text; born date?", key="email"),)}
    )
    join = "customer.id = purchase.customer_id AND customer.id = purchase.no"
    case.relationships[0] = case.relationships[0].model_copy(update={"join_condition": join})
    plan = planned(case, loaded(shop()))
    assert plan.labels[0] == PlannedLabel(
        label="Customer", change="made anew", nodes=3, key=("email",), former_key=("id",)
    )
    assert [edges.change for edges in plan.relationships] == ["changed"]
    assert [(s.change, s.kind, s.properties) for s in plan.schema_changes] == [
        ("create", "constraint", ("email",)),
        ("drop", "constraint", ("id",)),
        ("create", "index", ("customer_id", "no")),
    ]


def test_a_relationship_that_is_only_described_otherwise_is_unchanged() -> None:
    case = shop()
    case.relationships[0] = case.relationships[0].model_copy(
        update={"description": "another", "execution_order": 7, "relationship_id": 70}
    )
    (edges,) = planned(case, loaded(shop())).relationships
    assert (edges.change, edges.relationship_id) == ("unchanged", 70)


@pytest.mark.parametrize("way", WAYS)
def test_what_others_wrote_is_destroyed_only_when_the_graph_is_cleared(way: Way) -> None:
    before = loaded(shop())
    types = {**before.types, "Customer": {**before.types["Customer"], "risk": ("FLOAT",)}}
    holding = replace(
        before,
        all_nodes=20,
        nodes={**before.nodes, "Analyst": 2},
        relationships={**before.relationships, "FLAGGED": 7},
        types=types,
        holders={("Customer", "risk"): 1},
        of_others={"Customer": {"risk": 1}} if way == "clear" else {},
    )
    asked = questions(intention(shop(), way=way), holding)
    assert asked.holders == (() if way == "clear" else (("Customer", "risk"),))
    assert asked.all_properties == (("Customer", "Purchase") if way == "clear" else ())
    plan = planned(shop(), holding, way=way)
    destroyed = (
        "2 nodes of Analyst (this project did not load them)",
        "10 nodes without a label",
        "Customer.risk of 1 nodes (others wrote it)",
        "7 relationships FLAGGED (this project did not load them)",
    )
    assert plan.destroyed == (destroyed if way == "clear" else ())
    assert plan.labels[-1].change == plan.relationships[-1].change == "foreign"


@pytest.mark.parametrize("way", WAYS)
def test_nodes_of_a_mapped_label_that_no_load_of_ours_made_are_at_risk(way: Way) -> None:
    holding = GraphState(all_nodes=2, nodes={"Customer": 2})
    plan = planned(shop(), holding, way=way)
    assert plan.graph == PlannedGraph(server=SERVER, state="foreign", nodes=2)
    assert [label.change for label in plan.labels] == ["taken over", "new"]
    assert plan.destroyed == (
        "2 nodes of Customer (this project did not load them; those that no row produces are removed)",
    )


def test_nothing_is_said_of_a_graph_that_cannot_be_asked() -> None:
    plan = plan_load(intention(shop()), server=SERVER, holding=None, problems=("It is down.",))
    assert plan.graph == PlannedGraph(server=SERVER, state="unreachable")
    assert {label.change for label in plan.labels} == {"unknown"}
    assert {edges.change for edges in plan.relationships} == {"unknown"}
    assert (plan.schema_changes, plan.destroyed) == ((), ())
    assert plan.problems == ("It is down.",)


def test_a_source_that_was_never_asked_takes_nothing_away() -> None:
    case = shop()
    del case.catalogs[2]
    holding = replace(
        loaded(shop()),
        schema=replace(
            loaded(shop()).schema,
            indexes={"c360_index_x": LabelProperties(label="Purchase", properties=("no",))},
        ),
    )
    plan = plan_load(
        intention(case), server=SERVER, holding=holding, source_problems={2: "shop_db is down."}
    )
    assert plan.sources[1] == PlannedSource(source="shop_db", tables=1, problem="shop_db is down.")
    assert plan.labels[1].change == "unknown"
    assert [edges.change for edges in plan.relationships] == ["unknown"]
    assert plan.waiting_relationships == (1,)
    assert (plan.properties, plan.schema_changes, plan.destroyed) == ((), (), ())
    assert plan.problems == ("shop_db is down.",)


def test_a_load_that_broke_off_is_told() -> None:
    holding = replace(loaded(shop()), is_whole=False)
    assert planned(shop(), holding).graph.state == "broken"


def test_nodes_of_a_label_of_which_nothing_was_ever_loaded_are_those_of_others() -> None:
    manifest = GraphManifest(labels={"Customer": (), "Purchase": ()})
    holding = replace(loaded(shop()), manifest=manifest, edges={EDGES: 4})
    plan = planned(shop(), holding)
    assert [label.change for label in plan.labels] == ["taken over", "taken over"]
    assert len(plan.destroyed) == 3
    assert plan.properties == ()
