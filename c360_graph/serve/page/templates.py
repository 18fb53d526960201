"""The templates, whose values are escaped and cannot change the direction of the text beside them."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from c360_graph.questions import shown
from c360_graph.text import visible

_FOLDER = Path(__file__).parent
STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")


def rendered(template: str, **values: Any) -> str:
    """A page of the folder `html`."""
    return _environment().get_template(f"{template}.html.jinja").render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "html"),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = shown
    environment.filters["moment"] = _moment
    return environment


def _visible(value: Any) -> Any:
    is_data = isinstance(value, str) and not isinstance(value, Markup)
    return visible(value) if is_data else value


def _moment(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else shown(value)
