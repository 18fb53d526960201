"""A column by which records are compared, and how."""

from __future__ import annotations

from typing import Literal

from c360_graph.mapping.control_rows import Frozen

RecordComparison = Literal["exact", "name", "code", "date"]
"""How values of two records are compared that need not be equal."""


class ComparedColumn(Frozen):
    """A property by which records are compared that share no identifier."""

    kind: str
    column: str
    comparison: RecordComparison
