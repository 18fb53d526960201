"""Which exclusion rule governs a column, and which rules govern nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import cast, get_args

from c360_graph.mapping.catalog import SourceCatalog
from c360_graph.mapping.control_rows import (
    ControlRows,
    ExclusionRow,
    Refusal,
    SourceRow,
    Treatment,
)
from c360_graph.mapping.model import TableMapping
from c360_graph.mapping.names import did_you_mean
from c360_graph.mapping.new_columns import ColumnHistory, holding_rules, rules_without_table
from c360_graph.mapping.table_index import grouped

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
            _STRICTNESS[treatment_of(rule)],
            -rule.rule_id,
        ),
        default=None,
    )


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
            reason = reason or f"it finds no column {rule.column_name!r} where there was one"
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
