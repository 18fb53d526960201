"""A report in a browser, whatever its questions are called and answer."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from c360_graph.questions import Answer, ChartFact, Question
from c360_graph.report import page as report_page
from c360_graph.report.contents import customer_360_page
from c360_graph.report.page import MOST_DRAWN, Edge, Node, Picture, render
from c360_graph_tests.browser.dagster_ui import browser_page

pytestmark = pytest.mark.browser


def test_a_chart_is_drawn_beside_what_is_no_number_whatever_its_question_is_called(
    tmp_path: Path,
) -> None:
    fact = ChartFact(kind="bar", value="fee", by="plan")
    answer = Answer(
        question=Question(name="drawn", title="Plans", statement="", chart=fact),
        columns=("plan", "fee"),
        rows=(("Basic", 7.5), ("Lost", math.nan), ("Endless", math.inf), ("None", None)),
        row_count=4,
    )
    report = tmp_path / "report.html"
    report.write_text(
        render(
            customer_360_page(
                replies=[answer],
                pictures=[],
                nodes={},
                relationships={},
                made_at=datetime(2025, 11, 3, tzinfo=UTC),
            )
        ),
        encoding="utf-8",
    )
    with browser_page() as page:
        page.goto(report.as_uri())
        drawn = page.locator("#chart-drawn text")
        expect(drawn.get_by_text("Basic")).to_be_visible()
        expect(drawn.get_by_text("Endless")).to_have_count(0)


EDGE = "#picture-pair-canvas path[fill='none'][d*=Q]"
KINDS = tuple(f"Kind {number}" for number in range(12))


def picture(name: str, *, nodes: int, edges: int) -> Picture:
    made = tuple(
        Node(id=f"{name} {n}", kind=KINDS[n % len(KINDS)], caption=f"{name} node {n}")
        for n in range(nodes)
    )
    return Picture(
        name=name,
        title=name.title(),
        description="",
        nodes=made,
        edges=tuple(
            Edge(
                source=made[n % nodes].id,
                target=made[(n + 1 + n // nodes) % nodes].id,
                kind=f"TYPE_{n}",
            )
            for n in range(edges)
        ),
    )


def labels(page: Page, name: str) -> list[str]:
    """The captions that are drawn, shortened as they may be."""
    texts = page.locator(f"#picture-{name}-canvas text").all_text_contents()
    return [text for text in texts if text.startswith(name)]


def length_of_edge(page: Page) -> float:
    """How long the only line between two nodes is drawn."""
    box = page.locator(EDGE).first.bounding_box()
    assert box is not None
    return box["width"] + box["height"]


def test_a_picture_is_usable_on_a_phone_by_keyboard_and_in_the_dark(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    drawn = report_page.Page(
        title="Customer 360",
        subtitle="",
        made_at=datetime(2025, 11, 3, 10, 5, tzinfo=UTC),
        as_of="2025-11-01 00:00:00",
        pictures=(
            picture("pair", nodes=2, edges=1),
            picture("group", nodes=24, edges=30),
            picture("crowd", nodes=120, edges=MOST_DRAWN + 50),
        ),
    )
    report.write_text(render(drawn), encoding="utf-8")
    with browser_page() as first:
        browser = first.context.browser
        assert browser is not None
        context = browser.new_context(
            viewport={"width": 400, "height": 800}, color_scheme="dark", has_touch=True
        )
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(report.as_uri())
        expect(page.locator("header")).to_contain_text(
            "Made 2025-11-03 10:05 UTC, as of 2025-11-01 00:00:00"
        )
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        light_ground = "rgb(245, 247, 249)"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light_ground
        assert 1 <= len(labels(page, "group")) <= 8
        before = length_of_edge(page)
        page.get_by_role("button", name="Zoom in").first.click()
        assert length_of_edge(page) > before

        # By keyboard: into the picture, from node to node, to the legend.
        page.locator("#picture-pair-legend button").last.focus()
        page.keyboard.press("Tab")
        expect(page.locator("#picture-pair-canvas")).to_be_focused()
        detail = page.locator("#picture-pair-detail")
        for key, place in (("ArrowRight", 0), ("ArrowDown", 1), ("Home", 0), ("ArrowLeft", 1)):
            page.keyboard.press(key)
            expect(detail).to_have_attribute("data-node-id", f"pair {place}")
        kind = page.locator("#picture-pair-legend button", has_text="Kind 0")
        kind.focus()
        page.keyboard.press("Space")
        expect(kind).to_have_attribute("aria-pressed", "false")
        assert labels(page, "pair") == ["pair node 1"]
        page.keyboard.press("Space")

        hover_over_the_edge(page)
        expect(page.locator("#picture-pair-canvas text", has_text="TYPE_0")).to_be_visible()

        rest = page.get_by_role("button", name="Draw the other 50 edges")
        lines = page.locator("#picture-crowd-canvas path[fill='none'][d*=Q]")
        few = lines.count()
        rest.click()
        assert lines.count() == few + 50
        expect(rest).to_have_count(0)
        swatches = page.locator("#picture-crowd-legend button").evaluate_all(
            "all => all.map(b => b.dataset.shape + b.style.getPropertyValue('--kind'))"
        )
        assert len({*swatches}) == len(KINDS)
        assert wrong == []


def hover_over_the_edge(page: Page) -> None:
    """Move to the middle of the only line between two nodes."""
    page.locator("#picture-pair-canvas").scroll_into_view_if_needed()
    place = page.locator(EDGE).first.evaluate(
        """line => {
            const middle = line.getPointAtLength(line.getTotalLength() / 2);
            const {x, y} = middle.matrixTransform(line.getScreenCTM());
            return [x, y];
        }"""
    )
    page.mouse.move(*place)
