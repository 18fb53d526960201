"""Counts the rows of a statement on the server, where reading all of them takes longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from time import monotonic
from typing import Any

from neo4j import Query, Session
from neo4j.exceptions import ClientError

_READ_AT_LEAST = 10_000
"""Rows that are read in any case: that takes less than a second."""
_LOOKED_AT_EVERY = 1_000


class RowCount:
    """The number of rows of one statement.

    A count computes the answer once more. Nobody knows how many rows follow, so rows are read as long as that
    has taken less time than the first one, and counted then: together at most twice the time of the better way.
    """

    def __init__(
        self,
        open_session: Callable[[], Session],
        statement: str,
        parameters: Mapping[str, Any],
        *,
        timeout_seconds: float,
    ) -> None:
        self._open_session = open_session
        self._text = count_statement(statement)
        self._parameters = dict(parameters)
        self._timeout_seconds = timeout_seconds
        self._sent = monotonic()
        self._computed = 0.0

    def first_row_is_here(self) -> None:
        """The server has computed the answer, or the beginning of one that it computes as it goes."""
        self._computed = monotonic() - self._sent

    def is_better(self, *, rows_read: int) -> bool:
        """Whether to count, after so many rows were read.

        Raises:
            Exception: the driver's errors.
        """
        if rows_read < _READ_AT_LEAST or rows_read % _LOOKED_AT_EVERY:
            return False
        if monotonic() - self._sent <= 2 * self._computed:
            return False
        return self._is_a_subquery

    @cached_property
    def _is_a_subquery(self) -> bool:
        """Not with a column that has no name, or with options of its own, such as `CYPHER 25`."""
        try:
            self._run(f"EXPLAIN {self._text}")
        except ClientError:
            return False
        return True

    def count(self) -> int:
        """All rows.

        Raises:
            Exception: the driver's errors.
        """
        (row,) = self._run(self._text)
        return int(row["rows"])

    def _run(self, text: str) -> list[dict[str, Any]]:
        with self._open_session() as session:
            query = Query(text, timeout=self._timeout_seconds)
            return session.run(query, self._parameters).data()


def count_statement(statement: str) -> str:
    """The statement that counts the rows of another one.

    >>> print(count_statement("MATCH (n) RETURN n.name AS name // all"))
    CALL () {
    MATCH (n) RETURN n.name AS name // all
    }
    RETURN count(*) AS rows
    """
    return f"CALL () {{\n{statement}\n}}\nRETURN count(*) AS rows"
