"""What Dagster keeps and shows of a run of the sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance

from c360_graph.assets import step_policy
from c360_graph.executor import LOG_ID_TAG
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import (
    load_graph,
    materialize_all,
    materialize_by_command,
    source_behind_proxy,
)

Metadata = dict[str, Any]


@pytest.fixture
def events(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Metadata]]:
    """Metadata of each asset of a run in which emails are hashed."""
    monkeypatch.setenv("C360_HASH_KEY", "a key for tests")
    project.execute(
        "INSERT INTO field_exclusion_rules (source_id, table_name, column_name, treatment)"
        " SELECT source_id, 'plans', 'plan_name', 'hash' FROM source_databases"
        " WHERE source_name = 'profiles_db'",
    )
    with DagsterInstance.ephemeral() as instance:
        yield _events(load_graph(instance=instance))


def test_a_run_shows_columns_lineage_preview_picture_and_counts(
    project: Project, events: dict[str, Metadata]
) -> None:
    plans = events["profiles_db/plans"]
    assert set(plans) == {
        "log_id",
        "table_log_id",
        "status",
        "rows",
        "start_time",
        "end_time",
        "seconds",
        "file_bytes",
        "key",
        "preview",
        "dagster/row_count",
        "dagster/uri",
        "dagster/table_name",
        "dagster/column_schema",
    }
    assert plans["dagster/row_count"].value == 5
    assert plans["dagster/table_name"].value == f"{project.prefix}profiles_db.public.plans"
    assert [(c.name, c.type) for c in plans["dagster/column_schema"].value.columns] == [
        ("plan_id", "INTEGER"),
        ("plan_name", "STRING"),
        ("monthly_fee", "FLOAT"),
        ("max_devices", "INTEGER"),
    ]
    _check_preview(project, plans["preview"].value)
    assert "hashed_password" not in events["profiles_db/accounts"]["preview"].value
    script, loaded = events["cypher_script"], events["neo4j_graph"]
    for name in ("Account.email", "(:Account)-[:SUBMITTED]->(:Ticket)"):
        (before,) = loaded["dagster/column_lineage"].value.deps_by_column[name]
        assert before == dg.TableColumnDep("cypher_script", name)
    assert script["dagster/column_lineage"].value.deps_by_column[name] == [
        dg.TableColumnDep(dg.AssetKey(["profiles_db", "accounts"]), "email"),
        dg.TableColumnDep(dg.AssetKey(["support_db", "tickets"]), "customer_email"),
    ]
    assert script["script"].value == script["dagster/uri"].value
    assert loaded["schema"].value.startswith("![schema of the graph](data:image/svg+xml;base64,")
    assert "| Account | 40 |" in loaded["nodes_by_label"].value
    assert loaded["nodes_created"].value == loaded["nodes"].value == 628


def test_a_second_way_of_loading_shows_what_it_changed_by_label(
    project: Project, graph: Graph
) -> None:
    project.map_only("Plan")
    assert load_graph().success
    with project.connect("profiles_db") as connection:
        connection.execute("UPDATE plans SET max_devices = max_devices + 1 WHERE plan_id = 1")
    config = {"ops": {"neo4j_graph": {"config": {"clear_database": False}}}}
    loaded = _events(load_graph(run_config=config))["neo4j_graph"]
    assert loaded["nodes_by_label"].value.splitlines()[:2] == [
        "| label | count | created | updated | deleted |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    assert "| Plan | 5 | 0 | 1 | 0 |" in loaded["nodes_by_label"].value


def test_no_row_values_are_shown_where_that_is_switched_off(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_PREVIEW_ROWS", "0")
    with DagsterInstance.ephemeral() as instance:
        result = materialize_all(instance=instance)
        kept = "\n".join(repr(entry) for entry in instance.all_logs(result.run_id))
    shown = {name for metadata in _events(result).values() for name in metadata}
    assert shown.isdisjoint({"preview", "answer", "headline"})
    assert "no_row_is_an_orphan" in kept
    keys = {
        "profiles_db": "SELECT email FROM accounts UNION SELECT account_id::text FROM accounts",
        "streaming_db": "SELECT event_id::text FROM play_events UNION SELECT title FROM media_content",
        "support_db": "SELECT ticket_id FROM tickets",
    }
    for database, query in keys.items():
        with project.connect(database) as connection:
            values = [str(value) for (value,) in connection.execute(query).fetchall()]
        assert len(values) > 20
        assert [value for value in values if value in kept] == []


def test_definitions_carry_owners_tags_kinds_pools_and_versions(project: Project) -> None:
    project.execute(
        "UPDATE source_databases SET owner = 'team:billing', tags = 'pii' WHERE source_id = 1",
    )
    project.execute("UPDATE node_label_mappings SET owner = 'me@example.com' WHERE mapping_id = 1")
    before = _specs()
    accounts, plans = before["profiles_db/accounts"], before["profiles_db/plans"]
    assert (list(accounts.owners), list(plans.owners)) == (["me@example.com"], ["team:billing"])
    assert plans.tags["pii"] == ""
    assert accounts.kinds == {"postgres"}
    assert list(before["support_db/tickets"].owners) == []
    from c360_graph.definitions import defs

    table = defs().resolve_assets_def(dg.AssetKey(["profiles_db", "plans"]))
    loaded = defs().resolve_assets_def("neo4j_graph")
    assert (table.op.pool, loaded.op.pool) == ("source_profiles_db", "neo4j")
    # With one, Dagster tries again what somebody interrupted.
    assert table.op.retry_policy is None
    project.execute("UPDATE node_label_mappings SET node_label = 'Tariff' WHERE mapping_id = 2")
    after = _specs()
    assert {key for key in after if before[key].code_version != after[key].code_version} == {
        "profiles_db/plans",
        "cypher_script",
        "neo4j_graph",
    }


def test_an_older_control_database_without_owners_and_tags_is_read(project: Project) -> None:
    before = _specs()
    for table in ("source_databases", "node_label_mappings"):
        project.execute(f"ALTER TABLE {table} DROP COLUMN owner, DROP COLUMN tags")
    after = _specs()
    assert {k: s.code_version for k, s in after.items()} == {
        k: s.code_version for k, s in before.items()
    }


def test_a_run_is_tagged_with_its_row_of_the_audit_table(project: Project) -> None:
    done = materialize_by_command(select="profiles_db/plans")
    assert done.returncode == 0, done.stderr[-2000:]
    with project.connect() as connection:
        rows = connection.execute(
            "SELECT log_id::text, dagster_run_id FROM etl_run_logs"
        ).fetchall()
        tags = connection.execute(
            "SELECT value, run_id FROM dagster.run_tags WHERE key = %s", (LOG_ID_TAG,)
        ).fetchall()
    assert len(rows) == 1
    assert tags == rows


def test_a_source_that_is_lost_in_the_middle_is_read_at_the_next_try(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_policy, "SECONDS_BEFORE_A_RETRY", 0.1)
    monkeypatch.setenv("C360_RETRIES", "1")
    from c360_graph.definitions import defs

    with source_behind_proxy(project, "profiles_db", monkeypatch) as proxy:
        job = defs().resolve_implicit_global_asset_job_def()
        proxy.fail_once(b"COPY ")
        result = job.execute_in_process(
            asset_selection=[dg.AssetKey(["profiles_db", "plans"])], raise_on_error=False
        )
        assert proxy.failed == 1
    assert result.success
    with project.connect() as connection:
        tries = connection.execute("SELECT status FROM etl_table_logs ORDER BY table_log_id")
        assert tries.fetchall() == [("failed",), ("completed",)]


def _check_preview(project: Project, text: str) -> None:
    head, _, *rows = text.splitlines()
    assert head == "| `plan_id` | `plan_name` | `monthly_fee` | `max_devices` |"
    assert len(rows) == 5
    with project.connect("profiles_db") as connection:
        names = [name for (name,) in connection.execute("SELECT plan_name FROM plans").fetchall()]
    assert not any(str(name) in text for name in names)


def _events(result: dg.ExecuteInProcessResult) -> dict[str, Metadata]:
    assert result.success
    return {
        event.asset_key.to_user_string(): dict(event.materialization.metadata)
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
    }


def _specs() -> dict[str, dg.AssetSpec]:
    from c360_graph.definitions import defs

    return {spec.key.to_user_string(): spec for spec in defs().resolve_all_asset_specs()}
