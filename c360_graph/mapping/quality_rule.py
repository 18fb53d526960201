"""A rule about the data, and how its argument is written."""

from __future__ import annotations

import json
import re
from typing import Literal

from c360_graph.errors import MappingError
from c360_graph.mapping.control_rows import Frozen

Kind = Literal["not_null", "unique", "accepted_values", "row_count", "no_rows"]
Severity = Literal["error", "warn"]

_BOUNDS = re.compile(r"\s*(\d+)?\s*\.\.\s*(\d+)?\s*")
_NOT_OF_A_NAME = re.compile("[^A-Za-z0-9_]+")


class QualityRule(Frozen):
    """A rule about one table, or with `no_rows` about the graph; `table` is then None."""

    row_id: int
    kind: Kind
    table: tuple[str, str] | None = None
    columns: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    least: int = 0
    most: int | None = None
    query: str = ""
    severity: Severity = "error"
    is_blocking: bool = False
    description: str = ""

    @property
    def name(self) -> str:
        """The name of its asset check.

        >>> QualityRule(row_id=7, kind="not_null", table=("crm", "people"), columns=("e-mail",)).name
        'not_null_e_mail_7'
        """
        parts = (self.kind, *self.columns, str(self.row_id))
        return "_".join(_NOT_OF_A_NAME.sub("_", part) for part in parts)


def parse_bounds(text: str | None) -> tuple[int, int | None]:
    """The least and the most that a row_count allows.

    >>> parse_bounds("1..1000"), parse_bounds("1.."), parse_bounds("..5")
    ((1, 1000), (1, None), (0, 5))

    Raises:
        MappingError: it is not written so, or allows nothing.
    """
    found = _BOUNDS.fullmatch(text or "")
    if found is None or not any(found.groups()):
        raise MappingError(f"argument {text!r} is not the least and the most rows, such as 1..1000")
    least, most = found.groups()
    bounds = int(least or 0), int(most) if most else None
    if bounds[1] is not None and bounds[1] < bounds[0]:
        raise MappingError(f"argument {text!r} allows no number of rows")
    return bounds


def parse_accepted(text: str | None) -> tuple[str, ...]:
    """The values that accepted_values allows, as PostgreSQL writes them.

    >>> parse_accepted('["new", 7, true]')
    ('new', '7', 'true')

    Raises:
        MappingError: it is not a JSON list of texts, numbers, true and false, or is empty.
    """
    try:
        values = json.loads(text or "")
    except ValueError:
        values = None
    if not isinstance(values, list) or not values:
        raise MappingError(f'argument {text!r} is not a JSON list of values, such as ["a", "b"]')
    if not all(isinstance(value, str | int | float) for value in values):
        raise MappingError(f"argument {text!r} has more than texts, numbers, true and false")
    return tuple(value if isinstance(value, str) else json.dumps(value) for value in values)
