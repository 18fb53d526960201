"""What a table with exclusion rules has that nobody has decided on: columns that are new, rules that find nothing.

A rule names a column. Where that column is renamed at the source, the rule finds nothing, and the values
would be read under the new name. So a table is not read while a rule of its finds no column, and of a table
with rules only those columns are read that were there before, or that somebody let in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field

from c360_graph.mapping.catalog import CatalogTable, SourceCatalog
from c360_graph.mapping.control_rows import ControlRows, ExclusionRow, Frozen, SourceRow
from c360_graph.mapping.model import TableMapping
from c360_graph.mapping.names import did_you_mean

Rules = tuple[ExclusionRow, ...]


class ColumnHistory(Frozen):
    """The columns of each table that were accepted when it was last read, by source_id and table_name."""

    tables: dict[int, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    lets_in: bool = False
    """Whether columns that are new are read all the same (C360_NEW_COLUMNS=load)."""
    is_kept: bool = True
    """Whether the control database keeps it; else only the data folder does."""

    def columns(self, source_id: int, table_name: str) -> frozenset[str] | None:
        """The columns accepted before; None for a table that was never read."""
        found = self.tables.get(source_id, {}).get(table_name)
        return None if found is None else frozenset(found)

    def has_table(self, source_id: int, table_name: str) -> bool:
        """Whether a table of that name, in whichever letters, was ever read."""
        folded = table_name.casefold()
        return any(name.casefold() == folded for name in self.tables.get(source_id, {}))


def rules_of(source: SourceRow, table_name: str, rules: Iterable[ExclusionRow]) -> Rules:
    """The rules that speak of a table."""
    folded = table_name.casefold()
    return tuple(
        rule
        for rule in rules
        if rule.source_id in (None, source.source_id) and rule.table_name.casefold() == folded
    )


def withheld_columns(
    source: SourceRow, table: CatalogTable, rows: ControlRows, history: ColumnHistory
) -> tuple[str, ...]:
    """Columns that are new to a table with rules, and that neither a rule nor a row lets in."""
    rules = rules_of(source, table.table_name, rows.exclusions)
    known = history.columns(source.source_id, table.table_name)
    if not rules or known is None or history.lets_in:
        return ()
    decided = {rule.column_name.casefold() for rule in rules} | _allowed(source, table, rows)
    return tuple(
        column.name
        for column in table.columns
        if column.name not in known and column.name.casefold() not in decided
    )


def rules_without_table(source: SourceRow, catalog: SourceCatalog, rows: ControlRows) -> Rules:
    """The source's own rules that name a table which it does not have."""
    names = {name.casefold() for name in catalog.table_names}
    return tuple(
        rule
        for rule in rows.exclusions
        if rule.source_id == source.source_id and rule.table_name.casefold() not in names
    )


def holding_rules(
    source: SourceRow,
    table: CatalogTable,
    rows: ControlRows,
    history: ColumnHistory,
    *,
    without_table: Rules,
) -> Rules:
    """The rules because of which a table is not read.

    Args:
        source: the table's source.
        table: as it is now.
        rows: all control rows.
        history: what was accepted before.
        without_table: the source's rules that name no table of its (`rules_without_table`).
    """
    names = {column.name.casefold() for column in table.columns}
    known = history.columns(source.source_id, table.table_name)
    before = {name.casefold() for name in known or ()}
    missing = [
        rule
        for rule in rules_of(source, table.table_name, rows.exclusions)
        if (folded := rule.column_name.casefold()) not in names
        # A rule for every source need not fit the table of each.
        and (rule.source_id is not None or folded in before)
    ]
    if known is None and without_table and not history.lets_in:
        ruled = {
            r.column_name.casefold() for r in rules_of(source, table.table_name, rows.exclusions)
        }
        undecided = names - ruled - _allowed(source, table, rows)
        missing += [
            rule
            for rule in without_table
            # The table may be the one that the rule means, under a new name.
            if history.has_table(source.source_id, rule.table_name)
            or rule.column_name.casefold() in undecided
        ]
    return tuple(missing)


def why_held_back(qualified_name: str, table: CatalogTable, rules: Rules) -> str:
    """In words, for who reads the table."""
    return f"{qualified_name} is not read, and its last good extract stays: " + "; ".join(
        _why(rule, table) for rule in rules
    )


def withheld_lines(tables: Iterable[TableMapping]) -> Iterator[str]:
    """A line for each table of which columns are withheld, and how to let them in."""
    for table in tables:
        if table.withheld:
            yield (
                f"{table.qualified_name}: {', '.join(table.withheld)} withheld, new to a table with exclusion rules."
                " Add a row to field_exclusion_rules for each: a treatment, or is_excluded false to read"
                " it as it is."
            )


def _why(rule: ExclusionRow, table: CatalogTable) -> str:
    row = f"field_exclusion_rules row {rule.rule_id}"
    if rule.table_name.casefold() == table.table_name.casefold():
        near = did_you_mean(rule.column_name, (column.name for column in table.columns))
        return (
            f"{row} finds no column {rule.column_name!r} in it{near}. Where the column was renamed, its"
            " values would be read under the new name: correct column_name of the row. Where it is gone"
            " for good, delete the row or set is_excluded to false."
        )
    return (
        f"{row} finds no table {rule.table_name!r}, and this one, never read before, may be it under a new"
        " name: correct table_name of the row. Where that table is gone for good, delete the row or set"
        " is_excluded to false."
    )


def _allowed(source: SourceRow, table: CatalogTable, rows: ControlRows) -> set[str]:
    """Columns, in lower case, that a row with is_excluded false lets in; where two differ in letter
    case alone, only by their own letters."""
    folded = [column.name.casefold() for column in table.columns]
    exact = {column.name for column in table.columns}
    return {
        name
        for rule in rules_of(source, table.table_name, rows.allowed)
        if folded.count(name := rule.column_name.casefold()) == 1 or rule.column_name in exact
    }
