"""A page as HTML, with charts and pictures from answers: values in, one text out.

The statement of a picture returns a row for each edge: `source` and `target` are maps with `id`,
`kind`, `caption` and, where there are any, `details` (a map); `relationship` is a text.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from c360_graph.questions import COUNTED, Answer, ChartFact, ChartKind, shown
from c360_graph.text import visible

MOST_POINTS = 40

MOST_DRAWN = 400
"""More than that no one can see apart; a button draws the others."""
MOST_EDGES = 2_000
"""More than that a browser takes long to arrange."""
LONGEST_VALUE = 300

_COLUMNS = ("source", "relationship", "target")

MOST_ROWS = 50

_SHORT = 40
"""Characters of a cell that stay on one line; an identifier of 36 does."""
_FOLDER = Path(__file__).parent
_TEMPLATE, _STYLE, _SCRIPT = "page.html.jinja", "page.css", "page.js"
_LIBRARY = "vendor/echarts.min.js"


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


@dataclass(frozen=True, kw_only=True)
class Headline:
    """The one number, and the words after it."""

    number: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells as text; `left_out` counts the rows after those that are shown."""

    columns: tuple[str, ...]
    classes: tuple[str, ...]
    """How each column is set: `number`, `short` (on one line) or nothing."""
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class Section:
    """A titled table; a note says what it leaves out, or why there is none."""

    name: str
    title: str
    description: str = ""
    table: Table | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Page:
    """All that stands on a page, from its top down. `rules` is the fingerprint of the exclusion rules.

    `as_of` is the moment that questions were asked for; empty where they were asked for now.
    """

    title: str
    subtitle: str
    made_at: datetime
    as_of: str = ""
    rules: str = ""
    warnings: tuple[str, ...] = ()
    headlines: tuple[Headline, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    charts: tuple[Chart, ...] = ()
    sections: tuple[Section, ...] = ()


def table_of(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    row_count: int | None = None,
    most: int = MOST_ROWS,
) -> Table:
    """The first rows as text; columns of numbers and of short texts are marked so."""
    count = len(rows) if row_count is None else row_count
    texts = tuple(tuple(shown(value) for value in row) for row in rows[:most])
    return Table(
        columns=tuple(column.replace("_", " ") for column in columns),
        classes=tuple(
            _class([row[index] for row in rows], [row[index] for row in texts])
            for index in range(len(columns))
        ),
        rows=texts,
        left_out=max(0, count - most),
    )


def render(page: Page) -> str:
    """The page as HTML that loads nothing and runs no script but ours, whatever the data holds."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scripts = [_text(_LIBRARY), _text(_SCRIPT)] if page.charts or page.pictures else []
    return environment.get_template(_TEMPLATE).render(
        page=page,
        # Our own files, which no value of the data has touched.
        style=Markup(_text(_STYLE)),  # noqa: S704
        scripts=[Markup(script) for script in scripts],  # noqa: S704
        policy=_policy(scripts),
        most_drawn=MOST_DRAWN,
        drawn={
            "charts": [asdict(chart) for chart in page.charts],
            "pictures": [_drawn(picture) for picture in page.pictures],
        },
    )


def _visible(value: Any) -> Any:
    """What a template prints, so that no text changes the direction of the text beside it."""
    is_data = isinstance(value, str) and not isinstance(value, Markup)
    return visible(value) if is_data else value


def _class(values: Sequence[Any], texts: Sequence[str]) -> str:
    if all(isinstance(value, int | float | None) for value in values) and any(texts):
        return "number"
    return "short" if all(len(text) <= _SHORT and "\n" not in text for text in texts) else ""


def _drawn(picture: Picture) -> dict[str, Any]:
    return {
        "name": picture.name,
        "kinds": picture.kinds,
        "nodes": [asdict(node) for node in picture.nodes],
        "edges": [asdict(edge) for edge in picture.edges],
        "drawn": min(MOST_DRAWN, len(picture.edges)),
    }


def _policy(scripts: Sequence[str]) -> str:
    """What a browser allows the page: these scripts by their hashes, and no connection."""
    no = "'none'"
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return (
        f"default-src 'none'; script-src {' '.join(hashes) or no}; style-src 'unsafe-inline';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _text(name: str) -> str:
    # Newlines as a parser of HTML sees them, else the hash would differ.
    return (_FOLDER / name).read_text(encoding="utf-8")
