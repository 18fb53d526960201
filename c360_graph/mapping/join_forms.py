"""Join forms, the texts by which values are joined: the columns that hold them, and how they are made where PostgreSQL does not.

Each form is the same for every source. `lower` is Unicode's simple lower case, letter by letter, as
PostgreSQL's own collation `C.UTF-8` has it.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from hashlib import sha256
from typing import cast, get_args

from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.join_functions import (
    LONGEST_BYTES,
    Calls,
    JoinColumn,
    JoinForm,
    JoinFunctions,
    country_of,
    form_applies,
    form_sql,
    functions_named,
)
from c360_graph.mapping.model import (
    JOIN_PREFIX,
    PropertyMapping,
    RelationshipMapping,
    TableIndex,
    TableMapping,
)
from c360_graph.mapping.property_rows import cast_sql
from c360_graph.sql_quoting import quoted

Normaliser = Callable[[str], str | None]

MOST_KEPT = 100_000
"""Different texts whose phone numbers are kept; 10,000 to 20,000 are parsed a second."""

# Letters that no decomposition makes ASCII of.
_LETTERS = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O",
        "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "TH", "ł": "l", "Ł": "L",
        "ħ": "h", "Ħ": "H", "ı": "i", "ĸ": "k", "ŋ": "n", "Ŋ": "N", "ŧ": "t", "Ŧ": "T",
        "’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‐": "-", "‑": "-",
    }
)  # fmt: skip

_TEXT = ColumnType(name="text", base="text")

Tables = tuple[TableMapping, ...]
Form = JoinForm | JoinFunctions


def normaliser(calls: Calls) -> Normaliser:
    """What the calls make of a text, None where they come to nothing.

    Results of `phone` are kept.

    >>> normaliser(("lower", "unaccent_ascii"))("Núñez")
    'nunez'
    """
    steps = tuple(_step(call) for call in reversed(calls))

    def normalise(text: str) -> str | None:
        found: str | None = text
        for step in steps:
            found = step(found) if found is not None else None
        return None if found is None else _short(found)

    # Whatever else there is takes less time than to look a text up.
    is_slow = any(country_of(call) for call in calls)
    return lru_cache(maxsize=MOST_KEPT)(normalise) if is_slow else normalise


def _step(call: str) -> Normaliser:
    country = country_of(call)
    return partial(phone, country=country) if country else _STEPS[call]


def lower(text: str) -> str:
    """Each letter's own lower case.

    >>> lower("ΟΔΟΣ İ")
    'οδοσ i'
    """
    # str.lower looks at the letters around a sigma, and makes two characters of a capital i with a dot.
    return text.lower() if text.isascii() else "".join(letter.lower()[0] for letter in text)


def trim(text: str) -> str:
    """Without the blanks at its ends; only blanks, as PostgreSQL's trim."""
    return text.strip(" ")


def unaccent_ascii(text: str) -> str:
    """Letters without their accents; a letter that has no ASCII form stays as it is."""
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    plain = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return unicodedata.normalize("NFC", plain)


def digits(text: str) -> str | None:
    """The digits 0 to 9 alone; None where there is none."""
    return "".join(letter for letter in text if "0" <= letter <= "9") or None


def email(text: str) -> str | None:
    """In lower case and without blanks around it; None where nothing is left."""
    return lower(trim(text)) or None


def email_local(text: str) -> str | None:
    """As `email`, and without dots and +tag before the @.

    >>> email_local(" A.Nn+shop@X.example ")
    'ann@x.example'
    """
    whole = lower(trim(text))
    local, at, domain = whole.rpartition("@")
    short = local.split("+", 1)[0].replace(".", "")
    return (f"{short}{at}{domain}" if short else whole) or None


def phone(text: str, *, country: str) -> str | None:
    """A phone number in E.164, as it is called from abroad; None for what the country has not.

    >>> phone("030/5550101", country="DE")
    '+49305550101'
    """
    # Here, as it takes 20 MB, which most mappings do without.
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def has_phone_numbers(country: str) -> bool:
    """Whether a country of ISO 3166 is one that phone numbers are known of.

    >>> has_phone_numbers("GB"), has_phone_numbers("UK")
    (True, False)
    """
    import phonenumbers

    return country in phonenumbers.SUPPORTED_REGIONS


_STEPS: dict[str, Normaliser] = {
    "lower": lower,
    "trim": trim,
    "unaccent_ascii": unaccent_ascii,
    "digits": digits,
    "email": email,
    "email_local": email_local,
}


def _short(text: str) -> str:
    """As `join_forms` does in SQL: an index takes no long text."""
    if len(text) <= LONGEST_BYTES // 4:
        return text
    encoded = text.encode()
    return sha256(encoded).hexdigest() if len(encoded) > LONGEST_BYTES else text


def join_column(form: Form, column: str) -> str:
    """The name of the property that holds a column's join form.

    >>> join_column("folded", "email")
    '_c360_join_folded_email'
    >>> join_column(JoinFunctions(calls=("lower", "trim")), "email")
    '_c360_join_lower_trim__email'
    """
    if isinstance(form, JoinFunctions):
        return f"{JOIN_PREFIX}{form.name}__{column}"
    return f"{JOIN_PREFIX}{form}_{column}"


def parsed(name: str) -> tuple[Form, str] | None:
    """Form and column of such a name; None for any other name.

    >>> parsed(join_column("number", "account_id"))
    ('number', 'account_id')
    >>> parsed("account_id") is None
    True
    """
    if not name.startswith(JOIN_PREFIX):
        return None
    rest = name.removeprefix(JOIN_PREFIX)
    form, found, column = rest.partition("_")
    if found and form in get_args(JoinForm):
        return cast("JoinForm", form), column
    called, found, column = rest.partition("__")
    functions = functions_named(called) if found else None
    return (functions, column) if functions is not None else None


def is_normalised(name: str) -> bool:
    """Whether a property holds what the functions of a join condition give."""
    found = parsed(name)
    return found is not None and isinstance(found[0], JoinFunctions)


def functions_of(prop: PropertyMapping) -> JoinFunctions | None:
    """The functions of a join condition whose result a property holds; None where it holds another."""
    found = parsed(prop.column) if prop.form is not None else None
    return found[0] if found and isinstance(found[0], JoinFunctions) else None


def source_column(name: str) -> str:
    """The column that a name stands for: its own, or that of which it is the join form.

    >>> source_column(join_column("number", "account_id"))
    'account_id'
    """
    found = parsed(name)
    return found[1] if found else name


def with_join_columns(table: TableMapping, names: Iterable[str]) -> TableMapping:
    """The table with the join forms of these names that its columns have."""
    added = []
    for name in sorted({*names} - {prop.column for prop in table.properties}):
        found = parsed(name)
        prop = table.property_of(found[1]) if found else None
        if found and prop and prop.treatment != "mask" and form_applies(found[0], prop.type):
            added.append(
                PropertyMapping(
                    column=name,
                    type=_TEXT,
                    treatment=prop.treatment,
                    of=prop.column,
                    renamed_from=prop.renamed_from,
                    form=found[0].name if isinstance(found[0], JoinFunctions) else found[0],
                )
            )
    if not added:
        return table
    return table.model_copy(update={"properties": (*table.properties, *added)})


def normalised_properties(table: TableMapping) -> Iterator[tuple[PropertyMapping, str]]:
    """The properties that hold what functions give, each with the functions around its column."""
    for prop in table.properties:
        functions = functions_of(prop)
        if functions is not None and prop.of is not None:
            yield prop, functions.around(prop.of)


def shown_column(name: str) -> str:
    """What a relationship compares, as its join condition has it.

    >>> shown_column("_c360_join_lower_trim__email")
    'lower(trim(email))'
    """
    found = parsed(name)
    if found is None:
        return name
    form, column = found
    return form.around(column) if isinstance(form, JoinFunctions) else column


def column_of(prop: PropertyMapping, *, alias: str = "t") -> str:
    """SQL for the source's column that a property is made of."""
    return f"{alias}.{quoted(prop.origin)}"


def own_value(prop: PropertyMapping, *, alias: str = "t") -> str:
    """SQL for the value of a column, cast as property_mappings says."""
    value = column_of(prop, alias=alias)
    return cast_sql(value, prop.cast_from, prop.type) if prop.cast_from else value


def sql_of(table: TableMapping, prop: PropertyMapping, *, alias: str = "t") -> str:
    """SQL for the value of a property before it is rendered: a column of `alias`, or its join form."""
    found = parsed(prop.column) if prop.form is not None else None
    if found is None:
        return own_value(prop, alias=alias)
    column = table.property_of(prop.of or "")
    assert column is not None
    value = own_value(column, alias=alias)
    return form_sql(found[0], value, JoinColumn(type=column.type, time_zone=table.source.time_zone))


def joined_tables(tables: Tables, mappings: Iterable[RelationshipMapping]) -> Tables:
    """The tables, each with the join forms that the mappings compare."""
    index = TableIndex(tables)
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for mapping in mappings:
        for asset_key, name in _needed_by(mapping, index):
            names[asset_key].add(name)
    return tuple(
        with_join_columns(table, names[table.asset_key]) if table.asset_key in names else table
        for table in tables
    )


def without_join_columns(
    mappings: Iterable[RelationshipMapping], tables: Tables
) -> Iterator[tuple[RelationshipMapping, TableMapping]]:
    """Each mapping with a table that lacks a join form which its columns could have."""
    index = TableIndex(tables)
    by_key = {table.asset_key: table for table in tables}
    for mapping in mappings:
        for asset_key, name in _needed_by(mapping, index):
            table = by_key.get(asset_key)
            if table is not None and with_join_columns(table, (name,)) is not table:
                yield mapping, table
                break


def _needed_by(
    mapping: RelationshipMapping, index: TableIndex
) -> Iterator[tuple[tuple[str, str], str]]:
    """The tables and names of the join forms that a mapping compares."""
    for end in (mapping.start, mapping.end):
        names = [column for column, _ in end.pairs if parsed(column)]
        for table in index.at(end) if names else ():
            yield from ((table.asset_key, name) for name in names)
    if mapping.junction is not None:
        for _, column in (*mapping.junction.from_pairs, *mapping.junction.to_pairs):
            if parsed(column):
                yield mapping.junction.table, column
