"""Each record of tables with awkward keys has its one customer, where they share a label, too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.identity.test_customers import failed_checks
from c360_graph_tests.integration.reconcile.reconciled import NOTHING, changes, contents, reconcile
from c360_graph_tests.integration.runs import load_graph
from c360_graph_tests.integration.schemas.world import World, built_from

ONE = """
CREATE EXTENSION citext;
CREATE TYPE kind AS ENUM ('a', 'b');
CREATE TABLE "Odd ""name" (at timestamp, code citext, "k%ey" kind, email text, PRIMARY KEY (at, code, "k%ey"));
INSERT INTO "Odd ""name" VALUES
    ('2024-03-31 02:30:00.5', 'AbC', 'a', 'x@example.com'), ('2024-03-31 02:30:00.5', 'x\\N''y', 'b', 'y@example.com');
CREATE TABLE amounts (identity_id numeric, day date, email text, PRIMARY KEY (identity_id, day));
INSERT INTO amounts VALUES (1.50, '2024-01-01', 'x@example.com'), (1.5000001, '9999-12-31', NULL);
"""
CONTROL = """
INSERT INTO source_databases (source_id, source_name, db_name, time_zone) VALUES (1, 'one', 'one', 'Europe/Berlin');
INSERT INTO field_exclusion_rules (source_id, table_name, column_name, treatment) VALUES (1, 'Odd "name', 'code', 'hash');
INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES (1, 'Odd "name', 'Record'), (1, 'amounts', 'Record');
INSERT INTO identity_rules (entity_label, table_name, identifier_kind, column_name) VALUES
    ('Odd`Customer', 'Odd "name', 'email', 'email'), ('Odd`Customer', 'amounts', 'email', 'email');
"""


@pytest.fixture(scope="module")
def world(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("awkward")
    with built_from({"one": ONE, "control": CONTROL}, servers, folder) as made:
        yield made


def test_each_record_has_one_customer_however_awkward_its_key_is(world: World) -> None:
    result = load_graph()
    assert failed_checks(result) == {}
    assert world.counts() == ({"Record": 4, "Odd`Customer": 3}, {"IS": 4})
    together = "MATCH (c:`Odd``Customer`)-[:IS]->(r) RETURN c.odd_customer_id, collect(r.email) ORDER BY c.odd_customer_id"
    assert sorted(sorted(emails) for _, emails in world.cypher(together)) == [
        [],
        ["x@example.com", "x@example.com"],
        ["y@example.com"],
    ]
    made = contents(world.graph)
    assert changes(reconcile()) == NOTHING
    assert changes(reconcile(full_comparison=True))["nodes_created"] == 0
    assert contents(world.graph) == made


def test_starter_questions_quote_every_name(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_QUERIES_DIR", str(tmp_path))
    for command in (["ask", "--starter", str(tmp_path)], ["ask"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
    assert (tmp_path / "around_one_odd_customer.cypher").exists()
    assert (tmp_path / "shared_record_email.cypher").exists()


def test_plan_and_check_know_the_customers(world: World) -> None:
    planned = CliRunner().invoke(app, ["plan", "--reconcile", "--json"])
    assert planned.exit_code == 0, planned.output
    told = json.loads(planned.stdout)
    assert told["destroyed"] == []
    labels = {label["label"]: label["change"] for label in told["labels"]}
    assert labels == {"Record": "unchanged", "Odd`Customer": "unchanged"}
    assert [(r["type"], r["change"], r["relationship_id"]) for r in told["relationships"]] == [
        ("IS", "unchanged", None)
    ] * 2
    assert CliRunner().invoke(app, ["plan", "--clear"]).exit_code == 0
    checked = CliRunner().invoke(app, ["check"])
    assert checked.exit_code == 0, checked.output
    world.control("UPDATE identity_rules SET column_name = 'mail' WHERE table_name = 'amounts'")
    wrong = CliRunner().invoke(app, ["check"])
    assert "identity_rules row 2" in wrong.output
    assert "did you mean 'email'?" in wrong.output
