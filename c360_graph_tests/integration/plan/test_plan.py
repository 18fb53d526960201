"""`c360 plan` on real servers: what a load would do, and that nothing is written."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner, Result

from c360_graph.cli import app
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project, empty
from c360_graph_tests.integration.runs import load_graph
from c360_graph_tests.integration.test_pipeline import NODES

RUNNER = CliRunner()
MATCHES = {
    "HAS_PAYMENT_METHOD": (42, 42),
    "HAS_SUBSCRIPTION": (43, 43),
    "SUBSCRIBED_TO": (42, 42),
    "PLAYED": (387, 387),
    "TAGGED_WITH": (34, 34),
    "SUBMITTED": (24, 21),
    "WATCHED": (387, 373),
}
"""References of the sample and those that find a partner: in one database, and from one to another."""


def test_before_a_first_load_all_is_new_and_after_it_nothing(
    project: Project, graph: Graph
) -> None:
    empty(graph)
    code, first = plan()
    assert code == 0
    assert first["graph"]["state"] == "empty"
    assert {table["label"]: table["rows"] for table in first["tables"]} == NODES
    assert {label["change"] for label in first["labels"]} == {"new"}
    assert samples(first) == MATCHES
    assert len(first["schema_changes"]) == 10
    assert not project.data_dir.exists()
    assert graph.rows("MATCH (n) RETURN n") == []

    assert load_graph().success
    before = contents(graph)
    for way in ("--clear", "--reconcile"):
        code, after = plan(way)
        assert code == 0
        assert after["graph"]["state"] == "loaded"
        assert {label["label"]: label["nodes"] for label in after["labels"]} == NODES
        assert {label["change"] for label in after["labels"]} == {"unchanged"}
        assert {found["change"] for found in after["relationships"]} == {"unchanged"}
        for part in ("properties", "schema_changes", "purges", "destroyed", "problems"):
            assert after[part] == [], part
    assert contents(graph) == before


def test_what_changed_since_the_last_load_is_told_before_it_happens(
    project: Project, graph: Graph
) -> None:
    project.map_only("Account", "Media", "Plan", "PlayEvent")
    assert load_graph().success
    change_everything(project)
    before = contents(graph)
    code, told = plan("--reconcile", C360_HASH_KEY="a key for tests")
    assert code == 2
    assert contents(graph) == before
    named = graph.rows("MATCH (a:Account) WHERE a.full_name IS NOT NULL RETURN count(a) AS n")[0][
        "n"
    ]
    assert told["destroyed"] == [
        "30 nodes of Media (no active, valid control row maps it)",
        f"Account.full_name of {named} nodes (it is no longer read)",
        "387 relationships PLAYED from PlayEvent to Media (no active, valid control row produces them)",
    ]
    assert [(p["property"], p["nodes"], p["outcome"], p["rule_id"]) for p in told["purges"]] == [
        ("full_name", named, "removed", 70),
        ("plan_name", 5, "replaced", None),
    ]
    assert [
        (p["name"], p["change"], p["types"], p["former_types"]) for p in told["properties"]
    ] == [
        ("full_name", "removed", [], ["STRING"]),
        ("monthly_fee", "changed", ["STRING"], ["FLOAT"]),
    ]
    assert [(r["control_table"], r["row_id"]) for r in told["refusals"]] == [
        ("relationship_mappings", 77)
    ]
    assert [(s["change"], s["label"]) for s in told["schema_changes"]] == [("drop", "Media")]
    shown = invoke("plan", "--reconcile", C360_HASH_KEY="a key for tests")
    assert shown.exit_code == 2
    assert "Destroyed permanently" in shown.stdout
    assert "A load would destroy 3 things" in shown.stderr


def test_what_others_wrote_is_at_risk_only_when_the_graph_is_cleared(
    project: Project, graph: Graph
) -> None:
    graph.run(b"CREATE (:Analyst {name: 'Ann'})-[:KNOWS]->()", tag={})
    code, told = plan()
    assert (code, told["graph"]["state"]) == (2, "foreign")
    assert told["destroyed"] == [
        "1 nodes of Analyst (this project did not load them)",
        "1 nodes without a label",
        "1 relationships KNOWS (this project did not load them)",
    ]
    assert plan("--reconcile")[0] == 0


def test_who_cannot_be_asked_is_named_and_the_others_are_asked(project: Project) -> None:
    with project.connect() as connection:
        connection.execute(
            "UPDATE source_databases SET db_host = '127.0.0.1', db_port = 1"
            " WHERE source_name = 'support_db'"
        )
    code, told = plan(NEO4J_URI="bolt://127.0.0.1:1")
    assert (code, told["graph"]["state"]) == (1, "unreachable")
    assert {label["change"] for label in told["labels"]} == {"unknown"}
    problems = {source["source"]: source["problem"] for source in told["sources"]}
    assert problems["profiles_db"] is None
    assert "support_db" in problems["support_db"]
    assert len(told["problems"]) == 2
    rows = {table["table"]: table["rows"] for table in told["tables"]}
    assert (rows["accounts"], rows["tickets"]) == (40, None)
    assert samples(told)["WATCHED"] == MATCHES["WATCHED"]
    assert told["waiting_relationships"] == [5, 6]


def test_a_sample_that_fails_is_said_in_its_row_without_values_and_the_next_is_taken(
    project: Project, graph: Graph
) -> None:
    with project.connect("streaming_db") as connection:
        connection.execute(
            "CREATE FUNCTION careful(uuid) RETURNS uuid STABLE LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'not %', $1; END $$"
        )
        connection.execute("ALTER TABLE play_events RENAME TO events")
        connection.execute(
            "CREATE VIEW play_events AS SELECT event_id, media_id,"
            " careful(account_id_from_token) AS account_id_from_token FROM events"
        )
    code, told = plan()
    # A run would fail at the view, too.
    assert code == 1
    assert [line.partition(":")[0] for line in told["failing"]] == [
        "streaming_db/play_events cannot be read"
    ]
    assert samples(told) == MATCHES | {"WATCHED": (0, 0)}
    (watched,) = (found for found in told["relationships"] if found["type"] == "WATCHED")
    assert watched["sample"]["problem"] == (
        "source streaming_db refused: RaiseException (SQLSTATE P0001)"
    )


def test_every_command_that_prints_a_table_prints_json_and_nothing_else(
    project: Project, graph: Graph
) -> None:
    assert load_graph().success
    (script,) = (project.data_dir / "scripts").glob("*.cypher")
    loaded = document(invoke("load", str(script), "--clear", "--json"))
    assert loaded["nodes"] == NODES
    answers = document(invoke("ask", "--as-of", "2025-11-03", "--json"))
    assert (len(answers), answers[-1]["name"]) == (11, "fraud_ring")
    assert answers[-1]["rows"]
    with project.connect() as connection:
        connection.execute("UPDATE source_databases SET is_active = false WHERE source_id = 3")
    checked = document(invoke("check", "--json"))
    assert (checked["tables"], checked["refused"], checked["warnings"]) == (6, [], [])
    assert "source_databases support_db: deactivated" in checked["inactive"]
    assert "relationship_mappings row 6 ((Account)-[SUBMITTED]->(Ticket)): inactive" in str(
        checked["inactive"]
    )
    folder = str(project.data_dir / "no_sandbox")
    status = invoke("sandbox", "status", "--folder", folder, "--json")
    assert document(status) == {"postgres_up": False, "neo4j_up": False}


def change_everything(project: Project) -> None:
    """A label off, a column excluded, another hashed, a row that is wrong, a type and a column new."""
    with project.connect() as connection:
        connection.execute(
            "UPDATE node_label_mappings SET is_active = false WHERE node_label = 'Media'"
        )
        connection.execute(
            "INSERT INTO field_exclusion_rules (rule_id, source_id, table_name, column_name, reason,"
            " treatment)"
            " VALUES (70, 1, 'accounts', 'full_name', 'PII', 'exclude'),"
            " (71, 1, 'plans', 'plan_name', NULL, 'hash')"
        )
        connection.execute(
            "INSERT INTO relationship_mappings (relationship_id, relationship_type, from_label,"
            " to_label, join_condition) VALUES (77, 'KNOWS', 'Account', 'Nobody', 'a.x = b.y')"
        )
    with project.connect("profiles_db") as connection:
        connection.execute("ALTER TABLE plans ALTER monthly_fee TYPE text, ADD note text")


def invoke(*words: str, **environment: str) -> Result:
    return RUNNER.invoke(app, list(words), env=environment)


def plan(*words: str, **environment: str) -> tuple[int, Any]:
    result = invoke("plan", "--json", *words, **environment)
    return result.exit_code, document(result)


def document(result: Result) -> Any:
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return json.loads(result.stdout)


def samples(told: Any) -> dict[str, tuple[int, int]]:
    return {
        found["type"]: (found["sample"]["sampled"], found["sample"]["matched"])
        for found in told["relationships"]
        if found["sample"] is not None
    }


def contents(graph: Graph) -> list[Any]:
    return [
        graph.rows("MATCH (n) RETURN labels(n) AS l, properties(n) AS p ORDER BY elementId(n)"),
        graph.rows("SHOW CONSTRAINTS YIELD name RETURN name ORDER BY name"),
        graph.rows("SHOW INDEXES YIELD name RETURN name ORDER BY name"),
    ]
