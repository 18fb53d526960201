"""The table that the SQL of a source reads, where it only reads columns of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

MOST_CHARACTERS = 100_000

_COLUMNS_OF_A_TABLE = frozenset({"expressions", "from", "from_", "order"})
_SOME_ROWS = frozenset({"where", "limit", "offset"})


@dataclass(frozen=True, kw_only=True)
class SelectedTable:
    """A table, and its columns by the names that the SQL gives them; None for all, under their own names.

    It `is_whole` where the SQL leaves out no rows.
    """

    table_name: str
    columns: Mapping[str, str] | None
    is_whole: bool


def selected_table(sql: str) -> SelectedTable | None:
    """The table behind a SELECT; None if it is more than columns of one table, or cannot be read.

    >>> found = selected_table('SELECT id, "fullName" AS name FROM public.people WHERE id > 3')
    >>> found.table_name, found.columns, found.is_whole
    ('people', {'id': 'id', 'name': 'fullName'}, False)
    >>> selected_table("SELECT p.id FROM people p NATURAL JOIN orders o") is None
    True
    """
    if len(sql) > MOST_CHARACTERS:
        return None
    try:
        tree = sqlglot.parse_one(sql, dialect="postgres")
    except (SqlglotError, RecursionError):
        return None
    given = {name for name, value in tree.args.items() if value}
    if not isinstance(tree, exp.Select) or given - _COLUMNS_OF_A_TABLE - _SOME_ROWS:
        return None
    read = tree.args.get("from") or tree.args.get("from_")
    table = read.this if isinstance(read, exp.From) else None
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        return None
    if table.args.get("joins"):
        return None
    return SelectedTable(
        table_name=_name(table.this),
        columns=_columns(tree.expressions),
        is_whole=given.isdisjoint(_SOME_ROWS),
    )


def _columns(expressions: list[exp.Expr]) -> dict[str, str] | None:
    """Columns by the names of the result; what is computed is none."""
    found: dict[str, str] = {}
    for expression in expressions:
        column = expression.this if isinstance(expression, exp.Alias) else expression
        if isinstance(column, exp.Star) or (
            isinstance(column, exp.Column) and isinstance(column.this, exp.Star)
        ):
            return None
        if not isinstance(column, exp.Column) or not isinstance(column.this, exp.Identifier):
            continue
        alias = expression.args.get("alias")
        named = alias if isinstance(alias, exp.Identifier) else column.this
        found[_name(named)] = _name(column.this)
    return found


def _name(identifier: exp.Identifier) -> str:
    """A name as PostgreSQL reads it."""
    return identifier.name if identifier.quoted else identifier.name.lower()
