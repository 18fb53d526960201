"""Which answers are asked again by themselves, and how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg

from c360_graph.assets.analytics import tables_read, when_tables_change
from c360_graph.mapping.model import GraphMapping
from c360_graph.questions import Question
from c360_graph_tests.unit.mapping.given import Case, table


def shop() -> GraphMapping:
    tables = (
        table("buyers", "id int; name text?", key="id"),
        table("orders", "number int; buyer int?", key="number"),
        table("stores", "id int", key="id"),
    )
    case = Case().source("shop", *tables)
    case.label("buyers", "Buyer").label("orders", "Order").label("stores", "Store")
    case.joining("Buyer", "PLACED", "Order", "b.id = o.buyer")
    return case.resolve()


def read(statement: str) -> set[str]:
    question = Question(name="q", title="Q", statement=statement)
    return {table.table_name for table in tables_read(question, shop())}


def test_a_question_reads_the_tables_of_its_labels_and_relationship_types() -> None:
    assert read("MATCH (s:Store) RETURN count(s)") == {"stores"}
    assert read("MATCH ()-[p:PLACED]->() RETURN count(p)") == {"buyers", "orders"}
    assert read("MATCH (n) RETURN count(n)") == {"buyers", "orders", "stores"}


def test_an_answer_is_asked_again_when_a_table_of_it_was_followed_and_the_minutes_are_over() -> (
    None
):
    (stores,) = (t for t in shop().tables if t.table_name == "stores")
    other, followed = dg.AssetKey(["shop", "orders"]), dg.AssetKey(stores.asset_key)

    @dg.asset(automation_condition=when_tables_change([stores], minutes=10))
    def answer() -> None: ...

    sources = [dg.AssetSpec(followed), dg.AssetSpec(other)]
    definitions = dg.Definitions(assets=[answer, *sources])
    cursor = None
    now = datetime(2026, 1, 1, 12, 1, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:

        def requested(after: timedelta) -> int:
            nonlocal cursor, now
            now += after
            result = dg.evaluate_automation_conditions(
                defs=definitions, instance=instance, cursor=cursor, evaluation_time=now
            )
            cursor = result.cursor
            return result.total_requested

        assert requested(timedelta(0)) == 0
        instance.report_runless_asset_event(dg.AssetMaterialization(other))
        assert requested(timedelta(minutes=10)) == 0
        instance.report_runless_asset_event(dg.AssetMaterialization(followed))
        assert requested(timedelta(minutes=1)) == 0
        assert requested(timedelta(minutes=10)) == 1
        assert requested(timedelta(minutes=10)) == 0
