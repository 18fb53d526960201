"""Of a neighbourhood that was cut, each way of telling it says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from c360_graph.cli.customer import as_data, print_journey
from c360_graph.customer.neighbourhood import Neighbourhood
from c360_graph.report.one_customer import customer_page
from c360_graph_tests.unit.customer.test_journey import AROUND, PATIENT, VISITS

CUT = Neighbourhood(centre=PATIENT, groups=(replace(VISITS, total=1_234),))
SAID = "Of Visit by HAD, only the newest 2 are shown and counted, and 1,232 more are not."


def test_the_page_says_what_its_journey_and_its_counts_leave_out() -> None:
    assert _notes(CUT) == {"journey": SAID, "repeats": SAID}
    assert _notes(AROUND) == {}


def test_the_terminal_says_it_above_what_repeats(capsys: pytest.CaptureFixture[str]) -> None:
    print_journey(CUT)
    said = capsys.readouterr().out
    assert said.index(SAID) < said.index("What repeats") < said.index("Journey")
    assert "and 1,232 more rows" in said
    print_journey(AROUND)
    said = capsys.readouterr().out
    assert "more are not" not in said
    assert "more rows" not in said


def test_json_says_it_of_each_kind() -> None:
    assert as_data(CUT)["cut"] == [
        {"relationship_type": "HAD", "label": "Visit", "told": 2, "total": 1_234, "newest": True}
    ]
    assert as_data(AROUND)["cut"] == []


def _notes(around: Neighbourhood) -> dict[str, str]:
    page = customer_page(around, made_at=datetime(2026, 1, 1, tzinfo=UTC))
    return {section.name: section.note for section in page.sections if section.note}
