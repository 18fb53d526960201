"""Samples of columns, bounded in rows and in time. The values stay in memory: none goes into a file,
a log or a message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from c360_graph.errors import SourceError, SourceUnavailableError
from c360_graph.mapping.catalog import TEXTS, CatalogTable, ColumnType
from c360_graph.mapping.join_comparison import compare
from c360_graph.mapping.join_forms import JoinColumn, JoinForm, form_sql
from c360_graph.mapping.join_functions import Calls, JoinFunctions
from c360_graph.mapping.model import TableMapping
from c360_graph.plan.model import RowEstimate
from c360_graph.proposal.candidates import Candidate, family_of
from c360_graph.proposal.evidence import (
    as_numbered,
    decoys_for,
    doubt_about_names,
    doubt_about_values,
    doubt_by_chance,
)
from c360_graph.proposal.overlaps import PROPOSED_SHARE, Overlap
from c360_graph.source.snapshot import SourceSnapshot
from c360_graph.sql_quoting import quoted, quoted_table, sql_literal

_KINDS = ("r", "p", "m")
"""Views and foreign tables have no pages to draw."""
_TIMES = 20
"""Rows of drawn pages for each row that is taken: rows of one page are alike, so that many pages are drawn."""


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """What follows a table `AS t` and what goes before LIMIT; nothing where the first rows have to do."""

    pages: str = ""
    order: str = ""


def scatter(table: CatalogTable | None, *, rows: int) -> Scatter:
    """For so many rows of a table, the same ones each time as long as it does not change."""
    drawn = _TIMES * rows
    if table is None or table.kind not in _KINDS or table.estimated_rows < drawn:
        return Scatter()
    # The pages come in the table's order, and the limit would leave out its end; by ctid's digest the
    # same rows come each time, and equal values are not together.
    percent = 100 * drawn / table.estimated_rows
    return Scatter(
        pages=f" TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (0)",
        order=" ORDER BY md5(t.ctid::text)",
    )


SAMPLED_ROWS = 500
ROWS_TO_DRAW_FROM = 5_000
SAMPLED_VALUES = 200
MOST_SECONDS = 5
"""For each statement; one that takes longer is given up."""
_LONGEST_TEXT = 400


def sample_columns(
    snapshot: SourceSnapshot, table: CatalogTable, columns: Sequence[str]
) -> dict[str, tuple[str, ...]] | None:
    """Texts of some rows' values, each column without its NULLs; None where the source refused or took long."""
    if not columns:
        return {}
    texts = ", ".join(f"left(t.{quoted(c)}::text, {_LONGEST_TEXT})" for c in columns)
    rows = _ask(snapshot, f"SELECT {texts} FROM ({_some_rows(table, SAMPLED_ROWS)}) AS t")
    if rows is None:
        return None
    return {
        column: tuple(row[place] for row in rows if row[place] is not None)
        for place, column in enumerate(columns)
    }


def measure_overlap(
    candidate: Candidate,
    *,
    referring: tuple[SourceSnapshot, CatalogTable],
    referred: tuple[SourceSnapshot, CatalogTable],
) -> Overlap:
    """How many of a reference's sampled values are among the key's.

    Personal values are compared by salted digests, which each database makes of its own: no value
    leaves its database. Texts that agree better where functions stand around them are measured so.
    """
    best = _measured(candidate, (), referring=referring, referred=referred)
    written = best.share
    for functions in _functions_for(candidate) if best.found is not None else ():
        if best.share == 1:
            break
        overlap = _measured(candidate, functions, referring=referring, referred=referred)
        if overlap.share >= best.share + _BETTER:
            best = overlap.model_copy(update={"functions": functions, "as_written": written})
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
    comparison: _Comparison,
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
    comparison: _Comparison,
    values: list[str],
) -> int | None:
    """How many of the values a key has; None where the source refused or took long."""
    snapshot, table = referred
    # The table has a name of our choosing: its own could be the one that stands for the values.
    there = f"SELECT FROM {_from(table)} AS t WHERE {comparison.of(candidate.key.column, candidate.key_type)}"
    rows = _ask(
        snapshot,
        "SELECT count(*) FROM unnest(%s::text[]) AS sampled (value)"
        + f" WHERE EXISTS ({there} = {comparison.cast})".replace("%", "%%"),
        values,
    )
    return None if rows is None else int(rows[0][0])


@dataclass(frozen=True, kw_only=True)
class _Comparison:
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


def _comparison(candidate: Candidate, functions: Calls) -> _Comparison:
    types = candidate.reference_type, candidate.key_type
    ways = compare(*(JoinColumn(type=column_type) for column_type in types)).ways
    # Texts that a join finds equal though they differ are to count here as well.
    form: JoinForm | JoinFunctions | None = None
    if functions:
        form = JoinFunctions(calls=functions)
    elif ways and ways[0] != "property":
        form = ways[0]
    if candidate.kind is not None:
        return _Comparison(salt=token_hex(16), form=form)
    if form is not None:
        return _Comparison(form=form)
    one, other = (column_type.base for column_type in types)
    if family_of(candidate.key_type) == "number":
        return _Comparison(cast="sampled.value::int8")
    if one == other == "uuid":
        return _Comparison(cast="sampled.value::uuid")
    return _Comparison(as_text=not {one, other} <= {"text", "varchar"})


def _values(
    referring: tuple[SourceSnapshot, CatalogTable], candidate: Candidate, comparison: _Comparison
) -> list[str] | None:
    snapshot, table = referring
    column = candidate.reference.column
    rows = _ask(
        snapshot,
        f"SELECT DISTINCT sampled.value FROM (SELECT"
        f" ({comparison.of(column, candidate.reference_type)})::text AS value"
        f" FROM ({_some_rows(table, ROWS_TO_DRAW_FROM)}) AS t) AS sampled"
        f" WHERE sampled.value IS NOT NULL LIMIT {SAMPLED_VALUES}",
    )
    return None if rows is None else [row[0] for row in rows]


def _ask(
    snapshot: SourceSnapshot, statement: str, *parameters: Any
) -> list[tuple[Any, ...]] | None:
    """All rows, None where the source refuses the statement or takes long; one that left is an error."""
    try:
        return snapshot.ask(statement, *parameters, seconds=MOST_SECONDS)
    except SourceUnavailableError:
        raise
    except SourceError:
        return None


def _some_rows(table: CatalogTable, rows: int) -> str:
    """Some rows of a table, of a large one from all over it."""
    sample = scatter(table, rows=rows)
    return f"SELECT t.* FROM {_from(table)} AS t{sample.pages}{sample.order} LIMIT {rows}"


def _from(table: CatalogTable) -> str:
    return quoted_table(table.schema_name, table.table_name)


SAMPLE_ROWS = 200
MOST_VALUES = 20
SHORTEST = 8
"""Characters: a shorter text stands in other columns by chance."""


def distinctive_values(
    snapshot: SourceSnapshot, table: TableMapping, column: str
) -> tuple[str, ...]:
    """Texts of some rows that are long and differ from row to row; none where the column's do not.

    None either where the source's role may not read the column: no value of it can have come from
    there. The values stay in memory: they go into no file, log or message.

    Raises:
        SourceError: the source refuses.
    """
    place = quoted_table(table.source.db_schema, table.table_name)
    allowed = f"has_column_privilege({sql_literal(place)}, {sql_literal(column)}, 'SELECT')"
    # Asked, not tried: a refused statement would end the transaction.
    if not snapshot.fetch(f"SELECT {allowed}")[0][0]:
        return ()
    rows = snapshot.fetch(
        f"SELECT {quoted(column)}::text FROM {place} WHERE {quoted(column)} IS NOT NULL"
        f" LIMIT {SAMPLE_ROWS}"
    )
    texts = [str(row[0]) for row in rows]
    long = list(dict.fromkeys(text for text in texts if len(text) >= SHORTEST))
    if 2 * len(long) < len(texts):
        return ()
    return tuple(long[:MOST_VALUES])


COUNTED_ROWS = 100_000
"""A table without statistics is counted up to here."""


def row_estimate(
    snapshot: SourceSnapshot, table: CatalogTable, kept: Sequence[str] = ()
) -> RowEstimate:
    """The rows of a table, of which only those are read that fulfil `kept`; unknown where the count is
    refused or takes too long."""
    # -1 is never analysed, and so is 0 before PostgreSQL 14; a count of nothing takes no time.
    if table.estimated_rows > 0 and not kept:
        return RowEstimate(rows=table.estimated_rows, basis="estimate")
    try:
        (row,) = snapshot.ask(_count(table, kept))
    except SourceError:
        return RowEstimate()
    rows = int(row[0])
    if rows > COUNTED_ROWS:
        return RowEstimate(rows=COUNTED_ROWS, basis="at least")
    return RowEstimate(rows=rows, basis="count")


def _count(table: CatalogTable, kept: Sequence[str]) -> str:
    place = f"{quoted_table(table.schema_name, table.table_name)} AS t"
    where = f" WHERE {' AND '.join(kept)}" if kept else ""
    return f"SELECT count(*) FROM (SELECT FROM {place}{where} LIMIT {COUNTED_ROWS + 1}) AS few"
