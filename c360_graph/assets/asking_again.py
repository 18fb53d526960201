"""When an answer is asked again by itself: after changes of the tables whose labels its question names."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any, cast

import dagster as dg

from c360_graph.cypher.quoting import used_names
from c360_graph.mapping.model import GraphMapping, TableMapping
from c360_graph.mapping.table_index import TableIndex
from c360_graph.questions import Question


def tables_read(question: Question, mapping: GraphMapping) -> tuple[TableMapping, ...]:
    """The tables that a question's labels and relationship types are made of; all where it names none of them."""
    index = TableIndex(mapping.tables)
    names = {name[1:] for name in used_names(question.statement) if name[0] == ":"}
    found = [table for table in mapping.tables if names & _labels(table)]
    for relationship in mapping.relationships:
        if relationship.relationship_type in names:
            found += index.of(relationship)
    return tuple({table.asset_key: table for table in found or mapping.tables}.values())


def _labels(table: TableMapping) -> frozenset[str | None]:
    return frozenset({*table.extra.all, table.node_label})


def when_tables_change(
    tables: Sequence[TableMapping], *, minutes: int
) -> dg.AutomationCondition[dg.AssetKey]:
    """True at each so-manieth minute where one of the tables was materialized, or followed, since the last answer."""
    of_dagster = dg.AutomationCondition
    changed: list[Any] = [
        of_dagster.asset_matches(dg.AssetKey(table.asset_key), of_dagster.newly_updated())
        for table in tables
    ]
    any_changed: Any = reduce(or_, changed)
    return cast(
        "dg.AutomationCondition[dg.AssetKey]",
        any_changed.since_last_handled()
        & of_dagster.cron_tick_passed(f"*/{minutes} * * * *")
        & ~of_dagster.in_progress(),
    )
