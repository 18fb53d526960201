"""A graph of other things than the sample has: nothing that people see is about the sample."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from playwright.sync_api import Page, expect

from c360_graph.assets.analytics import REPORT_KEY
from c360_graph.questions import read_question_set
from c360_graph_tests.browser.dagster_ui import DagsterUi, browser_page, dagster_ui
from c360_graph_tests.conftest import SQL_DIR, TestServers
from c360_graph_tests.integration.schemas.world import World, built_from
from c360_graph_tests.integration.serving.conftest import server

pytestmark = pytest.mark.browser

LIBRARY = """
CREATE TABLE readers (reader_no int PRIMARY KEY, full_name text);
CREATE TABLE borrowings (no int PRIMARY KEY, reader_no int REFERENCES readers, shelf text);
INSERT INTO readers VALUES (1, 'Ada'), (2, 'Blaise');
INSERT INTO borrowings VALUES (1, 1, 'A7'), (2, 1, 'B2'), (3, 2, 'A7');
"""
CONTROL = """
INSERT INTO source_databases (source_id, source_name, db_name) VALUES (1, 'library', 'library');
INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES
    (1, 'readers', 'Reader'), (1, 'borrowings', 'Borrowing');
INSERT INTO relationship_mappings
    (source_db, relationship_type, from_label, to_label, join_condition) VALUES
    ('library', 'BORROWED', 'Reader', 'Borrowing', 'r.reader_no = b.reader_no');
"""


def words_of_the_sample() -> frozenset[str]:
    """Labels, relationship types, sources and tables of its control rows, and its questions."""
    (control,) = SQL_DIR.glob("*control*data*.sql")
    named = re.findall(r"'([A-Z][a-z]\w+|[A-Z]+_[A-Z_]+|[a-z]+_[a-z_]+)'", control.read_text())
    asked = read_question_set(None)
    questions = [word for q in (*asked.questions, *asked.pictures) for word in (q.name, q.title)]
    return frozenset((*named, *questions))


@pytest.fixture
def world(servers: TestServers, tmp_path: Path) -> Iterator[World]:
    with built_from({"library": LIBRARY, "control": CONTROL}, servers, tmp_path) as made:
        yield made


def test_a_mapping_unlike_the_sample_shows_no_trace_of_it(world: World, tmp_path: Path) -> None:
    from c360_graph.definitions import defs

    job = defs().resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(asset_selection=[dg.AssetKey(REPORT_KEY)]).success
    seen: dict[str, str] = {}
    with dagster_ui(tmp_path / "dev") as ui:
        seen |= dict(dagster_pages(ui))
        page = ui.page.context.new_page()
        page.goto((world.data_dir / "reports" / "latest.html").as_uri())
        seen["report"] = text_of(page)
    with server(unmasked=True) as api, browser_page() as page:
        for path in ("/", "/v1/schema", "/v1/answers"):
            page.goto(str(api.base_url.join(path)))
            seen[f"serve {path}"] = text_of(page)
    words = words_of_the_sample()
    assert {"PlayEvent", "profiles_db", "fraud_ring"} <= words
    found = {
        (place, word)
        for place, text in seen.items()
        for word in words
        if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)
    }
    assert found == set()
    assert "borrowings" in seen["lineage"]
    assert "Reader" in seen["serve /v1/schema"]


def dagster_pages(ui: DagsterUi) -> Iterator[tuple[str, str]]:
    page = ui.lineage("library", "graph", "answers")
    expect(page.locator("foreignObject").get_by_text("borrowings").first).to_be_attached()
    yield "lineage", text_of(page)
    for asset in ("cypher_script", "neo4j_graph", REPORT_KEY):
        page = ui.open(f"assets/{asset}")
        expect(page.get_by_text("Description").first).to_be_visible()
        yield asset, text_of(page)


def text_of(page: Page) -> str:
    return page.locator("body").inner_text()
