"""Of a neighbourhood that was cut, each way of telling it says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from c360_graph.cli.customer import as_data, print_journey
from c360_graph.customer.neighbourhood import Neighbourhood, SimilarEntity
from c360_graph.report.contents import customer_page
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


def test_who_may_be_the_same_is_told_apart_in_each_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    centre = replace(PATIENT, key=("patient_id",))
    other = replace(centre, id="p2", properties={"patient_id": "P2"})
    similar = (SimilarEntity(thing=other, score=0.97),)
    around = replace(AROUND, centre=centre, possibly_same=similar)
    print_journey(around)
    said = " ".join(capsys.readouterr().out.split())
    assert said.index("Journey") < said.index("Possibly the same Patient") < said.index("P2")
    assert [one["score"] for one in as_data(around)["possibly_same"]] == [0.97]
    page = customer_page(around, made_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert [section.name for section in page.sections][-1] == "possibly-same"
    print_journey(AROUND)
    assert "Possibly" not in capsys.readouterr().out


def _notes(around: Neighbourhood) -> dict[str, str]:
    page = customer_page(around, made_at=datetime(2026, 1, 1, tzinfo=UTC))
    return {section.name: section.note for section in page.sections if section.note}
