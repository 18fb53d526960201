"""A graph that lives, in a browser: what changes in a source is shown without anybody pressing anything."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from c360_graph.following import given
from c360_graph_tests.browser.dagster_ui import DagsterUi, dagster_ui
from c360_graph_tests.conftest import TestServers, empty, sample_project
from c360_graph_tests.integration.following.followed import drop_slots, following

pytestmark = pytest.mark.browser

ADDRESS = "new.address@example.org"
QUESTION = """// title: New addresses
MATCH (a:Account) WHERE a.email STARTS WITH 'new.' RETURN a.email AS address
"""
# The sensors look once a minute, and then a run takes its time.
_PATIENCE_SECONDS = 300.0
_LOOK_MILLISECONDS = 10_000


def shown_in_time(ui: DagsterUi, path: str, text: str) -> None:
    """Wait until a page shows a text, and load it again meanwhile: an open one keeps the metadata it has."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            expect(ui.open(path).locator("body")).to_contain_text(text, timeout=_LOOK_MILLISECONDS)
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise


def test_a_changed_address_is_in_an_answer_and_its_table_is_materialized_by_itself(
    servers: TestServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "MINUTE_SECONDS", 0.5)
    questions = tmp_path / "questions"
    questions.mkdir()
    (questions / "new_addresses.cypher").write_text(QUESTION, encoding="utf-8")
    with sample_project(servers, tmp_path) as project, servers.open_graph() as graph:
        project.map_only("Account")
        monkeypatch.setenv("C360_QUERIES_DIR", str(questions))
        monkeypatch.setenv("C360_ASK_AGAIN_MINUTES", "1")
        try:
            with following() as running, dagster_ui(tmp_path / "dev") as ui:
                running.await_following()
                page = ui.open("assets/profiles_db/accounts")
                expect(page.locator("body")).to_contain_text("accounts")
                with project.connect("profiles_db") as source:
                    source.execute(
                        "UPDATE accounts SET email = %s WHERE email = (SELECT min(email) FROM accounts)",
                        (ADDRESS,),
                    )
                shown_in_time(ui, "assets/profiles_db/accounts", "followed_rows")
                shown_in_time(ui, "assets/answers/new_addresses", ADDRESS)
        finally:
            drop_slots(servers.postgres, project.prefix)
            empty(graph)
