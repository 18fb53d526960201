"""What analysts wrote is removed only where the plan said so, and never in passing."""

from __future__ import annotations

from typing import Any

import pytest

from c360_graph.pipeline.load import UPDATING
from c360_graph_tests.integration.reconcile.analysts import load, names, plan, reconcile, reset
from c360_graph_tests.integration.schemas.world import World


def test_nodes_of_a_label_that_a_refused_row_named_stay_those_of_others(world: World) -> None:
    analysts = [("Dan",), ("Eve",), ("Fay",)]
    world.cypher("UNWIND ['Dan', 'Eve', 'Fay'] AS name CREATE (:Vip {name: name})")
    world.control(
        "INSERT INTO node_label_mappings (source_id, table_name, node_label)"
        " VALUES (1, 'vips', 'Vip')"
    )
    reconcile()
    assert names(world, "Vip") == analysts

    world.execute_in("crm", "CREATE TABLE vips (vip_id int PRIMARY KEY, name text)")
    world.execute_in("crm", "INSERT INTO vips VALUES (1, 'Gus'), (2, 'Hal')")
    code, told = plan()
    assert code == 2
    assert told["destroyed"] == [
        "3 nodes of Vip (this project did not load them; those that no row produces are removed)"
    ]
    assert not reconcile()
    assert names(world, "Vip") == analysts

    assert reconcile(max_removed_share=1.0)
    assert names(world, "Vip") == [("Gus",), ("Hal",)]
    assert plan()[0] == 0


def test_relationships_that_analysts_made_are_removed_only_where_the_plan_says_so(
    world: World,
) -> None:
    world.cypher(
        "MATCH (a:Customer {customer_id: 2}), (b:Customer {customer_id: 3})"
        " CREATE (a)-[:REPORTS_TO]->(b)"
    )
    made = "MATCH (a)-[:REPORTS_TO]->(b) RETURN a.name, b.name ORDER BY a.name"
    assert reconcile()
    assert world.cypher(made) == [("Bob", "Cyd")]
    world.control(
        "INSERT INTO relationship_mappings (source_db, relationship_type, from_label, to_label,"
        " join_condition, from_alias, to_alias)"
        " VALUES ('crm', 'REPORTS_TO', 'Customer', 'Customer', 'c.boss_id = b.customer_id', 'c', 'b')"
    )
    code, told = plan()
    assert code == 2
    assert told["destroyed"] == [
        "1 relationships REPORTS_TO from Customer to Customer (this project did not load them; those that"
        " no row produces are removed)"
    ]
    assert reconcile()
    assert world.cypher(made) == [("Bob", "Ann"), ("Cyd", "Ann")]


@pytest.mark.parametrize("way", ["--clear", "--reconcile"])
def test_an_index_that_blocks_a_constraint_is_found_before_anything_is_removed(
    world: World, way: str
) -> None:
    before = names(world, "Customer")
    for row in world.graph.rows("SHOW CONSTRAINTS YIELD name RETURN name"):
        world.cypher(f"DROP CONSTRAINT `{row['name']}`")
    world.cypher("CREATE INDEX `by hand` FOR (n:Customer) ON (n.customer_id)")
    said = (
        "The index by hand on Customer (customer_id) keeps the uniqueness constraint on the same"
        " properties from being made. Nothing was changed. Run `DROP INDEX `by hand`` and load"
        " again: the constraint brings an index of its own."
    )
    code, told = plan(way)
    assert (code, told["obstacles"]) == (1, [said])
    assert not (load() if way == "--clear" else reconcile())
    assert names(world, "Customer") == before
    assert world.cypher("MATCH (m:_C360Load) RETURN m.state") == [("whole",)]
    world.cypher("DROP INDEX `by hand`")
    assert load() if way == "--clear" else reconcile()


RETYPINGS = [
    "ALTER COLUMN customer_id TYPE numeric(8, 0), ALTER COLUMN boss_id TYPE numeric(8, 0)",
    "ALTER COLUMN customer_id TYPE text, ALTER COLUMN boss_id TYPE text",
    "ALTER COLUMN boss_id TYPE float8",
    "ALTER COLUMN name TYPE varchar(9)[] USING ARRAY[name]",
    "ALTER COLUMN boss_id TYPE int[] USING ARRAY[boss_id]",
]
"""Each is of a table and a label of its own."""


@pytest.fixture(scope="module", params=[False, True], ids=["changes", "full comparison"])
def retyped(
    request: pytest.FixtureRequest, shared: World
) -> list[tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]]:
    """What is in the graph of each retyped table after a load of the change, and after a whole load."""
    reset(shared)
    for number in range(len(RETYPINGS)):
        table = f"customers_{number}"
        shared.execute_in("crm", f"CREATE TABLE {table} (LIKE customers INCLUDING ALL)")
        shared.execute_in("crm", f"INSERT INTO {table} SELECT * FROM customers")
        shared.control(
            "INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES (1, %s, %s)",
            table,
            f"Customer{number}",
        )
    assert load()
    for number, retyping in enumerate(RETYPINGS):
        shared.execute_in("crm", f"ALTER TABLE customers_{number} {retyping}")
    assert reconcile(full_comparison=request.param)
    reconciled = [typed(shared, number) for number in range(len(RETYPINGS))]
    assert all(reconciled)
    assert load()
    loaded = [typed(shared, number) for number in range(len(RETYPINGS))]
    return list(zip(reconciled, loaded, strict=True))


def typed(world: World, number: int) -> list[tuple[Any, ...]]:
    return world.cypher(
        f"MATCH (n:Customer{number}) UNWIND keys(n) AS k WITH k, n[k] AS v"
        " RETURN k, toString(valueType(v)), toStringOrNull(v), size(toString(valueType(v)))"
        " ORDER BY k, toStringOrNull(v), toString(valueType(v))"
    )


@pytest.mark.parametrize("number", range(len(RETYPINGS)), ids=RETYPINGS)
def test_a_column_that_is_retyped_ends_as_a_load_into_an_empty_graph_has_it(
    retyped: list[tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]], number: int
) -> None:
    reconciled, loaded = retyped[number]
    assert reconciled == loaded


def test_runs_of_the_schedule_and_the_sensors_empty_no_graph_unless_the_setting_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.cypher("CREATE (:Vip {name: 'Dan'})")
    assert load(tags=UPDATING)
    assert names(world, "Vip") == [("Dan",)]
    monkeypatch.setenv("C360_CLEAR_DATABASE", "false")
    assert load()
    assert names(world, "Vip") == [("Dan",)]
    assert plan("--json")[0] == 0
    monkeypatch.setenv("C360_CLEAR_DATABASE", "true")
    assert plan("--json")[0] == 2
    assert load(tags=UPDATING)
    assert names(world, "Vip") == []
