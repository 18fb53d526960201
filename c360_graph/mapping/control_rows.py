"""The control tables' rows as they stand, names and columns unchanged."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

Treatment = Literal["exclude", "hash", "mask"]


class Frozen(BaseModel):
    """A value that is compared, hashed and written to JSON, never changed."""

    model_config = ConfigDict(frozen=True)

    def __copy__(self) -> Self:
        """A copy without the cached properties: a copy with other values computes its own."""
        copied = super().__copy__()
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


class Refusal(Frozen):
    """A control row that is refused."""

    control_table: str
    row_id: int
    reason: str

    def __str__(self) -> str:
        return f"{self.control_table} row {self.row_id}: {self.reason}"


class SourceRow(Frozen):
    """A row of `source_databases`, without its password: this value is pinned in run storage."""

    source_id: int
    source_name: str
    db_host: str | None = None
    db_port: int | None = None
    db_name: str
    db_user: str | None = None
    db_schema: str = "public"
    db_sslmode: str | None = None
    time_zone: str | None = None
    owner: str | None = None
    tags: str | None = None


class ExclusionRow(Frozen):
    """A row of `field_exclusion_rules` that is in force (`is_excluded`)."""

    rule_id: int
    source_id: int | None
    table_name: str
    column_name: str
    reason: str | None = None
    treatment: str = "exclude"


class NodeLabelRow(Frozen):
    """An active row of `node_label_mappings`; no source_id means every source that has the table."""

    mapping_id: int
    source_id: int | None
    table_name: str
    node_label: str
    owner: str | None = None
    tags: str | None = None


class RelationshipRow(Frozen):
    """An active row of `relationship_mappings`."""

    relationship_id: int
    source_db: str | None = None
    relationship_type: str
    from_label: str
    to_label: str
    join_condition: str
    junction_table: str | None = None
    junction_label: str | None = None
    description: str | None = None
    execution_order: int | None = None
    from_alias: str | None = None
    to_alias: str | None = None
    junction_alias: str | None = None


class ControlRows(Frozen):
    """All rows that are active, each table in the order of its ids."""

    sources: tuple[SourceRow, ...] = ()
    exclusions: tuple[ExclusionRow, ...] = ()
    labels: tuple[NodeLabelRow, ...] = ()
    relationships: tuple[RelationshipRow, ...] = ()
    inactive_labels: tuple[str, ...] = ()
    """Labels that only deactivated rows or sources feed: relationships that need them rest."""
    inactive_sources: tuple[str, ...] = ()
    """Names of deactivated sources: what names them rests, and may be why a table is not found."""
    allowed: tuple[ExclusionRow, ...] = ()
    """Rows of `field_exclusion_rules` that are switched off: each lets its column in where it is new."""
    unreadable: tuple[Refusal, ...] = ()
    """Rows whose values are of the wrong kind."""

    def source(self, source_id: int | None) -> SourceRow | None:
        """The active source of that id."""
        return self._sources.get(source_id)

    def label_row(self, mapping_id: int | None) -> NodeLabelRow | None:
        """The active row of node_label_mappings of that id."""
        return self._label_rows.get(mapping_id)

    def rules_about(self, table_name: str) -> tuple[ExclusionRow, ...]:
        """The exclusion rules that name a table, in whichever letter case and for whichever source."""
        return self._rules.get(table_name.casefold(), ())

    @cached_property
    def _sources(self) -> dict[int | None, SourceRow]:
        return {row.source_id: row for row in reversed(self.sources)}

    @cached_property
    def _label_rows(self) -> dict[int | None, NodeLabelRow]:
        return {row.mapping_id: row for row in reversed(self.labels)}

    @cached_property
    def _rules(self) -> dict[str, tuple[ExclusionRow, ...]]:
        found: dict[str, list[ExclusionRow]] = defaultdict(list)
        for rule in self.exclusions:
            found[rule.table_name.casefold()].append(rule)
        return {name: tuple(rules) for name, rules in found.items()}
