"""Keys whose text and value do not change together: a graph that is brought along is that of a whole load."""

from __future__ import annotations

from typing import Any

import pytest

from c360_graph_tests.integration.reconcile.analysts import load, reconcile, reset
from c360_graph_tests.integration.schemas.world import World

VIPS = "INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES (1, %s, %s)"
KNOWS = (
    "INSERT INTO relationship_mappings (source_db, relationship_type, from_label, to_label,"
    " join_condition, from_alias, to_alias)"
    " VALUES ('crm', 'KNOWS', %s, 'Customer', 'v.customer_id = c.customer_id', 'v', 'c')"
)
CASES = [
    ("float8", "('-0', 'Gus', 1), (1, 'Hal', 2)", "UPDATE vips SET vip_id = '0' WHERE vip_id = 0"),
    ("float8", "('0', 'Gus', 1), (1, 'Hal', 2)", "UPDATE vips SET vip_id = '-0' WHERE vip_id = 0"),
    ("float8", "('NaN', 'Gus', 1), (1, 'Hal', 2)", "UPDATE vips SET name = 'X'"),
    ("float8", "('NaN', 'Gus', 1), (1, 'Hal', 2)", "UPDATE vips SET customer_id = 3"),
    ("float8", "('NaN', 'Gus', 1), (1, 'Hal', 2)", "DELETE FROM vips WHERE vip_id = 'NaN'"),
    ("float8", "('NaN', 'Gus', 1), (1, 'Hal', 2)", "UPDATE vips SET vip_id = 7 WHERE vip_id = 'NaN'"),
    ("float8", "(0, 'Gus', 1), (1, 'Hal', 2)", "UPDATE vips SET vip_id = 'NaN' WHERE vip_id = 0"),
    ("float8", "('NaN', 'Gus', 4), (1, 'Hal', 2)", "DELETE FROM customers WHERE customer_id = 4"),
    ("numeric", "(1.0, 'Gus', 1), (2, 'Hal', 2)", "UPDATE vips SET vip_id = 1.00 WHERE vip_id = 1"),
]  # fmt: skip
"""Each has a table and a label of its own; customer 4 is known to one table alone."""

Contents = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


@pytest.fixture(scope="module", params=[False, True], ids=["changes", "full comparison"])
def compared(request: pytest.FixtureRequest, shared: World) -> list[tuple[Contents, Contents]]:
    """What is in the graph of each case after a load of its change, and after a whole load."""
    reset(shared)
    shared.execute_in("crm", "INSERT INTO customers VALUES (4, 1, 'Dee')")
    for number, (kind, rows, _) in enumerate(CASES):
        columns = f"vip_id {kind} PRIMARY KEY, name text, customer_id int"
        shared.execute_in("crm", f"CREATE TABLE vips_{number} ({columns})")
        shared.execute_in("crm", f"INSERT INTO vips_{number} VALUES {rows}")
        shared.control(VIPS, f"vips_{number}", f"Vip{number}")
        shared.control(KNOWS, f"Vip{number}")
    assert load()
    first = [contents(shared, number) for number in range(len(CASES))]
    assert all(nodes for nodes, _ in first)
    for number, (_, _, change) in enumerate(CASES):
        shared.execute_in("crm", change.replace("vips", f"vips_{number}"))
    assert reconcile(full_comparison=request.param, max_removed_share=1.0)
    reconciled = [contents(shared, number) for number in range(len(CASES))]
    assert load()
    loaded = [contents(shared, number) for number in range(len(CASES))]
    return list(zip(reconciled, loaded, strict=True))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[change for _, _, change in CASES])
def test_a_key_that_is_written_otherwise_or_equals_nothing_ends_as_a_whole_load_has_it(
    compared: list[tuple[Contents, Contents]], number: int
) -> None:
    reconciled, loaded = compared[number]
    assert reconciled == loaded


def contents(world: World, number: int) -> Contents:
    return (
        world.cypher(
            f"MATCH (v:Vip{number}) RETURN toString(v.vip_id) AS id, v.name, v.customer_id ORDER BY id"
        ),
        world.cypher(
            f"MATCH (v:Vip{number})-[:KNOWS]->(c)"
            " RETURN toString(v.vip_id) AS id, c.name ORDER BY id, c.name"
        ),
    )
