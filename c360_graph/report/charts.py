"""A chart from an answer, as its question's file says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from c360_graph.questions import COUNTED, Answer, ChartFact, ChartKind, shown

MOST_POINTS = 40


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One value for each label; `left_out` counts further points, and rows that were not kept."""

    name: str
    title: str
    kind: ChartKind
    value_name: str
    label_name: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    left_out: int = 0


def chart_of(answer: Answer) -> Chart | None:
    """The chart of an answer; None where its question names none or the columns are not there."""
    fact = answer.question.chart
    if fact is None:
        return None
    counted = fact.value == COUNTED
    points = answer.tally if counted else _points(answer, fact)
    if not points:
        return None
    unkept = 0 if counted else answer.row_count - len(answer.rows)
    return Chart(
        name=answer.question.name,
        title=answer.question.title,
        kind=fact.kind,
        value_name="count" if counted else _words(fact.value),
        label_name=_words(fact.by),
        labels=tuple(shown(label) for label, _ in points[:MOST_POINTS]),
        values=tuple(value for _, value in points[:MOST_POINTS]),
        left_out=max(0, len(points) - MOST_POINTS) + unkept,
    )


def _points(answer: Answer, fact: ChartFact) -> tuple[tuple[Any, float], ...]:
    if fact.value not in answer.columns or fact.by not in answer.columns:
        return ()
    label, value = answer.columns.index(fact.by), answer.columns.index(fact.value)
    return tuple((row[label], row[value]) for row in answer.rows if _is_number(row[value]))


def _is_number(value: Any) -> bool:
    # JSON, by which the page gets it, has neither infinity nor NaN.
    return isinstance(value, int | float) and math.isfinite(value)


def _words(column: str) -> str:
    return column.replace("_", " ")
