"""The grammars of row_filter and join_condition: which conditions may stand there, and nothing else.

Each side of a join is `alias.column`, or a function of a closed list around one: `lower(trim(p.email))`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from c360_graph.errors import MappingError
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.join_forms import has_phone_numbers
from c360_graph.mapping.join_functions import (
    MOST_CALLS,
    PLAIN,
    Calls,
    around,
    country_of,
    phone_call,
)
from c360_graph.mapping.names import columns_meant
from c360_graph.mapping.table_mapping import Operator, RowCondition
from c360_graph.sql_quoting import sql_literal

MOST_CHARACTERS = 4000
_MOST_SHOWN = 200

_QUOTED_IDENTIFIER = re.compile(r'"(?:[^"]|"")*"')
# The one string there may be: the country of phone().
_CALLED = re.compile(r"(\w+)\s*\(")
_COUNTRY = re.compile(r",\s*'([A-Za-z]{2})'\s*\)")
# sqlglot drops comments and whatever follows a semicolon without a word, and reads `==` as `=`, so
# these are looked for in the text before it is parsed.
_NEVER_IN_JOIN = {
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


_NEVER_IN_FILTER = (";", "--", "/*", "*/", "$", "==", "{", "#", "\\", "\x00")
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
    _refuse_suspicious_filter(text)
    try:
        tree = sqlglot.parse_one(text, dialect="postgres")
    except (SqlglotError, RecursionError):
        raise MappingError(f"row_filter {cited(text)} cannot be read; {_FORM}") from None
    return tuple(_condition(part, text) for part in conjuncts(tree))


def _refuse_suspicious_filter(text: str) -> None:
    bare = _without_quoted(text)
    found = next((mark for mark in _NEVER_IN_FILTER if mark in bare), None)
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


class ColumnReference(Frozen):
    """`alias.column` and the functions around it, the outermost first.

    An unquoted name means its lower-case form first, as in PostgreSQL.
    """

    alias: str
    column: str
    column_is_quoted: bool = False
    functions: Calls = ()

    @property
    def candidates(self) -> tuple[str, ...]:
        """Column names this may mean, in the order they are tried."""
        return columns_meant(self.column, is_quoted=self.column_is_quoted)

    def __str__(self) -> str:
        return around(self.functions, f"{self.alias}.{self.column}")


class Equality(Frozen):
    """`left = right`."""

    left: ColumnReference
    right: ColumnReference

    def __str__(self) -> str:
        return f"{self.left} = {self.right}"


def parse(text: str) -> tuple[Equality, ...]:
    """Read a join_condition.

    Raises:
        MappingError: it holds anything but equalities of alias.column, with or without functions of the
            list around it, joined by AND.

    >>> for equality in parse("e.account_id = a.account_id AND lower(e.region) = a.region"):
    ...     print(equality)
    e.account_id = a.account_id
    lower(e.region) = a.region
    """
    _refuse_suspicious_join(text)
    try:
        tree = sqlglot.parse_one(text, dialect="postgres")
    except (SqlglotError, RecursionError):
        raise MappingError(
            f"join_condition {cited(text)} cannot be read; write alias.column = alias.column, joined by"
            " AND, and put names that are reserved words in double quotes"
        ) from None
    equalities = tuple(_equality(part, text) for part in conjuncts(tree))
    _refuse_other_names(equalities, text)
    _refuse_unknown_countries(equalities, text)
    return equalities


def aliases(equalities: tuple[Equality, ...]) -> tuple[str, ...]:
    """The aliases in order of first appearance.

    >>> aliases(parse("e.account_id = a.account_id"))
    ('e', 'a')
    """
    sides = (side for equality in equalities for side in (equality.left, equality.right))
    return tuple(dict.fromkeys(side.alias for side in sides))


def _refuse_suspicious_join(text: str) -> None:
    if not text.strip():
        raise MappingError("join_condition is empty")
    if len(text) > MOST_CHARACTERS:
        raise MappingError(f"join_condition is longer than {MOST_CHARACTERS} characters")
    if "\x00" in text:
        raise MappingError("join_condition holds a NUL character")
    bare = _bare(text)
    for token, meaning in _NEVER_IN_JOIN.items():
        if token in bare:
            raise MappingError(
                f"join_condition {cited(text)} holds {meaning}, which is not allowed; only equalities"
                " of alias.column joined by AND are"
            )


def _refuse_other_names(equalities: tuple[Equality, ...], text: str) -> None:
    """Refuse functions that the parser takes for one of the list, such as lcase for lower."""
    called = sum(len(side.functions) for e in equalities for side in (e.left, e.right))
    names = _CALLED.findall(_bare(text))
    if called != sum(name.lower() in (*PLAIN, "phone") for name in names):
        raise MappingError(
            f"join_condition {cited(text)} calls functions by other names than"
            f" {', '.join(PLAIN)} and phone"
        )


def _refuse_unknown_countries(equalities: tuple[Equality, ...], text: str) -> None:
    calls = (c for e in equalities for side in (e.left, e.right) for c in side.functions)
    for country in filter(None, map(country_of, calls)):
        if not has_phone_numbers(country):
            raise MappingError(
                f"join_condition {cited(text)}: {country} is no country that phone() knows; write its two"
                " letters of ISO 3166, such as 'DE' or 'GB'"
            )


def _bare(text: str) -> str:
    """The text without quoted names, and without the countries of phone()."""
    return _COUNTRY.sub(")", _QUOTED_IDENTIFIER.sub('""', text))


def _equality(tree: exp.Expr, text: str) -> Equality:
    if type(tree) is not exp.EQ:
        raise MappingError(
            f"join_condition {cited(text)}: {cited_part(tree)} is no equality of two alias.column; only such"
            " equalities joined by AND are allowed"
        )
    return Equality(left=_reference(tree.this, text), right=_reference(tree.expression, text))


def _reference(tree: exp.Expr, text: str) -> ColumnReference:
    calls: list[str] = []
    while (called := _called(tree)) is not None:
        call, tree = called
        calls.append(call)
    if len(calls) > MOST_CALLS:
        raise MappingError(
            f"join_condition {cited(text)} nests more than {MOST_CALLS} functions around a column"
        )
    return _column(tree, text).model_copy(update={"functions": tuple(calls)})


def _called(tree: exp.Expr) -> tuple[str, exp.Expr] | None:
    """The outermost call and what it is applied to; None for what is no call of the list."""
    arguments = [value for value in tree.args.values() if value is not None]
    if type(tree) in _KNOWN and arguments == [tree.this]:
        return _KNOWN[type(tree)], tree.this
    if type(tree) is not exp.Anonymous or not isinstance(tree.this, str):
        return None
    name = tree.this.lower()
    match tree.expressions:
        case [argument] if name in PLAIN:
            return name, argument
        case [argument, exp.Literal(is_string=True) as country] if name == "phone":
            return phone_call(country.name), argument
    return None


_KNOWN: dict[type[exp.Expr], str] = {exp.Lower: "lower", exp.Trim: "trim"}
"""Functions that the parser has a class of its own for."""


def _column(tree: exp.Expr, text: str) -> ColumnReference:
    column = tree.args.get("this") if type(tree) is exp.Column else None
    alias = tree.args.get("table") if type(tree) is exp.Column else None
    if (
        not isinstance(column, exp.Identifier)
        or not isinstance(alias, exp.Identifier)
        or any(value for name, value in tree.args.items() if name not in {"this", "table"})
    ):
        raise MappingError(
            f"join_condition {cited(text)}: {cited_part(tree)} is not alias.column; write the alias, a dot"
            f" and the column, and around it only {', '.join(PLAIN)} and phone(alias.column, 'DE')"
        )
    if not alias.name or not column.name:
        raise MappingError(f"join_condition {cited(text)}: an empty name in quotes names nothing")
    return ColumnReference(
        alias=alias.name if alias.quoted else alias.name.lower(),
        column=column.name,
        column_is_quoted=bool(column.quoted),
    )
