"""Columns that look personal, by name or by what sampled values look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from c360_graph.mapping.catalog import CatalogColumn, CatalogTable
from c360_graph.proposal.personal_names import Kind, kind_by_name
from c360_graph.proposal.personal_values import Likeness, likeness, likeness_within

_SAMPLED = frozenset(["text", "varchar", "bpchar", "citext", "int8", "numeric", "json", "jsonb"])
_DOCUMENTS = frozenset(["json", "jsonb"])


@dataclass(frozen=True, kw_only=True)
class ColumnFinding:
    """What a column holds, and how that is known; holds none of its values."""

    kind: Kind
    why: str
    within: bool = False
    """Whether the column's values are documents or lists that hold such things among others."""


def is_worth_sampling(column: CatalogColumn) -> bool:
    """Whether a column's values can look like anything personal."""
    return (column.type.element or column.type).base in _SAMPLED


def findings_of(
    table: CatalogTable, samples: Mapping[str, Sequence[str]]
) -> tuple[dict[str, ColumnFinding], tuple[str, ...]]:
    """The columns that look personal, and a remark on texts that hold personal data here and there."""
    found: dict[str, ColumnFinding] = {}
    remarks: list[str] = []
    for column in table.columns:
        values = samples.get(column.name, ())
        finding, remark = _judge(table, column, values)
        if finding:
            found[column.name] = finding
        elif remark:
            remarks.append(f"{column.name} {remark}")
    return found, tuple(remarks)


def _judge(
    table: CatalogTable, column: CatalogColumn, values: Sequence[str]
) -> tuple[ColumnFinding | None, str | None]:
    by_name = kind_by_name(table.table_name, column.name, column.type)
    whole = column.type.element is None and column.type.base not in _DOCUMENTS
    seen = likeness(values) if whole and values else None
    if by_name:
        if seen and seen.kind == by_name:
            return ColumnFinding(kind=by_name, why=f"its name and {_looks(seen)}"), None
        return ColumnFinding(kind=by_name, why="its name or type says so"), None
    if seen:
        return ColumnFinding(kind=seen.kind, why=_looks(seen)), None
    within = likeness_within(values) if values else None
    if within is None:
        return None, None
    if not whole and 2 * within.count >= within.of:
        return ColumnFinding(kind=within.kind, why=f"{within.share} hold one", within=True), None
    return None, (
        f"is proposed as it is, but {within.share} hold something like a {within.kind}: judge"
        " whether it is to be excluded."
    )


def _looks(seen: Likeness) -> str:
    return f"{seen.share} look like one"
