"""Samples of columns, bounded in rows and in time. The values stay in memory: none goes into a file,
a log or a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from c360_graph.errors import SourceError, SourceUnavailableError
from c360_graph.mapping.catalog import CatalogTable, ColumnType
from c360_graph.mapping.join_comparison import compare
from c360_graph.mapping.join_forms import JoinColumn, JoinForm, form_sql
from c360_graph.proposal.candidates import Candidate, family_of
from c360_graph.proposal.evidence import (
    as_numbered,
    decoys_for,
    doubt_about_names,
    doubt_about_values,
    doubt_by_chance,
)
from c360_graph.proposal.overlaps import PROPOSED_SHARE, Overlap
from c360_graph.source_db.scatter import scatter
from c360_graph.source_db.snapshot import SourceSnapshot
from c360_graph.sql_quoting import quoted, quoted_table, sql_literal

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
    leaves its database.
    """
    comparison = _comparison(candidate)
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
    form: JoinForm | None = None

    def of(self, column: str, column_type: ColumnType) -> str:
        value = f"t.{quoted(column)}"
        if self.form is not None:
            value = form_sql(self.form, value, JoinColumn(type=column_type))
        if self.salt is not None:
            text = f"{sql_literal(self.salt)} || {value}::text"
            return f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')"
        return f"{value}::text" if self.as_text else value


def _comparison(candidate: Candidate) -> _Comparison:
    types = candidate.reference_type, candidate.key_type
    ways = compare(*(JoinColumn(type=column_type) for column_type in types)).ways
    # Texts that a join finds equal though they differ are to count here as well.
    form = None if not ways or ways[0] == "property" else ways[0]
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
        f"SELECT DISTINCT ({comparison.of(column, candidate.reference_type)})::text"
        f" FROM ({_some_rows(table, ROWS_TO_DRAW_FROM)}) AS t"
        f" WHERE t.{quoted(column)} IS NOT NULL LIMIT {SAMPLED_VALUES}",
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
