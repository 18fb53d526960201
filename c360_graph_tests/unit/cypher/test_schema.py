"""Which keys of a label are constraints, where several tables feed it."""

from __future__ import annotations

from c360_graph.cypher.schema import LabelProperties, indexes, keys
from c360_graph_tests.unit.mapping.given import Case, table

ACCOUNTS = table("accounts", "id int; email text", key="id")
# A customer's number of the shop is a column here, and may come several times.
VISITORS = table("visitors", "visitor int; id int?", key="visitor")
MEMBERS = table("members", "id int; email text", key="id")


def both(key: str) -> LabelProperties:
    return LabelProperties(label="Person", properties=("_c360_table", key))


def test_a_key_that_another_table_of_the_label_may_repeat_is_an_index() -> None:
    mapping = (
        Case()
        .source("shop", ACCOUNTS)
        .source("site", VISITORS)
        .label("accounts", "Person")
        .label("visitors", "Person")
        .resolve()
    )
    assert mapping.refusals == ()
    assert keys(mapping.node_tables) == (both("visitor"),)
    assert indexes(mapping.node_tables, ()) == (both("id"),)


def test_tables_that_have_the_same_key_share_a_constraint() -> None:
    mapping = (
        Case()
        .source("shop", ACCOUNTS)
        .source("club", MEMBERS)
        .label("accounts", "Person")
        .label("members", "Person")
        .resolve()
    )
    assert keys(mapping.node_tables) == (both("id"),)
    assert indexes(mapping.node_tables, ()) == ()
