"""The grammar of join_condition: equalities of `alias.column`, joined by AND, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from c360_graph.errors import MappingError
from c360_graph.mapping.control_rows import Frozen

_QUOTED_IDENTIFIER = re.compile(r'"(?:[^"]|"")*"')
# sqlglot drops comments and whatever follows a semicolon without a word, and reads `==` as `=`, so
# these are looked for in the text before it is parsed.
_NEVER_ALLOWED = {
    ";": "a semicolon",
    "--": "a comment",
    "/*": "a comment",
    "*/": "a comment",
    "'": "a string",
    "$": "a dollar sign",
    "==": "'=='",
    "{": "a brace",
    "#": "a '#'",
}
_MAX_LENGTH = 4000
_MAX_SHOWN = 200


class ColumnReference(Frozen):
    """`alias.column`; an unquoted name means its lower-case form first, as in PostgreSQL."""

    alias: str
    column: str
    column_is_quoted: bool = False

    @property
    def candidates(self) -> tuple[str, ...]:
        """Column names this may mean, in the order they are tried."""
        if self.column_is_quoted:
            return (self.column,)
        return tuple(dict.fromkeys((self.column.lower(), self.column)))

    def __str__(self) -> str:
        return f"{self.alias}.{self.column}"


class Equality(Frozen):
    """`left = right`."""

    left: ColumnReference
    right: ColumnReference

    def __str__(self) -> str:
        return f"{self.left} = {self.right}"


def parse(text: str) -> tuple[Equality, ...]:
    """Read a join_condition.

    Raises:
        MappingError: it holds anything but equalities of alias.column joined by AND.

    >>> for equality in parse("e.account_id = a.account_id AND e.region = a.region"):
    ...     print(equality)
    e.account_id = a.account_id
    e.region = a.region
    """
    _refuse_suspicious(text)
    try:
        tree = sqlglot.parse_one(text, dialect="postgres")
    except (SqlglotError, RecursionError):
        raise MappingError(
            f"join_condition {_shown(text)} cannot be read; write alias.column = alias.column, joined by"
            " AND, and put names that are reserved words in double quotes"
        ) from None
    return tuple(_equality(part, text) for part in _conjuncts(tree))


def aliases(equalities: tuple[Equality, ...]) -> tuple[str, ...]:
    """The aliases in order of first appearance.

    >>> aliases(parse("e.account_id = a.account_id"))
    ('e', 'a')
    """
    sides = (side for equality in equalities for side in (equality.left, equality.right))
    return tuple(dict.fromkeys(side.alias for side in sides))


def _refuse_suspicious(text: str) -> None:
    if not text.strip():
        raise MappingError("join_condition is empty")
    if len(text) > _MAX_LENGTH:
        raise MappingError(f"join_condition is longer than {_MAX_LENGTH} characters")
    if "\x00" in text:
        raise MappingError("join_condition holds a NUL character")
    bare = _QUOTED_IDENTIFIER.sub('""', text)
    for token, meaning in _NEVER_ALLOWED.items():
        if token in bare:
            raise MappingError(
                f"join_condition {_shown(text)} holds {meaning}, which is not allowed; only equalities"
                " of alias.column joined by AND are"
            )


def _conjuncts(tree: exp.Expr) -> Iterator[exp.Expr]:
    # Left-deep, so walked by a loop: a hostile row could nest deeper than Python recurses.
    rights: list[exp.Expr] = []
    while isinstance(tree, exp.And):
        rights.append(tree.expression)
        tree = tree.this
    yield tree
    yield from reversed(rights)


def _equality(tree: exp.Expr, text: str) -> Equality:
    if type(tree) is not exp.EQ:
        raise MappingError(
            f"join_condition {_shown(text)}: {_part(tree)} is no equality of two alias.column; only such"
            " equalities joined by AND are allowed"
        )
    return Equality(left=_reference(tree.this, text), right=_reference(tree.expression, text))


def _reference(tree: exp.Expr, text: str) -> ColumnReference:
    column = tree.args.get("this") if type(tree) is exp.Column else None
    alias = tree.args.get("table") if type(tree) is exp.Column else None
    if (
        not isinstance(column, exp.Identifier)
        or not isinstance(alias, exp.Identifier)
        or any(value for name, value in tree.args.items() if name not in {"this", "table"})
    ):
        raise MappingError(
            f"join_condition {_shown(text)}: {_part(tree)} is not alias.column; write the alias, a dot"
            " and the column"
        )
    if not alias.name or not column.name:
        raise MappingError(f"join_condition {_shown(text)}: an empty name in quotes names nothing")
    return ColumnReference(
        alias=alias.name if alias.quoted else alias.name.lower(),
        column=column.name,
        column_is_quoted=bool(column.quoted),
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}...")


def _part(tree: exp.Expr) -> str:
    try:
        return _shown(tree.sql("postgres"))
    except RecursionError:
        return "a part of it"
