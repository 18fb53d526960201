"""How many phone numbers of a column another column has, when both are written as they are called from abroad.

PostgreSQL has no such function, so that the numbers are compared in this process: a sample of the one
column, and those of the other that end like one of the sample. No number is sent to another database;
the endings are, as salted digests.
"""

from __future__ import annotations

import re
from hashlib import sha256
from secrets import token_hex

from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.join_functions import JoinFunctions, phone_call
from c360_graph.mapping.normalised_texts import Normaliser, normaliser
from c360_graph.proposal.candidates import Candidate
from c360_graph.proposal.overlaps import Overlap
from c360_graph.proposal.phone_countries import most_common_country
from c360_graph.source.sampling import ask_or_none, from_clause, some_rows
from c360_graph.source.snapshot import SourceSnapshot
from c360_graph.sql_quoting import quoted, sql_literal

SAMPLED_NUMBERS = 200
_ROWS_TO_DRAW_FROM = 5_000
_MOST_WITH_ONE_ENDING = 5_000
_ENDING = 7
"""Digits: no country code and no trunk prefix is among them."""
_LONGEST = 60
_BETTER = 0.01

PhoneTable = tuple[SourceSnapshot, CatalogTable]


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
    if found < by_digits + _BETTER * sampled:
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
