"""The functions that a join condition may have around a column, and the SQL that computes them.

`lower` and `trim` are PostgreSQL's own. The others are this project's: what they make of a value
depends on no collation and no extension. `phone` and `unaccent_ascii` have no SQL; the process that
reads the table computes them and whatever stands around them (see `normalised_texts`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from c360_graph.mapping.catalog import INTEGERS, TEXTS, ColumnType

Calls = tuple[str, ...]
"""Functions around a column, the outermost first: `("lower", "trim")`, `("phone_DE",)`."""

PLAIN = ("lower", "trim", "unaccent_ascii", "digits", "email", "email_local")
"""Functions of one argument."""
MOST_CALLS = 6

_PHONE = "phone_"
_OF_POSTGRESQL = ("lower", "trim")
_OF_NUMBERS = ("digits", _PHONE)
_BY_COLLATION = ("lower", "email", "email_local")
_WITHOUT_SQL = ("unaccent_ascii", _PHONE)
_MAY_LOSE = ("digits", _PHONE, "email", "email_local")
_EXACT = 'COLLATE pg_catalog."C"'

_CALL = r"(?:lower|trim|unaccent_ascii|digits|email_local|email|phone_[A-Z]{2})"
_NAME = re.compile(rf"(unicode_)?({_CALL}(?:_{_CALL})*)")
_EACH = re.compile(_CALL)


@dataclass(frozen=True, kw_only=True, order=True)
class JoinFunctions:
    """Functions around a column, as one rule that makes a text of its values.

    `unicode` has this process compute them all, so that `lower` is the same for every source.

    >>> JoinFunctions(calls=("lower", "trim")).name
    'lower_trim'
    >>> JoinFunctions(calls=("phone_DE", "trim")).around("c.mobile")
    "phone(trim(c.mobile), 'DE')"
    """

    calls: Calls
    unicode: bool = False

    @property
    def name(self) -> str:
        """What the property is named for; `functions_named` reads it."""
        return "_".join((*(("unicode",) if self.unicode else ()), *self.calls))

    def around(self, value: str) -> str:
        """The functions as a join condition has them."""
        return around(self.calls, value)

    def across_sources(self) -> JoinFunctions:
        """The rule that gives equal texts in different databases, whose `lower` may differ."""
        by_sql, _ = self._split()
        depends = any(call in _BY_COLLATION for call in by_sql)
        return replace(self, unicode=True) if depends else self

    def sql(self, value: str) -> str:
        """SQL for what PostgreSQL computes of a value; what is left to do are the `calls_left`."""
        return self._applied(f"{value}::text")

    def own_sql(self, value: str) -> str:
        """The same as one would write it: PostgreSQL's own functions take the value as it is."""
        return self._applied(value) if self.are_postgresqls else self.sql(value)

    @property
    def are_postgresqls(self) -> bool:
        """Whether PostgreSQL itself has all of them."""
        return all(call in _OF_POSTGRESQL for call in self.calls)

    def _applied(self, value: str) -> str:
        for call in reversed(self._split()[0]):
            value = _SQL[call](value)
        return value

    @property
    def calls_left(self) -> Calls:
        """What is computed by the process that reads the table; () where PostgreSQL computes all."""
        return self._split()[1]

    @property
    def may_lose(self) -> bool:
        """Whether a value that is there may come to nothing, such as a phone number that is none."""
        return any(call.startswith(_MAY_LOSE) for call in self.calls)

    def _split(self) -> tuple[Calls, Calls]:
        """The calls that PostgreSQL computes, and those that are left."""
        if self.unicode:
            return (), self.calls
        left = 0
        for number, call in enumerate(self.calls, start=1):
            if call.startswith(_WITHOUT_SQL):
                left = number
        return self.calls[left:], self.calls[:left]

    def why_not(self, column_type: ColumnType) -> str | None:
        """Why these functions take no values of a type; None where they do."""
        innermost = self.calls[-1]
        named = innermost.partition("_")[0] if innermost.startswith(_PHONE) else innermost
        if column_type.element is None and column_type.kind == "b":
            if column_type.base in INTEGERS and innermost.startswith(_OF_NUMBERS):
                return None
            if column_type.base in TEXTS:
                return self._why_not_collation(column_type)
        return f"{named}() takes texts, and {column_type.name} is none"

    def _why_not_collation(self, column_type: ColumnType) -> str | None:
        if not (self.are_postgresqls and column_type.nondeterministic):
            return None
        return (
            f"the collation {column_type.nondeterministic} is not deterministic, so that different"
            " texts are equal to PostgreSQL; email() compares the letters themselves"
        )


def around(calls: Calls, value: str) -> str:
    """Calls as a join condition has them.

    >>> around(("lower", "trim"), "p.email")
    'lower(trim(p.email))'
    """
    for call in reversed(calls):
        country = f", '{call.removeprefix(_PHONE)}'" if call.startswith(_PHONE) else ""
        name = "phone" if country else call
        value = f"{name}({value}{country})"
    return value


def phone_call(country: str) -> str:
    """The call of `phone` for numbers without a country code that are of a country."""
    return f"{_PHONE}{country.upper()}"


def country_of(call: str) -> str | None:
    """The country of a call of `phone`; None for any other."""
    return call.removeprefix(_PHONE) if call.startswith(_PHONE) else None


def functions_named(name: str) -> JoinFunctions | None:
    """The functions that a property is named for.

    >>> functions_named("email_local_trim")
    JoinFunctions(calls=('email_local', 'trim'), unicode=False)
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return JoinFunctions(calls=tuple(_EACH.findall(found[2])), unicode=bool(found[1]))


def _digits(text: str) -> str:
    return f"nullif(regexp_replace({text} {_EXACT}, '[^0-9]', '', 'g'), '')"


def _email(text: str) -> str:
    return f"nullif(lower(btrim({text})) {_EXACT}, '')"


def _email_local(text: str) -> str:
    whole = f"(lower(btrim({text})) {_EXACT})"
    # Up to the last @; `.` is any character here, a line's end too.
    without_tag = f"regexp_replace({whole}, '[+].*(@[^@]*)$', '\\1')"
    short = f"regexp_replace({without_tag}, '[.](?=.*@)', '', 'g')"
    return f"nullif(CASE WHEN left({short}, 1) = '@' THEN {whole} ELSE {short} END, '')"


_SQL: dict[str, Callable[[str], str]] = {
    "lower": lambda text: f"lower({text})",
    "trim": lambda text: f"btrim({text})",
    "digits": _digits,
    "email": _email,
    "email_local": _email_local,
}
