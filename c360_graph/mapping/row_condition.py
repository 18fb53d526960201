"""One condition of a row filter: which rows of a table are read."""

from __future__ import annotations

from typing import Literal

from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.names import columns_meant
from c360_graph.sql_quoting import quoted

Operator = Literal["=", "<>", "<", "<=", ">", ">=", "IN", "NOT IN", "IS NULL", "IS NOT NULL"]


class RowCondition(Frozen):
    """`column operator values`; each value is SQL of one literal.

    >>> str(RowCondition(column="state", operator="IN", values=("'on'", "'off'")))
    '"state" IN (\\'on\\', \\'off\\')'
    """

    column: str
    column_is_quoted: bool = True
    operator: Operator
    values: tuple[str, ...] = ()

    @property
    def candidates(self) -> tuple[str, ...]:
        """Column names this may mean, in the order they are tried, as in a join condition."""
        return columns_meant(self.column, is_quoted=self.column_is_quoted)

    def sql(self, alias: str) -> str:
        """The condition on the column of an alias."""
        return self._written(f"{alias}.{quoted(self.column)}")

    def __str__(self) -> str:
        return self._written(quoted(self.column))

    def _written(self, column: str) -> str:
        if not self.values:
            return f"{column} {self.operator}"
        listed = ", ".join(self.values)
        inside = f"({listed})" if self.operator in ("IN", "NOT IN") else listed
        return f"{column} {self.operator} {inside}"
