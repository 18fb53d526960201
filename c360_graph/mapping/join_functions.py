"""The functions that a join condition may have around a column, and the text that stands for a value in a join.

`lower` and `trim` are PostgreSQL's own. The others are this project's: what they make of a value
depends on no collation and no extension. `phone` and `unaccent_ascii` have no SQL; the process that
reads the table computes them and whatever stands around them (see `normalised_texts`).

Equal texts are what `=` of PostgreSQL finds equal. Most types need none: their property is equal where the
value is. Others have values that are equal and look different (citext, numeric, interval, jsonb), or
properties that lose what `=` sees (an infinite date, a NULL within an array). For these PostgreSQL writes a
second text, the join form.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from c360_graph.mapping.catalog import INTEGERS, TEXTS, ColumnType
from c360_graph.sql_quoting import sql_literal

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


JoinForm = Literal[
    "number",
    "double",
    "trimmed",
    "folded",
    "text",
    "instant",
    "span",
    "json",
    "address",
    "amount",
]
"""The second text that a join compares, by the rule that writes it."""

FLOATS = frozenset(["float4", "float8"])
NUMBERS = INTEGERS | FLOATS | {"numeric"}
NETWORKS = frozenset(["inet", "cidr"])
MOMENTS = frozenset(["date", "timestamp", "timestamptz", "time", "timetz", "interval"])

_FIRST_ANYWHERE, _LAST_ANYWHERE = "4714-11-25 00:00 BC", "294276-12-31 00:00"
SMALLEST_DOUBLE, LARGEST_DOUBLE = "2.4703282292062328e-324", "1.7976931348623158e308"
LONGEST_BYTES = 1_000
"""Of a join form; a longer one is stood for by its digest."""
# A string is matched whole, so that nothing within one is taken for a number.
_JSON_ZEROS = r'("(?:\\.|[^"\\])*")|(\.[0-9]*[1-9])0+(?![0-9])|\.0+(?![0-9])'


@dataclass(frozen=True, kw_only=True)
class JoinColumn:
    """A column as a join sees it: its type, and the zone of its source's timestamps."""

    type: ColumnType
    time_zone: str | None = None
    functions: JoinFunctions | None = None
    """What stands around the column in the join condition."""

    @property
    def base(self) -> str:
        """The type without its modifiers."""
        return self.type.base

    @property
    def zone(self) -> str:
        """The zone's name, as it is compared."""
        return (self.time_zone or "").lower()


def form_applies(form: JoinForm | JoinFunctions, column_type: ColumnType) -> bool:
    """Whether values of a type have this form.

    >>> from c360_graph.mapping.catalog import ColumnType
    >>> form_applies("number", ColumnType(name="integer", base="int4"))
    True
    """
    if isinstance(form, JoinFunctions):
        return form.why_not(column_type) is None
    if form == "text":
        return column_type.element is not None or column_type.base in MOMENTS | TEXTS
    return column_type.element is None and column_type.base in _BASES[form]


_BASES: dict[JoinForm, frozenset[str]] = {
    "number": INTEGERS | {"numeric"},
    "double": NUMBERS,
    "trimmed": frozenset(["bpchar", "varchar"]),
    "folded": frozenset(["citext"]),
    "instant": frozenset(["timestamp", "timestamptz"]),
    "span": frozenset(["interval"]),
    "json": frozenset(["jsonb"]),
    "address": NETWORKS,
    "amount": frozenset(["money"]),
}


def form_sql(form: JoinForm | JoinFunctions, value: str, column: JoinColumn) -> str:
    """SQL for the form of a value, given as an SQL expression; NULL where the value is NULL.

    Where functions have `calls_left`, it is what these are to be applied to.
    """
    if isinstance(form, JoinFunctions):
        text = form.sql(value)
        return f"({text})" if form.calls_left else _short(text)
    match form:
        case "number" | "amount":
            text = f"trim_scale({value}::numeric)::text"
        case "double":
            text = _double(value, column.base)
        case "trimmed":
            text = f"rtrim({value}::text, ' ')"
        case "folded":
            # As citext does itself, by the database's collation whatever the column's is.
            text = f'lower({value}::text COLLATE pg_catalog."default")'
        case "instant":
            text = _instant(value, column)
        case "span":
            text = _span(value)
        case "json":
            text = f"regexp_replace({value}::text, {sql_literal(_JSON_ZEROS)}, '\\1\\2', 'g')"
        case "address":
            text = f"({value}::inet)::text"
        case "text":
            text = f"{value}::text"
    return _short(text) if form in _UNBOUNDED else f"({text})"


_UNBOUNDED = frozenset(["number", "trimmed", "folded", "json", "text"])


def _short(text: str) -> str:
    # An index of Neo4j takes no text of more than 8 kB: a long one is stood for by its digest.
    return (
        f"(CASE WHEN octet_length({text}) > {LONGEST_BYTES}"
        f" THEN encode(sha256(convert_to({text}, 'UTF8')), 'hex') ELSE {text} END)"
    )


def _double(value: str, base: str) -> str:
    # Adding 0 makes 0 of -0, which is equal to it.
    if base != "numeric":
        return f"({value}::float8 + 0)::text"
    return (
        f"CASE WHEN {value} = 0 THEN '0'"
        f" WHEN abs({value}) BETWEEN {SMALLEST_DOUBLE} AND {LARGEST_DOUBLE}"
        f" THEN ({value}::float8)::text"
        f" WHEN {value}::text IN ('NaN', 'Infinity', '-Infinity') THEN {value}::text END"
    )


def _instant(value: str, column: JoinColumn) -> str:
    if column.base == "timestamptz":
        return f"{value}::text"
    # Within a day of PostgreSQL's limits the conversion fails.
    return (
        f"CASE WHEN {value} >= '{_FIRST_ANYWHERE}' AND {value} < '{_LAST_ANYWHERE}'"
        f" OR NOT isfinite({value})"
        f" THEN ({value} AT TIME ZONE {sql_literal(column.time_zone or 'UTC')})::text END"
    )


def _span(value: str) -> str:
    """Microseconds, where a month has 30 days and a day 24 hours, as PostgreSQL compares intervals."""

    def part(name: str) -> str:
        return f"extract({name} FROM {value})::numeric"

    days = f"({part('year')} * 12 + {part('month')}) * 30 + {part('day')}"
    return (
        f"CASE WHEN isfinite({value}) THEN trim_scale(({days}) * 86400000000"
        f" + {part('hour')} * 3600000000 + {part('minute')} * 60000000"
        f" + {part('microseconds')})::text ELSE {value}::text END"
    )
