"""A report in a browser, whatever its questions are called and answer."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from c360_graph.answers import Answer
from c360_graph.questions import ChartFact, Question
from c360_graph.report.customer_360 import customer_360_page
from c360_graph.report.page import render
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
