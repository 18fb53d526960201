"""Which exclusion rule governs a column, which rules govern nothing, and which columns nobody has decided on.

A rule names a column. Where that column is renamed at the source, the rule finds nothing, and the values
would be read under the new name. So a table is not read while a rule of its finds no column, and of a table
with rules only those columns are read that were there before, or that somebody let in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import cast, get_args

from pydantic import Field

from c360_graph.mapping.catalog import CatalogTable, SourceCatalog
from c360_graph.mapping.control_rows import (
    ControlRows,
    ExclusionRow,
    Frozen,
    Refusal,
    SourceRow,
    Treatment,
)
from c360_graph.mapping.model import TableMapping, grouped
from c360_graph.mapping.names import did_you_mean

Rules = tuple[ExclusionRow, ...]


class AcceptedColumn(Frozen):
    """A column as it was when its table was last read, as far as it is known."""

    attribute: tuple[int, int] | None = None
    """`CatalogColumn.attribute`."""
    treatment: str | None = None
    """What its rule did; None where it had none."""


class ColumnHistory(Frozen):
    """The columns of each table that were accepted when it was last read, by source_id and table_name."""

    tables: dict[int, dict[str, dict[str, AcceptedColumn]]] = Field(default_factory=dict)
    lets_in: bool = False
    """Whether columns that are new are read all the same (C360_NEW_COLUMNS=load)."""
    is_kept: bool = True
    """Whether the control database keeps it; else only the data folder does."""

    def columns(self, source_id: int, table_name: str) -> dict[str, AcceptedColumn] | None:
        """The columns accepted before, by name; None for a table that was never read."""
        return self.tables.get(source_id, {}).get(table_name)

    def has_table(self, source_id: int, table_name: str) -> bool:
        """Whether a table of that name, in whichever letters, was ever read."""
        folded = table_name.casefold()
        return any(name.casefold() == folded for name in self.tables.get(source_id, {}))


def renamed_columns(
    source: SourceRow, table: CatalogTable, history: ColumnHistory
) -> dict[str, str]:
    """Columns that had another name when the table was last read: the name of then, and that of now."""
    before = history.columns(source.source_id, table.table_name) or {}
    names = {column.attribute: name for name, column in before.items()}
    return {
        names[column.attribute]: column.name
        for column in table.columns
        if column.attribute is not None and names.get(column.attribute, column.name) != column.name
    }


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
    missing += _rules_of_swapped(source, table, rows, history)
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


def _rules_of_swapped(
    source: SourceRow, table: CatalogTable, rows: ControlRows, history: ColumnHistory
) -> Iterator[ExclusionRow]:
    """The rules whose column has a name now that is treated less strictly, while another has its name."""
    rules = rows.rules_about(table.table_name)
    names = {column.name for column in table.columns}
    before = history.columns(source.source_id, table.table_name) or {}
    for former, name in renamed_columns(source, table, history).items():
        rule = rule_for(source, table.table_name, former, rules)
        was = before[former].treatment
        if rule is None or was is None or former not in names:
            continue
        now = rule_for(source, table.table_name, name, rules)
        if now is None or _strictness(now) < _STRICTNESS.get(was, 0):
            yield rule


def why_held_back(
    source: SourceRow, table: CatalogTable, rules: Rules, history: ColumnHistory
) -> str:
    """In words, for who reads the table."""
    renamed = {
        former.casefold(): name for former, name in renamed_columns(source, table, history).items()
    }
    return (
        f"{source.source_name}/{table.table_name} is not read, and its last good extract stays: "
        + "; ".join(_why(rule, table, renamed.get(rule.column_name.casefold())) for rule in rules)
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


def _why(rule: ExclusionRow, table: CatalogTable, name: str | None) -> str:
    row = f"field_exclusion_rules row {rule.rule_id}"
    names = {column.name.casefold() for column in table.columns}
    if name is not None and rule.column_name.casefold() in names:
        return (
            f"the column {rule.column_name!r} of {row} is called {name!r} now, and another has its name."
            f" Set column_name of the row to {name!r}, and add rows for the columns that need them. Where the"
            " rules fit the names as they are now, delete the rows of this table in accepted_columns."
        )
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


_STRICTNESS = {"mask": 0, "hash": 1, "exclude": 2}


def rule_for(
    source: SourceRow, table_name: str, column: str, rules: Iterable[ExclusionRow]
) -> ExclusionRow | None:
    """The rule that governs a column.

    A rule in other letter case counts too: a column too many withheld beats one leaked. Of several
    the one that names the source wins, then the one in the column's own letters, then the strictest.
    """
    mine = [
        rule
        for rule in rules
        if rule.source_id in (None, source.source_id)
        and rule.table_name.casefold() == table_name.casefold()
        and rule.column_name.casefold() == column.casefold()
    ]
    return max(
        mine,
        key=lambda rule: (
            rule.source_id is not None,
            rule.table_name == table_name,
            rule.column_name == column,
            _strictness(rule),
            -rule.rule_id,
        ),
        default=None,
    )


def _strictness(rule: ExclusionRow) -> int:
    return _STRICTNESS[treatment_of(rule)]


def treatment_of(rule: ExclusionRow) -> Treatment:
    """What a rule does; an unknown treatment excludes."""
    known = rule.treatment in get_args(Treatment)
    return cast("Treatment", rule.treatment) if known else "exclude"


def forbidden_columns(table: TableMapping, rows: ControlRows) -> tuple[str, ...]:
    """Columns that a table was read with and that the rules of now treat otherwise."""
    record = table.identity.record if table.identity else None
    source_name, table_name = record or table.asset_key
    source = next((s for s in rows.sources if s.source_name == source_name), None)
    return tuple(
        prop.column
        for prop in table.properties
        if (
            rule := rule_for(
                source or table.source,
                table_name,
                prop.origin if record or prop.form is None else prop.column,
                rows.exclusions,
            )
        )
        is not None
        and treatment_of(rule) != prop.treatment
    )


def refused_exclusions(
    rows: ControlRows,
    tables: tuple[TableMapping, ...],
    catalogs: Mapping[int, SourceCatalog],
    history: ColumnHistory,
) -> tuple[Refusal, ...]:
    """Rules that name a table or column which nothing has, or a treatment there is not."""
    held = _held_back(rows, tables, catalogs, history)
    refusals = []
    sources = _Sources(rows, tables, catalogs)
    for rule in rows.exclusions:
        if rule.treatment not in get_args(Treatment):
            kinds = ", ".join(get_args(Treatment))
            reason: str | None = (
                f"treatment {rule.treatment!r} is none of {kinds}; until it is corrected, the column"
                " is excluded"
            )
        else:
            reason = _why_it_protects_nothing(rule, sources)
        if rule.rule_id in held:
            reason = (
                reason
                or f"the column {rule.column_name!r} that it meant is gone, or has another name now"
            )
            reason += (
                f"{'' if reason.endswith('?') else '.'} Until the row is corrected, deleted or switched"
                f" off, {', '.join(held[rule.rule_id])} is not read"
            )
        if reason:
            refusals.append(
                Refusal(control_table="field_exclusion_rules", row_id=rule.rule_id, reason=reason)
            )
    return tuple(refusals)


class _Sources:
    """The sources with their tables, by the names that rules use."""

    def __init__(
        self,
        rows: ControlRows,
        tables: tuple[TableMapping, ...],
        catalogs: Mapping[int, SourceCatalog],
    ) -> None:
        self._rows = rows
        self._tables = tables
        self._catalogs = catalogs

    def meant(self, rule: ExclusionRow) -> tuple[SourceRow, ...]:
        """The sources that a rule is about; () where one of them could not be asked."""
        meant = [s for s in self._rows.sources if rule.source_id in (None, s.source_id)]
        asked = all(source.source_id in self._catalogs for source in meant)
        return tuple(meant) if asked else ()

    def have(self, sources: Iterable[SourceRow], table_name: str) -> bool:
        """Whether one of the sources has a table of that name, in whichever letter case."""
        folded = table_name.casefold()
        return any(folded in self._folded[source.source_id] for source in sources)

    def names(self, sources: Iterable[SourceRow]) -> frozenset[str]:
        """The tables of the sources."""
        return frozenset(
            name for source in sources for name in self._catalogs[source.source_id].table_names
        )

    def columns(self, rule: ExclusionRow) -> set[str]:
        """The columns of the mapped tables that a rule means, as far as they are known."""
        return {
            name
            for table in self._mapped.get(rule.table_name.casefold(), ())
            if rule.source_id in (None, table.source.source_id)
            for name in (*table.known_columns, *table.withheld)
        }

    @cached_property
    def _folded(self) -> dict[int, frozenset[str]]:
        return {
            source_id: frozenset(name.casefold() for name in catalog.table_names)
            for source_id, catalog in self._catalogs.items()
        }

    @cached_property
    def _mapped(self) -> Mapping[str, tuple[TableMapping, ...]]:
        return grouped(self._tables, lambda table: table.table_name.casefold())


def _held_back(
    rows: ControlRows,
    tables: tuple[TableMapping, ...],
    catalogs: Mapping[int, SourceCatalog],
    history: ColumnHistory,
) -> dict[int, list[str]]:
    """The tables that are not read because of each rule, by rule_id."""
    held: dict[int, list[str]] = {}
    lost = {
        source.source_id: rules_without_table(source, catalogs[source.source_id], rows)
        for source in rows.sources
        if source.source_id in catalogs
    }
    for table in tables:
        catalog = catalogs.get(table.source.source_id)
        found = catalog.table(table.table_name) if catalog else None
        if found is not None:
            for rule in holding_rules(
                table.source, found, rows, history, without_table=lost[table.source.source_id]
            ):
                held.setdefault(rule.rule_id, []).append(table.qualified_name)
    return held


def _why_it_protects_nothing(rule: ExclusionRow, sources: _Sources) -> str | None:
    meant = sources.meant(rule)
    if not meant:
        return None
    if not sources.have(meant, rule.table_name):
        where = ", ".join(source.source_name for source in meant)
        return (
            f"no table {rule.table_name!r} is in {where}: the rule protects nothing"
            f"{did_you_mean(rule.table_name, sources.names(meant))}"
        )
    columns = sources.columns(rule)
    if columns and rule.column_name.casefold() not in {name.casefold() for name in columns}:
        return (
            f"table {rule.table_name!r} has no column {rule.column_name!r}: the rule protects nothing"
            f"{did_you_mean(rule.column_name, columns)}"
        )
    return None
