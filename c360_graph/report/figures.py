"""Figures from an answer: a chart, as its question's file says, or a picture of nodes and edges.

The statement of a picture returns a row for each edge: `source` and `target` are maps with `id`,
`kind`, `caption` and, where there are any, `details` (a map); `relationship` is a text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from c360_graph.questions import COUNTED, Answer, ChartFact, ChartKind, shown

MOST_POINTS = 40

MOST_DRAWN = 400
"""More than that no one can see apart; a button draws the others."""
MOST_EDGES = 2_000
"""More than that a browser takes long to arrange."""
LONGEST_VALUE = 300

_COLUMNS = ("source", "relationship", "target")


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


@dataclass(frozen=True, kw_only=True)
class Node:
    """What is drawn as a dot; `details` are shown when it is clicked."""

    id: str
    kind: str
    caption: str
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A line between two nodes, by their ids."""

    source: str
    target: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Nodes in order of appearance; `left_out` counts further edges, and rows that were not kept."""

    name: str
    title: str
    description: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    left_out: int = 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its nodes in order of appearance."""
        return tuple(dict.fromkeys(node.kind for node in self.nodes))


def picture_of(answer: Answer) -> Picture | None:
    """The picture of an answer; None where it has no rows of that form."""
    if any(column not in answer.columns for column in _COLUMNS):
        return None
    indexes = [answer.columns.index(column) for column in _COLUMNS]
    picked = (tuple(row[index] for index in indexes) for row in answer.rows)
    rows = [row for row in picked if isinstance(row[0], Mapping) and isinstance(row[2], Mapping)]
    if not rows:
        return None
    nodes: dict[str, Node] = {}
    sources: list[Node] = []
    targets: list[Node] = []
    edges: list[Edge] = []
    for source, relationship, target in rows[:MOST_EDGES]:
        sources.append(_node(source))
        targets.append(_node(target))
        edges.append(Edge(source=sources[-1].id, target=targets[-1].id, kind=shown(relationship)))
    for node in (*sources, *targets):
        nodes.setdefault(node.id, node)
    return Picture(
        name=answer.question.name,
        title=answer.question.title,
        description=answer.question.description,
        nodes=tuple(nodes.values()),
        edges=tuple(edges),
        left_out=max(0, len(rows) - MOST_EDGES) + answer.row_count - len(answer.rows),
    )


def details_of(properties: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Properties as texts of bounded length, in order of name."""
    texts = ((name, shown(properties[name])) for name in sorted(properties))
    return tuple(
        (name, text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…")
        for name, text in texts
    )


def _node(value: Mapping[str, Any]) -> Node:
    caption = shown(value.get("caption"))
    return Node(
        id=shown(value.get("id", caption)),
        kind=shown(value.get("kind")) or "Node",
        caption=caption or shown(value.get("id")),
        details=details_of(value.get("details") or {}),
    )
