"""The grammar of join_condition: equalities joined by AND, and nothing else.

Each side is `alias.column`, or a function of a closed list around one: `lower(trim(p.email))`.
"""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from c360_graph.errors import MappingError
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.join_functions import (
    MOST_CALLS,
    PLAIN,
    Calls,
    around,
    country_of,
    phone_call,
)
from c360_graph.mapping.names import columns_meant
from c360_graph.mapping.normalised_texts import has_phone_numbers
from c360_graph.mapping.row_filter import MOST_CHARACTERS, cited, cited_part, conjuncts

_QUOTED_IDENTIFIER = re.compile(r'"(?:[^"]|"")*"')
# The one string there may be: the country of phone().
_CALLED = re.compile(r"(\w+)\s*\(")
_COUNTRY = re.compile(r",\s*'([A-Za-z]{2})'\s*\)")
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
    _refuse_suspicious(text)
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


def _refuse_suspicious(text: str) -> None:
    if not text.strip():
        raise MappingError("join_condition is empty")
    if len(text) > MOST_CHARACTERS:
        raise MappingError(f"join_condition is longer than {MOST_CHARACTERS} characters")
    if "\x00" in text:
        raise MappingError("join_condition holds a NUL character")
    bare = _bare(text)
    for token, meaning in _NEVER_ALLOWED.items():
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
