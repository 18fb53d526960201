"""Keys whose text and value do not change together: a graph that is brought along is that of a whole load."""

from __future__ import annotations

from typing import Any

import pytest

from c360_graph_tests.integration.reconcile.analysts import load, reconcile
from c360_graph_tests.integration.schemas.world import World

VIPS = (
    "INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES (1, 'vips', 'Vip')"
)
KNOWS = (
    "INSERT INTO relationship_mappings (source_db, relationship_type, from_label, to_label,"
    " join_condition, from_alias, to_alias)"
    " VALUES ('crm', 'KNOWS', 'Vip', 'Customer', 'v.customer_id = c.customer_id', 'v', 'c')"
)


@pytest.mark.parametrize("full", [False, True], ids=["changes", "full comparison"])
@pytest.mark.parametrize(
    ("kind", "rows", "change"),
    [
        ("float8", "('-0', 'Gus', 1), (1, 'Hal', 2)", "UPDATE vips SET vip_id = '0' WHERE vip_id = 0"),
        ("float8", "('0', 'Gus', 1), (1, 'Hal', 2)", "UPDATE vips SET vip_id = '-0' WHERE vip_id = 0"),
        ("float8", "('NaN', 'Gus', 1), (1, 'Hal', 2)", "UPDATE vips SET name = 'X'"),
        ("float8", "('NaN', 'Gus', 1), (1, 'Hal', 2)", "UPDATE vips SET customer_id = 3"),
        ("float8", "('NaN', 'Gus', 1), (1, 'Hal', 2)", "DELETE FROM vips WHERE vip_id = 'NaN'"),
        ("float8", "('NaN', 'Gus', 1), (1, 'Hal', 2)", "UPDATE vips SET vip_id = 7 WHERE vip_id = 'NaN'"),
        ("float8", "(0, 'Gus', 1), (1, 'Hal', 2)", "UPDATE vips SET vip_id = 'NaN' WHERE vip_id = 0"),
        ("float8", "('NaN', 'Gus', 1), (1, 'Hal', 2)", "DELETE FROM customers WHERE customer_id = 1"),
        ("numeric", "(1.0, 'Gus', 1), (2, 'Hal', 2)", "UPDATE vips SET vip_id = 1.00 WHERE vip_id = 1"),
    ],
)  # fmt: skip
def test_a_key_that_is_written_otherwise_or_equals_nothing_ends_as_a_whole_load_has_it(
    world: World, kind: str, rows: str, change: str, full: bool
) -> None:
    world.execute_in(
        "crm", f"CREATE TABLE vips (vip_id {kind} PRIMARY KEY, name text, customer_id int)"
    )
    world.execute_in("crm", f"INSERT INTO vips VALUES {rows}")
    world.control(VIPS)
    world.control(KNOWS)
    assert load()
    world.execute_in("crm", change)
    assert reconcile(full_comparison=full, max_removed_share=1.0)
    reconciled = contents(world)
    assert load()
    assert reconciled == contents(world)


def contents(world: World) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    return (
        world.cypher(
            "MATCH (v:Vip) RETURN toString(v.vip_id) AS id, v.name, v.customer_id ORDER BY id"
        ),
        world.cypher(
            "MATCH (v:Vip)-[:KNOWS]->(c) RETURN toString(v.vip_id) AS id, c.name ORDER BY id, c.name"
        ),
    )
