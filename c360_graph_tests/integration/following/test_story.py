"""The audit tables and Dagster say what was followed, and that following has stopped."""

from __future__ import annotations

import dagster as dg
import pytest

from c360_graph.following import given
from c360_graph.graph.connection import Graph
from c360_graph.resources import Neo4jResource, PostgresResource
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.following.followed import following

PLAN = "MATCH (p:Plan {plan_id: 61}) RETURN 1 AS x"
LOGGED = (
    "SELECT sum(rows_processed), bool_and(is_done AND end_time >= start_time) FROM etl_table_logs"
    " JOIN etl_run_logs USING (log_id)"
    " WHERE starts_with(dagster_run_id, 'follow-') AND table_name = 'plans' AND table_log_id > %s"
)
NEWEST = "SELECT max(table_log_id) FROM etl_table_logs"


def evaluated(cursor: str | None) -> dg.SensorResult:
    from c360_graph.definitions import defs

    definitions = defs()
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(
            instance=instance,
            cursor=cursor,
            definitions=definitions,
            resources={"postgres": PostgresResource(), "neo4j": Neo4jResource()},
        ) as context,
    ):
        result = definitions.resolve_sensor_def("following")(context)
    assert isinstance(result, dg.SensorResult)
    return result


def checked(result: dg.SensorResult) -> tuple[bool, str]:
    (check,) = (e for e in result.asset_events if isinstance(e, dg.AssetCheckEvaluation))
    return check.passed, check.description or ""


def test_dagster_and_the_audit_tables_tell_what_was_followed_and_that_it_has_stopped(
    followed: Project, target: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "MINUTE_SECONDS", 0.0)
    followed.map_only("Account", "Plan")
    with (
        following() as running,
        followed.connect("profiles_db") as source,
        followed.connect() as control,
    ):
        running.await_following()
        begun = evaluated(None)
        newest = control.execute(NEWEST).fetchone()
        source.execute("INSERT INTO plans VALUES (61, 'sixty-one', 1)")
        running.wait(lambda: target.rows(PLAN))
        running.wait(lambda: control.execute(LOGGED, newest).fetchall() == [(1, True)])
        told = evaluated(begun.cursor)
        assert checked(told) == (True, "The graph is as new as its sources.")
    events = {e.asset_key: e for e in told.asset_events if isinstance(e, dg.AssetMaterialization)}
    assert set(events) == {dg.AssetKey(["profiles_db", "plans"]), dg.AssetKey("neo4j_graph")}
    graph = {
        name: value.value for name, value in events[dg.AssetKey("neo4j_graph")].metadata.items()
    }
    assert graph["followed_rows"] == 1
    assert "changes_per_second" in graph
    assert "lsn/profiles_db" in graph
    # What was told is not told again, and now nobody follows.
    after = evaluated(told.cursor)
    assert not [e for e in after.asset_events if isinstance(e, dg.AssetMaterialization)]
    passed, why = checked(after)
    assert not passed
    assert why.startswith("c360 follow ended at ")
    assert "Start c360 follow again, or run a load." in why
