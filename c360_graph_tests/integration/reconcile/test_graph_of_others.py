"""What analysts wrote is removed only where the plan said so, and never in passing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph_tests.conftest import TestServers, empty
from c360_graph_tests.integration.schemas.world import FOLDER, World, built


@pytest.fixture(scope="module")
def shared(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with built("analysts", servers, tmp_path_factory.mktemp("analysts")) as made:
        yield made


@pytest.fixture
def world(shared: World) -> World:
    """The source, the control rows and the graph as they were at first."""
    shared.execute_in("crm", "DROP TABLE IF EXISTS customers, vips")
    shared.execute_in("crm", (FOLDER / "analysts" / "crm.sql").read_text(encoding="utf-8"))
    shared.control("DELETE FROM node_label_mappings WHERE node_label <> 'Customer'")
    shared.control("DELETE FROM relationship_mappings")
    empty(shared.graph)
    assert load()
    return shared


def load(**config: Any) -> bool:
    """A run up to the graph; whether it succeeded."""
    from c360_graph.definitions import defs

    done = (
        defs()
        .resolve_implicit_global_asset_job_def()
        .execute_in_process(
            asset_selection=[
                key
                for key in defs().resolve_asset_graph().get_all_asset_keys()
                if key.path[-1] in ("customers", "vips", "cypher_script", "neo4j_graph")
            ],
            run_config={"ops": {"neo4j_graph": {"config": config}}},
            raise_on_error=False,
        )
    )
    return done.success


def reconcile(**config: Any) -> bool:
    return load(clear_database=False, **config)


def plan(way: str = "--reconcile") -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["plan", way, "--json"])
    return done.exit_code, json.loads(done.stdout)


def names(world: World, label: str) -> list[tuple[Any, ...]]:
    return world.cypher(f"MATCH (n:{label}) RETURN n.name ORDER BY n.name")


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
        "3 nodes of Vip (no load of ours made them; those that no row makes are removed)"
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
        "1 relationships REPORTS_TO from Customer to Customer (no load of ours made them; those that"
        " no row makes are removed)"
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


@pytest.mark.parametrize("full", [False, True], ids=["changes", "full comparison"])
@pytest.mark.parametrize(
    "retyping",
    [
        "ALTER COLUMN customer_id TYPE numeric(8, 0), ALTER COLUMN boss_id TYPE numeric(8, 0)",
        "ALTER COLUMN customer_id TYPE text, ALTER COLUMN boss_id TYPE text",
        "ALTER COLUMN boss_id TYPE float8",
        "ALTER COLUMN name TYPE varchar(9)[] USING ARRAY[name]",
        "ALTER COLUMN boss_id TYPE int[] USING ARRAY[boss_id]",
    ],
)
def test_a_column_that_is_retyped_ends_as_a_load_into_an_empty_graph_has_it(
    world: World, retyping: str, full: bool
) -> None:
    typed = (
        "MATCH (n:Customer) UNWIND keys(n) AS k WITH k, n[k] AS v"
        " RETURN k, toString(valueType(v)), toStringOrNull(v), size(toString(valueType(v)))"
        " ORDER BY k, toStringOrNull(v)"
    )
    world.execute_in("crm", f"ALTER TABLE customers {retyping}")
    assert reconcile(full_comparison=full)
    reconciled = world.cypher(typed)
    assert load()
    assert reconciled == world.cypher(typed)
