"""The control tables' rows as they stand, names and columns unchanged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

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
    """A control row that is refused.

    One that `is_partial` is used all the same, without what the reason names.
    """

    control_table: str
    row_id: int
    reason: str
    is_partial: bool = False

    def __str__(self) -> str:
        return f"{self.control_table} row {self.row_id}: {self.reason}"


NEW_SOURCE_ID = -1
"""Of a source that has no row yet."""


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

    @property
    def told_as(self) -> str:
        """Where to look if it cannot be read."""
        if self.source_id == NEW_SOURCE_ID:
            return "host, port, database, role and password of the new source"
        return f"source_databases row {self.source_id}"


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
    row_filter: str | None = None
    key_columns: tuple[str, ...] | None = None
    extra_labels: tuple[str, ...] | None = None
    label_column: str | None = None
    label_values: tuple[str, ...] | None = None


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
    relationship_properties: tuple[str, ...] | None = None


class PropertyRow(Frozen):
    """An active row of `property_mappings`; no source_id means every source that has the table."""

    mapping_id: int
    source_id: int | None = None
    table_name: str
    column_name: str
    property_name: str | None = None
    cast_type: str | None = None


class QualityRow(Frozen):
    """An active row of `quality_rules`; no source_id means every source that has the table."""

    rule_id: int
    source_id: int | None = None
    table_name: str | None = None
    column_name: str | None = None
    kind: str
    argument: str | None = None
    severity: str | None = None
    is_blocking: bool | None = None
    description: str | None = None


class IdentityRuleRow(Frozen):
    """An active row of `identity_rules`; no source_id means every source that has the table."""

    rule_id: int
    entity_label: str
    source_id: int | None = None
    table_name: str
    identifier_kind: str
    column_name: str
    normaliser: str | None = None
    min_agreement: int | None = None
    comparison: str | None = None


class IdentityDecisionRow(Frozen):
    """A row of `identity_decisions`: what a person decided of two records."""

    decision_id: int
    entity_label: str
    left_source: str
    left_table: str
    left_key: str
    right_source: str
    right_table: str
    right_key: str
    verdict: Literal["same", "different"]
    decided_by: str | None = None
    decided_at: datetime | None = None

    @property
    def records(self) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
        """Source, table and key of both records."""
        return (
            (self.left_source, self.left_table, self.left_key),
            (self.right_source, self.right_table, self.right_key),
        )

    @property
    def order(self) -> tuple[bool, float, int]:
        """When it was decided; without a time before all others."""
        decided = self.decided_at
        return decided is not None, decided.timestamp() if decided else 0.0, self.decision_id


class ControlRows(Frozen):
    """All rows that are active, each table in the order of its ids."""

    sources: tuple[SourceRow, ...] = ()
    exclusions: tuple[ExclusionRow, ...] = ()
    labels: tuple[NodeLabelRow, ...] = ()
    relationships: tuple[RelationshipRow, ...] = ()
    properties: tuple[PropertyRow, ...] = ()
    quality: tuple[QualityRow, ...] = ()
    identity_rules: tuple[IdentityRuleRow, ...] = ()
    inactive_labels: tuple[str, ...] = ()
    """Labels that only deactivated rows or sources feed: relationships that need them are inactive."""
    inactive_sources: tuple[str, ...] = ()
    """Names of deactivated sources: rows that name them are inactive, and a table may not be found because of it."""
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

    def properties_of(self, source: SourceRow, table_name: str) -> tuple[PropertyRow, ...]:
        """The rows about properties of a table, those that name its source first."""
        found = self._properties.get(table_name, ())
        mine = (row for row in found if row.source_id in (None, source.source_id))
        return tuple(sorted(mine, key=lambda row: (row.source_id is None, row.mapping_id)))

    @cached_property
    def _properties(self) -> dict[str, tuple[PropertyRow, ...]]:
        found: dict[str, list[PropertyRow]] = defaultdict(list)
        for row in self.properties:
            found[row.table_name].append(row)
        return {name: tuple(rows) for name, rows in found.items()}

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


Row = Mapping[Any, Any]
"""Columns by name, as a mapping of whichever kind; an older control database lacks the newer ones."""

_Kind = TypeVar("_Kind", bound=Frozen)
_SWITCH = TypeAdapter(bool)


def control_rows(
    *,
    sources: Iterable[Row],
    exclusions: Iterable[Row],
    labels: Iterable[Row],
    relationships: Iterable[Row],
    properties: Iterable[Row] = (),
    quality: Iterable[Row] = (),
    identity_rules: Iterable[Row] = (),
) -> ControlRows:
    """The active rows; one whose values are of the wrong kind is refused, never an error of all.

    Passwords are left behind.

    >>> source = {"source_id": 1, "source_name": "crm", "db_name": "crm", "is_active": True}
    >>> rows = control_rows(sources=[source], exclusions=[], labels=[], relationships=[])
    >>> [row.source_name for row in rows.sources]
    ['crm']
    """
    reader = _RowReader()
    all_sources = list(sources)
    all_labels = list(labels)
    inactive = [row for row in all_sources if not reader.is_on("source_databases", row)]
    running = [row for row in all_sources if row not in inactive]
    inactive_ids = {row.get("source_id") for row in inactive}
    all_exclusions = list(exclusions)
    active = _without(inactive_ids, reader.on("node_label_mappings", all_labels))
    kept = {row.get("node_label") for row in active}
    unmapped = {str(row.get("node_label")) for row in all_labels if row.get("node_label")} - kept
    return ControlRows(
        sources=reader.read(SourceRow, "source_databases", map(_source, running)),
        exclusions=reader.read(
            ExclusionRow,
            "field_exclusion_rules",
            map(_exclusion, reader.on("field_exclusion_rules", all_exclusions)),
        ),
        # One of these that cannot be read lets nothing in, and is no fault.
        allowed=_RowReader().read(
            ExclusionRow,
            "field_exclusion_rules",
            map(_exclusion, reader.off("field_exclusion_rules", all_exclusions)),
        ),
        labels=reader.read(NodeLabelRow, "node_label_mappings", map(_label, active)),
        relationships=reader.read(
            RelationshipRow,
            "relationship_mappings",
            reader.on("relationship_mappings", relationships),
        ),
        properties=reader.of_sources(PropertyRow, "property_mappings", properties, inactive_ids),
        quality=reader.read(QualityRow, "quality_rules", reader.on("quality_rules", quality)),
        identity_rules=reader.of_sources(
            IdentityRuleRow, "identity_rules", identity_rules, inactive_ids
        ),
        inactive_labels=tuple(sorted(unmapped)),
        inactive_sources=tuple(sorted(str(row.get("source_name")) for row in inactive)),
        unreadable=tuple(reader.refusals),
    )


def _without(source_ids: Collection[object], rows: Iterable[Row]) -> list[Row]:
    """The rows that are about other sources than these, or about any."""
    return [row for row in rows if row.get("source_id") not in source_ids]


_IDS = {
    "source_databases": "source_id",
    "field_exclusion_rules": "rule_id",
    "node_label_mappings": "mapping_id",
    "relationship_mappings": "relationship_id",
    "property_mappings": "mapping_id",
    "quality_rules": "rule_id",
    "identity_rules": "rule_id",
    "identity_decisions": "decision_id",
}


def identity_decisions(
    rows: Iterable[Row], entity_label: str
) -> tuple[tuple[IdentityDecisionRow, ...], tuple[Refusal, ...]]:
    """The decisions about entities of a label, and rows that cannot be read."""
    reader = _RowReader()
    mine = (row for row in rows if row.get("entity_label") == entity_label)
    found = reader.read(IdentityDecisionRow, "identity_decisions", mine)
    return found, tuple(reader.refusals)


class _RowReader:
    """Reads rows and notes those that cannot be read."""

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []

    def is_on(self, table: str, row: Row) -> bool:
        """Whether a row applies. A rule that does not say so does: better withheld than leaked."""
        column = "is_excluded" if table == "field_exclusion_rules" else "is_active"
        value = row.get(column, True)
        if value is None:
            return column == "is_excluded"
        try:
            return _SWITCH.validate_python(value)
        except ValidationError:
            if column == "is_excluded":
                return True
            self._refuse(table, row, f"{column} is neither true nor false; set it to one of them")
            return False

    def on(self, table: str, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows that apply."""
        return (row for row in rows if self.is_on(table, row))

    def off(self, table: str, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows that do not apply."""
        return (row for row in rows if not self.is_on(table, row))

    def of_sources(
        self, kind: type[_Kind], table: str, rows: Iterable[Row], inactive: Collection[object]
    ) -> tuple[_Kind, ...]:
        """The rows that apply, but for those about a source that does not."""
        return self.read(kind, table, _without(inactive, self.on(table, rows)))

    def read(self, kind: type[_Kind], table: str, rows: Iterable[Row]) -> tuple[_Kind, ...]:
        """The rows that are of the right kind."""
        found: list[_Kind] = []
        for row in rows:
            try:
                found.append(kind.model_validate(dict(row)))
            except ValidationError as error:
                wrong = "; ".join(
                    f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
                )
                self._refuse(table, row, f"its values cannot be used: {wrong}")
        return tuple(found)

    def _refuse(self, table: str, row: Row, reason: str) -> None:
        number = row.get(_IDS[table])
        self.refusals.append(
            Refusal(
                control_table=table,
                row_id=number if isinstance(number, int) else 0,
                reason=reason,
            )
        )


def _source(row: Row) -> dict[Any, Any]:
    values = {name: value for name, value in row.items() if name != "db_password"}
    return values | {"db_schema": row.get("db_schema") or "public"} | _described(row)


def _label(row: Row) -> dict[Any, Any]:
    return {"source_id": None, **row} | _described(row)


def _described(row: Row) -> dict[Any, Any]:
    """Owner and tags as texts: what only describes a row never keeps it from being read."""
    return {name: None if row.get(name) is None else str(row[name]) for name in ("owner", "tags")}


def _exclusion(row: Row) -> Row:
    """A rule in force; what only explains it never keeps it from being read."""
    treatment, reason = row.get("treatment"), row.get("reason")
    return {
        **row,
        "treatment": "exclude"
        if treatment is None
        else str(treatment).strip().lower() or "exclude",
        "reason": None if reason is None else str(reason),
    }
