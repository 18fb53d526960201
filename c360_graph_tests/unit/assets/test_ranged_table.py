"""A table that several steps read is the asset that it would be if one step read it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from c360_graph.assets.source_table import ranged_table_asset, source_table_asset
from c360_graph.definitions import build_definitions
from c360_graph.pipeline.read_mapping import MappingState
from c360_graph.pipeline_settings import Executor
from c360_graph.questions import QuestionSet
from c360_graph.settings import Settings
from c360_graph_tests.unit.mapping.given import Case, table

NO_QUESTIONS = QuestionSet(questions=(), pictures=(), problems=())
CASE = Case().source("crm", table("people", "id int; email text", key="id")).label("people", "P")
SETTINGS = Settings(c360_fresh_hours=5)


def test_it_is_described_owned_and_checked_for_freshness_alike() -> None:
    (people,) = CASE.resolve().tables
    common: dict[str, Any] = {
        "table": people,
        "rows": CASE.rows,
        "relationships": (),
        "settings": SETTINGS,
    }
    together = ranged_table_asset(**common, readers=3)
    alone = source_table_asset(**common)
    assert list(together.specs) == list(alone.specs)


@pytest.mark.parametrize(
    ("executor", "readers", "rows", "steps"),
    [
        ("multiprocess", 3, 2_500, {"read", "join_2", "join_3", "ranges_add_up"}),
        ("multiprocess", 3, 1_500, {"read", "join_2", "ranges_add_up"}),
        ("multiprocess", 3, 1_000, set()),
        ("multiprocess", 1, 2_500, set()),
        ("in_process", 3, 2_500, set()),
    ],
)
def test_a_table_of_more_than_one_range_gets_readers_where_steps_have_processes(
    executor: Executor, readers: int, rows: int, steps: set[str]
) -> None:
    people = table("people", "id int; email text", key="id")
    big = people.model_copy(update={"estimated_rows": rows})
    case = Case().source("crm", big).label("people", "Person")
    definitions = build_definitions(
        state=MappingState(
            rows=case.rows, catalogs=tuple(case.catalogs.values()), read_at=datetime.now(UTC)
        ),
        asked=NO_QUESTIONS,
        settings=Settings(
            c360_executor=executor, c360_readers_of_a_table=readers, c360_range_rows=1_000
        ),
    )
    node = definitions.resolve_assets_def(["crm", "people"]).node_def
    nodes = node.nodes if isinstance(node, dg.GraphDefinition) else ()
    assert {each.name for each in nodes} == steps
