"""Refused control rows: the rest of the graph is built, and each is reported with its reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from c360_graph.errors import MappingError
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.schemas.world import World, built

REASONS = {
    "field_exclusion_rules row 3": "no table 'no_such' is in shop: the rule protects nothing",
    "node_label_mappings row 3": "source shop has no table 'no_such' in schema 'public'",
    "node_label_mappings row 4": "source shop has no table 'pg_class' in schema 'public'",
    "node_label_mappings row 5": "node_label is empty",
    "node_label_mappings row 6": "begins with _C360, which is kept for the loader's own nodes",
    "relationship_mappings row 2": "to_label 'Nobody' is the label of no table that can be read",
    "relationship_mappings row 3": "uses c.no_such, a column that no table of its labels has",
    "relationship_mappings row 4": "is excluded in shop/customers (field_exclusion_rules row 1)",
    "relationship_mappings row 5": "shop/customers.email (text, property STRING) and"
    " shop/orders.customer (integer, property INTEGER) never compare equal",
    "relationship_mappings row 6": "can mean: from = a, to = b; or from = b, to = a",
    "relationship_mappings row 7": "from_alias 'x' is no alias of join_condition",
    "relationship_mappings row 8": "is no equality of two alias.column",
    "relationship_mappings row 9": "'(SELECT 1)' is not alias.column",
    "relationship_mappings row 10": "'UPPER(c.email)' is not alias.column",
    "relationship_mappings row 11": "holds a comment, which is not allowed",
    "relationship_mappings row 12": "holds a semicolon, which is not allowed",
    "relationship_mappings row 13": "relationship_type is empty",
    "relationship_mappings row 14": "it repeats row 1",
    "relationship_mappings row 15": "junction_table 'no_such' is no table that can be read",
    "relationship_mappings row 16": "execution_order: Input should be a valid integer",
}


@pytest.fixture(scope="module")
def shop(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with built("quarantine", servers, tmp_path_factory.mktemp("quarantine")) as world:
        yield world


def test_the_sound_rows_are_built(shop: World) -> None:
    nodes, relationships = shop.counts()
    assert nodes == {"Customer": 9, "Order": 20}
    assert relationships == {
        "PLACED": shop.number(
            "shop", "SELECT count(*) FROM customers c JOIN orders o ON c.id = o.customer"
        ),
        "HAS_BOSS": shop.number(
            "shop", "SELECT count(*) FROM customers a JOIN customers b ON a.boss = b.id"
        ),
    }


def test_a_failing_check_names_each_row_and_why(shop: World) -> None:
    (check,) = [
        evaluation
        for evaluation in shop.materialize().get_asset_check_evaluations()
        if evaluation.check_name == "control_rows_are_valid"
    ]
    assert not check.passed
    lines = (check.description or "").split("\n\n")
    said = dict(line.split(": ", 1) for line in lines)
    assert said.keys() == REASONS.keys()
    assert {row for row, reason in REASONS.items() if reason not in said[row]} == set()


def test_strict_makes_the_same_list_an_error_at_load(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from c360_graph.definitions import defs

    monkeypatch.setenv("C360_STRICT", "1")
    with pytest.raises(MappingError) as refused:
        defs()
    assert all(row in str(refused.value) for row in REASONS)
