"""What the server plans before changes come are the statements that changes need."""

from __future__ import annotations

from c360_graph.cypher.following import create_missing_of_ids, delete_keys, upsert_nodes
from c360_graph.cypher.script_reader import Statement, lift
from c360_graph.following.graph_writer import empty_statements
from c360_graph.following.relationships import Patterns
from c360_graph.mapping.model import NodeTable
from c360_graph_tests.unit.mapping.given import Case, table


def text_of(statement: bytes) -> str:
    batch = lift(Statement(number=1, text=statement))
    assert batch is not None
    return batch.text


def test_statements_without_changes_have_the_texts_of_those_with_changes() -> None:
    tables = (
        table("buyers", "id int; name text?", key="id"),
        table("orders", "number int; buyer int?; note text?", key="number"),
    )
    case = Case().source("shop", *tables).label("buyers", "Buyer").label("orders", "Order")
    case.joining("Buyer", "PLACED", "Order", "b.id = o.buyer")
    mapping = case.resolve()
    assert mapping.refusals == ()
    patterns = Patterns(mapping, {"shop/buyers", "shop/orders"})
    prepared = dict(empty_statements(patterns, mapping.tables))
    orders = mapping.table(("shop", "orders"))
    assert isinstance(orders, NodeTable)
    joined, told = patterns.joined(orders), patterns.told(orders)
    real = upsert_nodes(orders, b"7\t1\tgift\n8\t\\N\t\\N", joined=joined, told=told)
    assert prepared[text_of(real)] == {"rows": None}
    assert prepared[text_of(delete_keys(orders, b"7\n8"))] == {"rows": None}
    ((pattern,),) = (patterns.of_label("Order"),)
    ends = pattern.ends_of("Order")
    assert [prepared[create_missing_of_ids(*end)] for end in ends] == [{"ids": []}]
