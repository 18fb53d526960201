"""What people do in a browser: build the graph in the Dagster UI, look into it, read the report.

With C360_SCREENSHOTS=docs/images the pictures of the documents are taken anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.browser.dagster_ui import HEIGHT, WIDTH, DagsterUi, dagster_ui
from c360_graph_tests.conftest import REPOSITORY, Project, TestServers, sample_project
from c360_graph_tests.integration.test_pipeline import NODES

pytestmark = pytest.mark.browser

# Read here: the project's fixture takes every C360_ variable away.
SCREENSHOTS = os.environ.get("C360_SCREENSHOTS")
TABLES = {
    "profiles_db": {"accounts", "payment_methods", "plans", "subscriptions"},
    "streaming_db": {"media_content", "play_events"},
    "support_db": {"ticket_tag_link", "ticket_tags", "tickets"},
}
GREEN = re.compile(r"--minimal-border: var\(--color-accent-green\)")
CHECK = "control_rows_are_valid"
REFUSED_ROW = (
    "INSERT INTO relationship_mappings (relationship_id, source_db, relationship_type, from_label,"
    " to_label, join_condition) VALUES"
    " (77, 'support_db', 'RATED', 'Account', 'Ticket', 'a.account_id = t.rated_by')"
)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The project, its graph and the UI in front of them."""

    project: Project
    graph: Graph
    ui: DagsterUi


@pytest.fixture(scope="module")
def stage(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("browser")
    with (
        sample_project(servers, folder) as project,
        servers.open_graph() as graph,
        dagster_ui(folder / "dev") as ui,
    ):
        yield Stage(project=project, graph=graph, ui=ui)


@pytest.fixture(scope="module")
def built(stage: Stage) -> Stage:
    """The same once the UI's own button has built everything."""
    stage.ui.lineage()
    assert stage.ui.launch("Materialize all") == "Success"
    return stage


def test_the_asset_graph_shows_every_mapped_table(stage: Stage) -> None:
    page = stage.ui.lineage(*TABLES, "graph")
    for name in {"cypher_script", "neo4j_graph"}.union(*TABLES.values()):
        expect(node(page, name)).to_be_attached()


def test_materialize_all_turns_the_graph_green(built: Stage) -> None:
    assert graph_counts(built.graph)[0] == NODES
    page = built.ui.lineage(*TABLES, "graph", "answers")
    if SCREENSHOTS:
        give_room(page)
    expect(page.get_by_text("fetching statuses")).to_have_count(0)
    for name in {"cypher_script", "neo4j_graph"}.union(*TABLES.values()):
        expect(status(page, name)).to_have_attribute("style", GREEN)
    picture(page, "asset-graph")


def test_an_asset_shows_columns_and_rows_but_nothing_that_is_excluded(built: Stage) -> None:
    page = built.ui.open("assets/profiles_db/accounts")
    preview = page.locator("table", has_text="created_at").filter(has_text="@email.com").last
    expect(preview).to_be_visible()
    assert "hashed_password" not in preview.inner_text()
    columns = page.locator("body")
    expect(columns).to_contain_text("hashed_password is never read")
    expect(columns).to_contain_text("ZONED DATETIME")
    if SCREENSHOTS:
        page.set_viewport_size({"width": WIDTH, "height": 1150})
    picture(page, "asset-metadata")


def test_a_control_row_that_is_not_valid_fails_its_check(built: Stage) -> None:
    with built.project.connect() as connection:
        connection.execute(REFUSED_ROW)
    page = built.ui.lineage()
    with page.expect_response(lambda r: "mutation Reload" in (r.request.post_data or "")):
        page.get_by_role("button", name="Reload definitions").click()
    built.ui.open(f"assets/cypher_script?view=checks&checkDetail={CHECK}")
    page.get_by_text("Evaluation result").wait_for()
    assert built.ui.launch("Execute") == "Failure"
    built.ui.open(f"assets/cypher_script?view=checks&checkDetail={CHECK}")
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    expect(page.locator("body")).to_contain_text("relationship_mappings row 77")
    picture(page, "failed-check")


def test_a_click_on_a_node_of_the_report_says_who_it_is(built: Stage) -> None:
    # A page of its own: Dagster's keeps asking for the state of its code locations.
    page = built.ui.page.context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    report = (built.project.data_dir / "reports" / "latest.html").as_uri()
    page.goto(report)
    expect(page.locator(".headline")).to_contain_text("5 users share a payment method")
    picture(page, "report")
    page.locator("#picture-fraud_ring-canvas text", has_text="rex.ring").click()
    detail = page.locator("#picture-fraud_ring-detail")
    expect(detail).to_have_attribute("data-node-id", "account 110ecf76-94b2-5614-b1d6-d3bd6b72b37e")
    expect(page.locator("#picture-fraud_ring-detail-kind")).to_have_text("User in the ring")
    expect(page.locator("#picture-fraud_ring-detail-caption")).to_have_text("rex.ring@email.com")
    page.get_by_role("button", name="203.0.113.99").click()
    expect(page.locator("#picture-fraud_ring-detail-kind")).to_have_text("IP address")
    page.mouse.move(1, 1)
    picture(page.locator("#picture-fraud_ring"), "fraud-ring")
    assert asked == [report]


def node(page: Page, name: str) -> Locator:
    """An asset in the drawn graph."""
    return page.locator("foreignObject").get_by_text(name, exact=True).first


def status(page: Page, name: str) -> Locator:
    """What of an asset is drawn in the colour of its status, as far away as the whole graph is seen from."""
    return node(page, name).locator("xpath=ancestor::*[contains(@style, '--minimal-border')]")


def give_room(page: Page) -> None:
    """Leave the window to the graph, drawn whole."""
    page.set_viewport_size({"width": WIDTH, "height": 1150})
    page.get_by_text("Hide navigation").click()
    page.reload()
    page.get_by_text("Materialize all").wait_for()
    page.locator("[aria-label=zoom_out]").click()


def picture(shown: Page | Locator, name: str) -> None:
    """Take a picture of the documents, when they are asked for."""
    if SCREENSHOTS:
        page = shown.page if isinstance(shown, Locator) else shown
        # Whatever moves or fades has come to rest by then.
        page.wait_for_timeout(3_000)
        shown.screenshot(path=REPOSITORY / SCREENSHOTS / f"{name}.png")
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
