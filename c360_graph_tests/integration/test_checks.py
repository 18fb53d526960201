"""Each asset check passes on the sample where it should, and can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import dagster as dg
import pytest
from backports import zstd

from c360_graph.checks import mapping, relationships
from c360_graph.graph.connection import Graph
from c360_graph.resources import Neo4jResource
from c360_graph.scripts import open_script
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import load_graph, materialize_all

EXPECTED_TO_WARN = {"no_row_is_an_orphan"}
"""The sample has play events of nobody and tickets from strangers."""


def test_on_the_sample_all_pass_but_the_orphans_that_it_has(project: Project, graph: Graph) -> None:
    checks = evaluate(materialize_all)
    assert {name for name, check in checks.items() if not check.passed} == EXPECTED_TO_WARN
    assert set(checks) == {
        "control_rows_are_valid",
        "every_table_is_mapped",
        "every_table_was_read",
        "no_row_is_left_out",
        "columns_have_not_drifted",
        "no_column_is_withheld",
        "excluded_values_are_in_no_file",
        "excluded_properties_are_absent",
        "node_counts_match",
        "relationship_counts_match",
        "no_row_is_an_orphan",
        "no_join_is_ambiguous",
        "is_followed",
        "has_rows",
    }
    orphans = checks["no_row_is_an_orphan"]
    assert orphans.severity is dg.AssetCheckSeverity.WARN
    assert orphans.metadata["orphans"].value == orphans_by_sql(project)
    assert "streaming_db/play_events " in str(orphans.description)
    assert checks["excluded_values_are_in_no_file"].metadata["values_looked_for"].value == 20


def test_nothing_is_computed_for_a_check_that_was_not_chosen(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.map_only("Account", "Ticket")
    assert load_graph().success

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("nobody asked for this")

    monkeypatch.setattr(relationships, "expected_relationships", refuse)
    monkeypatch.setattr(mapping, "drifted_columns", refuse)
    assert set(check_only("node_counts_match")) == {"node_counts_match"}
    assert set(check_only("every_table_is_mapped")) == {"every_table_is_mapped"}
    monkeypatch.undo()
    monkeypatch.setattr(Neo4jResource, "graph", refuse)
    assert set(check_only("no_row_is_an_orphan")) == {"no_row_is_an_orphan"}


def test_a_table_that_no_row_maps_is_listed(project: Project) -> None:
    with project.connect("profiles_db") as connection:
        connection.execute("CREATE TABLE notes (note_id int PRIMARY KEY)")
    check = evaluate_without_graph()["every_table_is_mapped"]
    assert not check.passed
    assert check.description == "profiles_db/notes is not mapped"


def test_columns_that_were_added_dropped_or_retyped_are_named(project: Project) -> None:
    project.map_only("Ticket")
    assert evaluate_without_graph()["columns_have_not_drifted"].passed
    with project.connect("support_db") as connection:
        connection.execute("ALTER TABLE tickets ADD COLUMN priority int")
        connection.execute("ALTER TABLE tickets DROP COLUMN subject")
        connection.execute("ALTER TABLE tickets ALTER COLUMN agent_id TYPE varchar(80)")
    check = evaluate_without_graph()["columns_have_not_drifted"]
    assert not check.passed
    assert "support_db/tickets: priority was added" in str(check.description)
    assert "support_db/tickets: subject was dropped" in str(check.description)
    assert "support_db/tickets: agent_id was" in str(check.description)
    assert evaluate_without_graph()["columns_have_not_drifted"].passed


def test_nodes_that_another_client_removed_or_added_are_counted(
    project: Project, graph: Graph
) -> None:
    project.map_only("Plan", "Tag")
    assert load_graph().success
    graph.run(b"MATCH (n:Tag) WITH n LIMIT 1 DETACH DELETE n", tag={})
    graph.run(b"CREATE (:Plan {plan_id: -1})", tag={})
    said = str(check_only("node_counts_match")["node_counts_match"].description)
    assert said.split("\n\n") == [
        "Plan: 5 rows in the extracts, 6 nodes",
        "Tag: 9 rows in the extracts, 8 nodes",
    ]


def test_rows_that_came_and_are_in_no_extract_are_counted(project: Project, graph: Graph) -> None:
    project.map_only("Plan")
    assert load_graph().success
    (manifest,) = project.data_dir.glob("extracts/profiles_db/plans/2*/manifest.json")
    content = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps(content | {"rows": content["rows"] + 1}))
    said = str(check_only("node_counts_match")["node_counts_match"].description)
    assert said == "profiles_db/plans: 6 rows were read from the source, 5 lines are in the extract"


def test_relationships_that_are_missing_or_too_many_are_counted(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "Media", "PlayEvent", "Ticket")
    assert load_graph().success
    graph.run(b"MATCH ()-[r:PLAYED]->() WITH r LIMIT 2 DELETE r", tag={})
    graph.run(
        b"MATCH (a:Account) MATCH (t:Ticket) WITH a, t LIMIT 1 CREATE (a)-[:SUBMITTED]->(t)", tag={}
    )
    description = str(check_only()["relationship_counts_match"].description)
    assert "(:PlayEvent)-[:PLAYED]->(:Media): 387 by the extracts, 385 in the graph" in description
    assert "(:Account)-[:SUBMITTED]->(:Ticket): 21 by the extracts, 22 in the graph" in description


def test_a_reference_that_finds_several_partners_is_named(project: Project, graph: Graph) -> None:
    project.map_only("Account", "Ticket")
    with project.connect("profiles_db") as connection:
        connection.execute("ALTER TABLE accounts DROP CONSTRAINT accounts_email_key")
        connection.execute(
            "INSERT INTO accounts (account_id, email, hashed_password, full_name, created_at)"
            " SELECT gen_random_uuid(), email, 'x', 'Twin', now() FROM accounts"
            " WHERE email = 'john.smith@email.com'"
        )
    checks = evaluate()
    check = checks["no_join_is_ambiguous"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert "SUBMITTED" in str(check.description)
    assert "support_db/tickets " in str(check.description)
    assert checks["relationship_counts_match"].passed


def test_an_excluded_property_that_somebody_wrote_is_found(project: Project, graph: Graph) -> None:
    project.map_only("Account")
    assert load_graph().success
    graph.run(b"MATCH (n:Account) WITH n LIMIT 3 SET n.hashed_password = 'leak'", tag={})
    check = check_only()["excluded_properties_are_absent"]
    assert not check.passed
    assert "3 nodes of Account have hashed_password" in str(check.description)
    assert "leak" not in str(check.description)


def test_an_excluded_value_that_another_column_leaks_is_found(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "Ticket")
    secret = excluded_value(project)
    with project.connect("support_db") as connection:
        connection.execute(
            "UPDATE tickets SET subject = %s WHERE ticket_id = (SELECT min(ticket_id) FROM tickets)",
            (f"my password is {secret}",),
        )
    check = evaluate()["excluded_values_are_in_no_file"]
    assert not check.passed
    assert "rows.tsv of" in str(check.description)
    assert ".cypher of" in str(check.description)
    assert "profiles_db/accounts.hashed_password" in str(check.description)
    assert secret not in str(check.description)


def test_an_excluded_value_in_the_script_alone_is_found(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.map_only("Account")
    monkeypatch.setenv("C360_COMPRESS_SCRIPTS", "true")
    assert load_graph().success
    compressed = max((project.data_dir / "scripts").glob("*.cypher.zst"))
    secret = f"// {excluded_value(project)}\n".encode()
    compressed.write_bytes(compressed.read_bytes() + zstd.compress(secret))
    check = check_only()["excluded_values_are_in_no_file"]
    assert compressed.name in str(check.description)
    monkeypatch.delenv("C360_COMPRESS_SCRIPTS")
    assert load_graph().success
    script = max((project.data_dir / "scripts").glob("*.cypher"))
    script.write_bytes(script.read_bytes() + f"// {excluded_value(project)}\n".encode())
    check = check_only()["excluded_values_are_in_no_file"]
    assert not check.passed
    assert script.name in str(check.description)
    assert "rows.tsv" not in str(check.description)


def test_what_a_new_rule_excludes_is_purged_from_retained_extracts_and_scripts(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "Plan")
    config = {"ops": {"cypher_script": {"config": {"compress": True}}}}
    for run_config in (None, config):
        assert load_graph(run_config=run_config).success
    with project.connect() as connection:
        connection.execute(
            "INSERT INTO field_exclusion_rules (source_id, table_name, column_name, reason)"
            " SELECT source_id, 'accounts', 'full_name', 'PII' FROM source_databases"
            " WHERE source_name = 'profiles_db'"
        )
    with project.connect("profiles_db") as connection:
        (name,) = connection.execute(
            "SELECT full_name FROM accounts WHERE length(full_name) > 12 ORDER BY 1 LIMIT 1"
        ).fetchone() or ("",)
    assert any(name.encode() in content_of(path) for path in files_of(project))
    assert load_graph().success
    assert not any(name.encode() in content_of(path) for path in files_of(project))
    assert len(list((project.data_dir / "extracts/profiles_db/plans").glob("2*"))) == 3


def evaluate_without_graph() -> dict[str, dg.AssetCheckEvaluation]:
    """The checks of a run that ends with the script."""
    from c360_graph.definitions import defs

    graph = defs().resolve_asset_graph()
    keys = dg.AssetSelection.assets("cypher_script").upstream().resolve(graph)
    result = materialize_all(asset_selection=list(keys))
    assert result.success
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def evaluate(
    run: Callable[[], dg.ExecuteInProcessResult] = load_graph,
) -> dict[str, dg.AssetCheckEvaluation]:
    result = run()
    assert result.success
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def check_only(*names: str) -> dict[str, dg.AssetCheckEvaluation]:
    """The checks alone, all or these, on what is there."""
    from c360_graph.definitions import defs

    definitions = defs()
    every = definitions.resolve_asset_graph().asset_check_keys
    keys = [key for key in every if not names or key.name in names]
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.checks(*keys))
    with_job = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job]))
    result = with_job.resolve_job_def("checks").execute_in_process()
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def excluded_value(project: Project) -> str:
    with project.connect("profiles_db") as connection:
        row = connection.execute("SELECT hashed_password FROM accounts LIMIT 1").fetchone()
    assert row is not None
    return str(row[0])


def content_of(path: Path) -> bytes:
    """What a file says, compressed or not."""
    with open_script(path) as file:
        return file.read()


def files_of(project: Project) -> list[Path]:
    return [path for path in project.data_dir.rglob("*") if path.is_file()]


def orphans_by_sql(project: Project) -> int:
    with project.connect("profiles_db") as connection:
        accounts = {row[0] for row in connection.execute("SELECT account_id FROM accounts")}
        emails = {row[0] for row in connection.execute("SELECT email FROM accounts")}
    with project.connect("streaming_db") as connection:
        played = [
            row[0] for row in connection.execute("SELECT account_id_from_token FROM play_events")
        ]
    with project.connect("support_db") as connection:
        asked = [row[0] for row in connection.execute("SELECT customer_email FROM tickets")]
    return sum(p is not None and p not in accounts for p in played) + sum(
        e is not None and e not in emails for e in asked
    )
