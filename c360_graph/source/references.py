"""How tables of a source refer to each other: by foreign keys, and by how many values of a column another column has.

PostgreSQL has no function that writes phone numbers as they are called from abroad, so they are compared in this
process: a sample of the one column, and those of the other that end like one of the sample. No number is sent to
another database; the endings are, as salted digests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_hex

from c360_graph.mapping.catalog import TEXTS, CatalogTable, ColumnType
from c360_graph.mapping.join_comparison import compare
from c360_graph.mapping.join_forms import Normaliser, normaliser
from c360_graph.mapping.join_functions import (
    Calls,
    JoinColumn,
    JoinForm,
    JoinFunctions,
    form_sql,
    phone_call,
)
from c360_graph.proposal.candidates import (
    Candidate,
    as_numbered,
    decoys_for,
    doubt_about_names,
    doubt_about_values,
    doubt_by_chance,
    family_of,
)
from c360_graph.proposal.model import ForeignKey, SourceSchema
from c360_graph.proposal.overlaps import PROPOSED_SHARE, Overlap, most_common_country
from c360_graph.source.sampling import ask_or_none, from_clause, some_rows
from c360_graph.source.snapshot import SourceSnapshot
from c360_graph.sql_quoting import quoted, sql_literal

# A key that a partition has from its parent, and one that stands for a part of a partitioned table
# it refers to, have a parent of their own.
_FOREIGN_KEYS = """
SELECT k.conname::text, c.relname::text,
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, ordinal)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.ordinal),
    tn.nspname::text, t.relname::text,
    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(attnum, ordinal)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.ordinal)
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = k.confrelid
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname = {schema}
ORDER BY c.relname, k.conkey, k.conname
"""
_APART = """
SELECT c.relname::text,
    NOT c.relispartition AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid),
    pg_catalog.has_table_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = {schema} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname
"""

# One server process has one moment at which it started, whichever name or address leads to it.
_DATABASE = """
SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text || ' ' || d.oid
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
"""

SAMPLED_NUMBERS = 200
_ROWS_TO_DRAW_FROM = 5_000
_MOST_WITH_ONE_ENDING = 5_000
_ENDING = 7
"""Digits: no country code and no trunk prefix is among them."""
_LONGEST = 60
_BETTER_BY_PHONE = 0.01

PhoneTable = tuple[SourceSnapshot, CatalogTable]


def read_source_schema(snapshot: SourceSnapshot, mapped: frozenset[str]) -> SourceSchema:
    """The schema's tables in full; of partitions only those that control rows name (`mapped`).

    Raises:
        SourceError: the source refuses.
    """
    names = snapshot.catalog(frozenset())
    catalog = snapshot.catalog(frozenset(names.mappable_names) | mapped)
    schema = sql_literal(snapshot.source.db_schema)
    apart = snapshot.fetch(_APART.format(schema=schema))
    return SourceSchema(
        source=snapshot.source,
        catalog=catalog,
        foreign_keys=tuple(
            ForeignKey(
                name=name,
                table_name=table,
                columns=tuple(columns),
                to_schema=to_schema,
                to_table=to_table,
                to_columns=tuple(to_columns),
            )
            for name, table, columns, to_schema, to_table, to_columns in snapshot.fetch(
                _FOREIGN_KEYS.format(schema=schema)
            )
        ),
        inheriting=tuple(name for name, inherits, _ in apart if inherits),
        unreadable=tuple(name for name, _, readable in apart if not readable),
        database=snapshot.fetch(_DATABASE)[0][0],
    )


def measure_phones(
    candidate: Candidate, *, referring: PhoneTable, referred: PhoneTable
) -> Overlap | None:
    """The agreement by `phone`; None where it cannot be computed or is no better than that by `digits`.

    Both are computed for the same sample. A value that is no phone number is one that the key lacks.
    """
    ours = _numbers(referring, candidate.reference.column)
    theirs = _numbers(referred, candidate.key.column)
    country = most_common_country((*ours, *theirs)) if ours and theirs else None
    if not ours or country is None:
        return None
    functions = JoinFunctions(calls=(phone_call(country),))
    if any(functions.why_not(t) for t in (candidate.reference_type, candidate.key_type)):
        return None
    alike = _numbers_that_end_alike(referred, candidate.key.column, ours)
    if alike is None:
        return None
    sampled, found = _agreement(normaliser(functions.calls), ours, alike)
    _, by_digits = _agreement(normaliser(("digits",)), ours, alike)
    if found < by_digits + _BETTER_BY_PHONE * sampled:
        return None
    return Overlap(candidate=candidate, sampled=sampled, found=found, functions=functions.calls)


def _agreement(normalise: Normaliser, ours: list[str], theirs: list[str]) -> tuple[int, int]:
    """How many different values there are of ours, and how many of them the others have."""
    sampled = {normalise(text) or text for text in ours}
    return len(sampled), len(sampled & {normalise(text) for text in theirs})


def _numbers(side: PhoneTable, column: str) -> list[str] | None:
    """Some different values."""
    snapshot, table = side
    rows = ask_or_none(
        snapshot,
        f"SELECT DISTINCT left(t.{quoted(column)}::text, {_LONGEST})"
        f" FROM ({some_rows(table, _ROWS_TO_DRAW_FROM)}) AS t"
        f" WHERE t.{quoted(column)} IS NOT NULL LIMIT {SAMPLED_NUMBERS}",
    )
    return None if rows is None else [row[0] for row in rows]


def _numbers_that_end_alike(side: PhoneTable, column: str, texts: list[str]) -> list[str] | None:
    snapshot, table = side
    salt = token_hex(16)
    endings = {re.sub("[^0-9]", "", text)[-_ENDING:] for text in texts} - {""}
    digests = [sha256(f"{salt}{ending}".encode()).hexdigest() for ending in sorted(endings)]
    value = f"t.{quoted(column)}::text"
    ending = f"right(regexp_replace({value}, '[^0-9]', '', 'g'), {_ENDING})"
    digest = f"encode(sha256(convert_to({sql_literal(salt)} || {ending}, 'UTF8')), 'hex')"
    statement = f"SELECT DISTINCT left({value}, {_LONGEST}) FROM {from_clause(table)} AS t WHERE {digest} = ANY("
    rows = ask_or_none(
        snapshot,
        statement.replace("%", "%%") + f"%s::text[]) LIMIT {_MOST_WITH_ONE_ENDING}",
        digests,
    )
    return None if rows is None else [row[0] for row in rows]


ROWS_TO_DRAW_FROM = 5_000
SAMPLED_VALUES = 200


def measure_overlap(
    candidate: Candidate,
    *,
    referring: tuple[SourceSnapshot, CatalogTable],
    referred: tuple[SourceSnapshot, CatalogTable],
) -> Overlap:
    """How many of a reference's sampled values are among the key's.

    Personal values are compared by salted digests, which each database makes of its own, and phone
    numbers also in this process: no value is sent to another database. Texts that agree better where
    functions stand around them are measured so.
    """
    best = _measured(candidate, (), referring=referring, referred=referred)
    written = best.share
    for functions in _functions_for(candidate) if best.found is not None else ():
        if best.share == 1:
            break
        overlap = _measured(candidate, functions, referring=referring, referred=referred)
        if overlap.share >= best.share + _BETTER:
            best = overlap.model_copy(update={"functions": functions, "as_written": written})
    if candidate.kind == "phone number" and best.found is not None and best.share < 1:
        phones = measure_phones(candidate, referring=referring, referred=referred)
        if phones is not None:
            best = phones.model_copy(update={"as_written": written})
    return best


def _functions_for(candidate: Candidate) -> Iterator[Calls]:
    """The functions that may make the columns agree, those that change least first."""
    tried = _OF_PHONES if candidate.kind == "phone number" else _OF_TEXTS
    types = candidate.reference_type, candidate.key_type
    for calls in tried:
        functions = JoinFunctions(calls=calls)
        if all(t.base in TEXTS and functions.why_not(t) is None for t in types):
            yield calls


_OF_TEXTS: tuple[Calls, ...] = (("trim",), ("lower", "trim"))
_OF_PHONES: tuple[Calls, ...] = (("digits",),)
_BETTER = 0.01


def _measured(
    candidate: Candidate,
    functions: Calls,
    *,
    referring: tuple[SourceSnapshot, CatalogTable],
    referred: tuple[SourceSnapshot, CatalogTable],
) -> Overlap:
    comparison = _comparison(candidate, functions)
    values = _values(referring, candidate, comparison)
    if values is None:
        return Overlap(candidate=candidate, sampled=0, found=None)
    if not values:
        return Overlap(candidate=candidate, sampled=0, found=0)
    found = _found(referred, candidate, comparison, values)
    overlap = Overlap(candidate=candidate, sampled=len(values), found=found)
    if overlap.share < PROPOSED_SHARE or candidate.is_inside or candidate.kind is not None:
        return overlap
    doubt = (
        doubt_about_names(candidate)
        or doubt_about_values(candidate, values)
        or _doubt_by_chance(referred, candidate, comparison, values)
    )
    return overlap.model_copy(update={"doubt": doubt})


def _doubt_by_chance(
    referred: tuple[SourceSnapshot, CatalogTable],
    candidate: Candidate,
    comparison: _ComparedSql,
    values: list[str],
) -> str | None:
    """Whether the key has numbers as well that the reference does not have."""
    numbered = as_numbered(values)
    if numbered is None:
        return None
    decoys = decoys_for(numbered)
    for some in (decoys.near, decoys.between):
        found = _found(referred, candidate, comparison, list(some)) if some else 0
        if found is None:
            return "it could not be told whether they agree by chance"
        doubt = doubt_by_chance(found / len(some)) if some else None
        if doubt is not None:
            return doubt
    return None


def _found(
    referred: tuple[SourceSnapshot, CatalogTable],
    candidate: Candidate,
    comparison: _ComparedSql,
    values: list[str],
) -> int | None:
    """How many of the values a key has; None where the source refused or took long."""
    snapshot, table = referred
    # The table has a name of our choosing: its own could be the one that stands for the values.
    partner = f"SELECT FROM {from_clause(table)} AS t WHERE {comparison.of(candidate.key.column, candidate.key_type)}"
    rows = ask_or_none(
        snapshot,
        "SELECT count(*) FROM unnest(%s::text[]) AS sampled (value)"
        + f" WHERE EXISTS ({partner} = {comparison.cast})".replace("%", "%%"),
        values,
    )
    return None if rows is None else int(rows[0][0])


@dataclass(frozen=True, kw_only=True)
class _ComparedSql:
    """What is compared: digests, else the column itself, so that its index serves."""

    salt: str | None = field(default=None, repr=False)
    cast: str = "sampled.value"
    as_text: bool = False
    form: JoinForm | JoinFunctions | None = None

    def of(self, column: str, column_type: ColumnType) -> str:
        value = f"t.{quoted(column)}"
        if self.form is not None:
            value = form_sql(self.form, value, JoinColumn(type=column_type))
        if self.salt is not None:
            text = f"{sql_literal(self.salt)} || {value}::text"
            return f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')"
        return f"{value}::text" if self.as_text else value


def _comparison(candidate: Candidate, functions: Calls) -> _ComparedSql:
    types = candidate.reference_type, candidate.key_type
    ways = compare(*(JoinColumn(type=column_type) for column_type in types)).ways
    # Texts that a join finds equal though they differ are to count here as well.
    form: JoinForm | JoinFunctions | None = None
    if functions:
        form = JoinFunctions(calls=functions)
    elif ways and ways[0] != "property":
        form = ways[0]
    if candidate.kind is not None:
        return _ComparedSql(salt=token_hex(16), form=form)
    if form is not None:
        return _ComparedSql(form=form)
    one, other = (column_type.base for column_type in types)
    if family_of(candidate.key_type) == "number":
        return _ComparedSql(cast="sampled.value::int8")
    if one == other == "uuid":
        return _ComparedSql(cast="sampled.value::uuid")
    return _ComparedSql(as_text=not {one, other} <= {"text", "varchar"})


def _values(
    referring: tuple[SourceSnapshot, CatalogTable], candidate: Candidate, comparison: _ComparedSql
) -> list[str] | None:
    snapshot, table = referring
    column = candidate.reference.column
    rows = ask_or_none(
        snapshot,
        f"SELECT DISTINCT sampled.value FROM (SELECT"
        f" ({comparison.of(column, candidate.reference_type)})::text AS value"
        f" FROM ({some_rows(table, ROWS_TO_DRAW_FROM)}) AS t) AS sampled"
        f" WHERE sampled.value IS NOT NULL LIMIT {SAMPLED_VALUES}",
    )
    return None if rows is None else [row[0] for row in rows]
