"""A page as HTML: values in, one text out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from c360_graph.questions import shown
from c360_graph.report.figures import MOST_DRAWN, Chart, Picture
from c360_graph.text import visible

MOST_ROWS = 50

_SHORT = 40
"""Characters of a cell that stay on one line; an identifier of 36 does."""
_FOLDER = Path(__file__).parent
_TEMPLATE, _STYLE, _SCRIPT = "page.html.jinja", "page.css", "page.js"
_LIBRARY = "vendor/echarts.min.js"


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
