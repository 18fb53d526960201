"""Charts, pictures and the report from answers, and the files of reports."""

from __future__ import annotations

import math
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from c360_graph.questions import Answer, ChartFact, HeadlineFact, Question, Refused
from c360_graph.report import files
from c360_graph.report.contents import customer_360_page
from c360_graph.report.files import ReportStore
from c360_graph.report.page import (
    MOST_EDGES,
    MOST_POINTS,
    Chart,
    Edge,
    Headline,
    Node,
    Page,
    chart_of,
    picture_of,
    render,
)

MADE_AT = datetime(2025, 11, 3, tzinfo=UTC)


def test_a_chart_shows_a_column_by_another() -> None:
    fact = ChartFact(kind="bar", value="monthly_fee", by="plan")
    answer = _answer(("plan", "monthly_fee"), [("Basic", 7.5), ("None", None)], chart=fact)
    assert chart_of(answer) == Chart(
        name="q",
        title="Q",
        kind="bar",
        value_name="monthly fee",
        label_name="plan",
        labels=("Basic",),
        values=(7.5,),
    )


def test_a_chart_leaves_out_what_is_no_number_and_counts_what_it_does_not_draw() -> None:
    fact = ChartFact(kind="bar", value="fee", by="plan")
    numbers = [(f"p{n}", n) for n in range(MOST_POINTS - 1)]
    nothing = [("a", None), ("b", math.nan), ("c", math.inf), ("d", -math.inf), ("e", "x")]
    answer = _answer(("plan", "fee"), [*nothing, *numbers], chart=fact)
    chart = chart_of(answer)
    assert chart is not None
    assert (chart.labels[0], len(chart.values), chart.left_out) == ("p0", MOST_POINTS - 1, 0)
    more = chart_of(_answer(("plan", "fee"), [*nothing, *numbers, *numbers], chart=fact))
    assert more is not None
    assert (len(more.values), more.left_out) == (MOST_POINTS, MOST_POINTS - 2)
    # Of rows that were not kept nobody knows whether they hold a number.
    unkept = chart_of(replace(answer, row_count=answer.row_count + 100))
    assert unkept is not None
    assert unkept.left_out == 100
    assert chart_of(_answer(("plan", "fee"), nothing, chart=fact)) is None


def test_a_chart_of_rows_counts_those_that_were_not_kept_too() -> None:
    fact = ChartFact(kind="bar", value="rows", by="risk")
    answer = Answer(
        question=Question(name="q", title="Q", statement="", chart=fact),
        columns=("risk",),
        rows=(("High",),),
        row_count=90,
        tally=(("High", 30), ("Low", 60)),
    )
    chart = chart_of(answer)
    assert chart is not None
    assert (chart.labels, chart.values) == (("High", "Low"), (30, 60))


def test_a_chart_of_columns_that_are_not_there_is_none() -> None:
    fact = ChartFact(kind="line", value="x", by="y")
    assert chart_of(_answer(("y",), [("a",)], chart=fact)) is None
    assert chart_of(_answer(("y",), [("a",)])) is None


def test_a_picture_has_each_node_once_and_a_bound() -> None:
    ann = {"id": "a", "kind": "Account", "caption": "Ann", "details": {"z": 1, "b": ("x", "y")}}
    card = {"id": "c", "kind": "Card", "caption": "C"}
    columns = ("source", "relationship", "target")
    answer = _answer(columns, [(ann, "pays with", card)] * (MOST_EDGES + 3))
    picture = picture_of(answer)
    assert picture is not None
    assert picture.nodes == (
        Node(id="a", kind="Account", caption="Ann", details=(("b", "x, y"), ("z", "1"))),
        Node(id="c", kind="Card", caption="C"),
    )
    assert picture.kinds == ("Account", "Card")
    assert set(picture.edges) == {Edge(source="a", target="c", kind="pays with")}
    assert (len(picture.edges), picture.left_out) == (MOST_EDGES, 3)


def test_a_picture_counts_no_row_that_is_no_edge() -> None:
    ann, bob = {"id": "a", "caption": "Ann"}, {"id": "b", "caption": "Bob"}
    columns = ("source", "relationship", "target")
    alone = [(ann, "knows", None)] * MOST_EDGES
    picture = picture_of(_answer(columns, [*alone, (ann, "knows", bob)]))
    assert picture is not None
    assert (len(picture.edges), picture.left_out) == (1, 0)
    assert [node.id for node in picture.nodes] == ["a", "b"]


def test_the_report_says_why_a_question_is_not_answered() -> None:
    question = Question(
        name="ring", title="Ring", statement="", headline=HeadlineFact(column="n", words="users")
    )
    lacking = Answer(
        question=question, columns=(), rows=(), row_count=0, lacking=("no label `Ship`.",)
    )
    page = customer_360_page(
        replies=[
            Answer(question=question, columns=("n",), rows=((1234,),), row_count=1),
            lacking,
            Refused(question=question, reason="it took too long"),
        ],
        pictures=[lacking],
        nodes={"A": 2, "B": 1},
        relationships={"R": 4},
        made_at=MADE_AT,
    )
    assert page.subtitle == "1 of 3 questions answered by the graph"
    assert page.headlines == (Headline(number="1,234", words="users"),)
    assert page.pictures == ()
    assert dict(page.figures) == {
        "Nodes": "3",
        "Relationships": "4",
        "Labels": "2",
        "Relationship types": "1",
    }
    skipped = "Skipped, because data that it needs is not in the graph: no label `Ship`."
    assert [section.note for section in page.sections] == [
        "",
        skipped,
        "Not answered: it took too long",
        skipped,
    ]


def test_old_reports_go_and_so_do_those_of_other_rules(tmp_path: Path) -> None:
    store = ReportStore(tmp_path)
    page = Page(title="t", subtitle="", made_at=MADE_AT)
    other = store.write(render(page))
    written = [
        store.write(render(Page(title="t", subtitle="", made_at=MADE_AT, rules="now")))
        for _ in range(4)
    ]
    assert store.prune(keep=3, rules="now") == 2
    assert not other.exists()
    assert [path.exists() for path in written] == [False, True, True, True]
    assert (store.latest).resolve() == written[-1]
    assert {stat.S_IMODE(path.stat().st_mode) for path in store.folder.iterdir()} == {0o600}


def test_reports_follow_each_other_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ReportStore(tmp_path)
    page = render(Page(title="t", subtitle="", made_at=MADE_AT, rules="now"))
    store.folder.mkdir()
    old = store.folder / "customer_360_20990101T000000_000000Z.html"
    old.write_text(page)
    written = []
    for stamp in ("20250612T000000_000000Z", "20250610T000000_000000Z"):
        monkeypatch.setattr(files, "file_stamp", lambda stamp=stamp: stamp)
        written.append(store.write(page))
    assert store.latest.resolve() == written[-1]
    assert store.prune(keep=1, rules="now") == 2
    assert written[-1].exists()
    # What a process that was killed left, and what is no report.
    (store.folder / ".latest.html.customer_360_x").symlink_to(written[-1].name)
    mine = store.folder / "customer_360_mine.html"
    mine.write_text("mine")
    assert store.remove_leftovers() == 1
    assert store.purge(rules="now") == 0
    assert store.purge(rules="others") == 1
    assert mine.exists()
    assert not written[-1].exists()


def _answer(
    columns: tuple[str, ...], rows: list[tuple[Any, ...]], chart: ChartFact | None = None
) -> Answer:
    return Answer(
        question=Question(name="q", title="Q", statement="", chart=chart),
        columns=columns,
        rows=tuple(rows),
        row_count=len(rows),
    )
