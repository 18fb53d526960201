"""A column that identifies records, or by which they are compared."""

from __future__ import annotations

from typing import Literal

from c360_graph.mapping.control_rows import Frozen

RecordComparison = Literal["exact", "name", "code", "date"]
"""How values of two records are compared that need not be equal."""


class Identifier(Frozen):
    """A property that identifies the records of a table: equal values of a kind are of one entity."""

    kind: str
    column: str
    min_agreement: int = 1
    """How many kinds two records have to agree on before this one counts."""


class ComparedColumn(Frozen):
    """A property by which records are compared that share no identifier."""

    kind: str
    column: str
    comparison: RecordComparison
