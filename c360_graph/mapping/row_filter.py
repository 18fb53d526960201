"""Which rows of a table are read: the grammar of row_filter, and what it has in common with that of join_condition."""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from c360_graph.errors import MappingError
from c360_graph.mapping.row_condition import Operator, RowCondition
from c360_graph.sql_quoting import sql_literal

MOST_CHARACTERS = 4000
_MOST_SHOWN = 200


def conjuncts(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The parts that AND joins, in the order they are written."""
    # Left-deep, so walked by a loop: a hostile row could nest deeper than Python recurses.
    rights: list[exp.Expr] = []
    while isinstance(tree, exp.And):
        rights.append(tree.expression)
        tree = tree.this
    yield tree
    yield from reversed(rights)


def cited(text: str) -> str:
    """A text as a message has it: in quotes, and not at any length.

    >>> cited("a.id = b.id")
    "'a.id = b.id'"
    """
    return repr(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}...")


def cited_part(tree: exp.Expr) -> str:
    """A part of a condition as a message has it."""
    try:
        return cited(tree.sql("postgres"))
    except RecursionError:
        return "a part of it"


_NEVER_ALLOWED = (";", "--", "/*", "*/", "$", "==", "{", "#", "\\", "\x00")
"""Looked for outside of literals and quoted names: the parser drops comments and what follows a semicolon."""
_COMPARED: dict[type[exp.Expr], Operator] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_FORM = (
    "write column = literal (or <>, <, <=, >, >=), column IS NULL, column IS NOT NULL,"
    " column IN (literals) or column NOT IN (literals), joined by AND"
)


def parse_filter(text: str) -> tuple[RowCondition, ...]:
    """Read a row_filter.

    >>> [str(condition) for condition in parse_filter("deleted_at IS NULL AND kind IN ('a', 'b')")]
    ['"deleted_at" IS NULL', '"kind" IN (\\'a\\', \\'b\\')']

    Raises:
        MappingError: it holds anything else.
    """
    if not text.strip():
        raise MappingError(f"row_filter is empty; {_FORM}, or NULL for every row")
    if len(text) > MOST_CHARACTERS:
        raise MappingError(f"row_filter is longer than {MOST_CHARACTERS} characters")
    _refuse_suspicious(text)
    try:
        tree = sqlglot.parse_one(text, dialect="postgres")
    except (SqlglotError, RecursionError):
        raise MappingError(f"row_filter {cited(text)} cannot be read; {_FORM}") from None
    return tuple(_condition(part, text) for part in conjuncts(tree))


def _refuse_suspicious(text: str) -> None:
    bare = _without_quoted(text)
    found = next((mark for mark in _NEVER_ALLOWED if mark in bare), None)
    if found is not None or "\x00" in text:
        raise MappingError(f"row_filter {cited(text)} holds {found or 'a NUL'!r}; {_FORM}")


def _without_quoted(text: str) -> str:
    """The text outside of 'literals' and "names", in which a doubled quote is one of theirs."""
    kept: list[str] = []
    quote = ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            kept.append(letter)
    return "".join(kept)


def _condition(tree: exp.Expr, text: str) -> RowCondition:
    negated = type(tree) is exp.Not
    inner = tree.this if negated else tree
    given = set(_given(inner))
    if type(inner) is exp.Is and type(inner.expression) is exp.Null:
        # Which of both forms IS NOT NULL has is the version's choice.
        negated ^= "negate" in given
        return _of(inner.this, "IS NOT NULL" if negated else "IS NULL", (), text)
    if type(inner) is exp.In and given == {"this", "expressions"}:
        values = tuple(_value(value, text) for value in inner.expressions)
        return _of(inner.this, "NOT IN" if negated else "IN", values, text)
    if not negated and type(inner) in _COMPARED and given == {"this", "expression"}:
        values = (_value(inner.expression, text),)
        return _of(inner.this, _COMPARED[type(inner)], values, text)
    raise MappingError(f"row_filter {cited(text)}: {cited_part(tree)} is not allowed; {_FORM}")


def _of(tree: exp.Expr, operator: Operator, values: tuple[str, ...], text: str) -> RowCondition:
    column = tree.this if type(tree) is exp.Column and set(_given(tree)) == {"this"} else None
    if not isinstance(column, exp.Identifier) or not column.name:
        raise MappingError(f"row_filter {cited(text)}: {cited_part(tree)} is not a column; {_FORM}")
    return RowCondition(
        column=column.name,
        column_is_quoted=bool(column.quoted),
        operator=operator,
        values=values,
    )


def _value(tree: exp.Expr, text: str) -> str:
    """SQL of a literal; PostgreSQL reads one in quotes by the type of the column."""
    sign = ""
    if type(tree) is exp.Neg:
        sign, tree = "-", tree.this
    if type(tree) is exp.Boolean and not sign:
        return "true" if tree.this else "false"
    if type(tree) is exp.Literal and (not tree.is_string or not sign):
        if tree.is_string:
            return sql_literal(tree.name)
        if _is_number(tree.name):
            return f"{sign}{tree.name}"
    raise MappingError(f"row_filter {cited(text)}: {cited_part(tree)} is not a literal; {_FORM}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.replace(".", "", 1).isdigit()


def _given(tree: exp.Expr) -> Iterator[str]:
    """The arguments that a part of the tree has."""
    return (name for name, value in tree.args.items() if value not in (None, False, []))
