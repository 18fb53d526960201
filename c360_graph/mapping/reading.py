"""From the control tables' rows as a database returns them to values, each row judged alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from c360_graph.mapping.control_rows import (
    ControlRows,
    ExclusionRow,
    Frozen,
    NodeLabelRow,
    Refusal,
    RelationshipRow,
    SourceRow,
)

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
) -> ControlRows:
    """The active rows; one whose values are of the wrong kind is refused, never an error of all.

    Passwords are left behind.
    """
    reader = _Reader()
    all_sources = list(sources)
    all_labels = list(labels)
    resting = [row for row in all_sources if not reader.is_on("source_databases", row)]
    running = [row for row in all_sources if row not in resting]
    resting_ids = {row.get("source_id") for row in resting}
    all_exclusions = list(exclusions)
    labels_on = reader.on("node_label_mappings", all_labels)
    active = [row for row in labels_on if row.get("source_id") not in resting_ids]
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
        allowed=_Reader().read(
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
        inactive_labels=tuple(sorted(unmapped)),
        inactive_sources=tuple(sorted(str(row.get("source_name")) for row in resting)),
        unreadable=tuple(reader.refusals),
    )


_IDS = {
    "source_databases": "source_id",
    "field_exclusion_rules": "rule_id",
    "node_label_mappings": "mapping_id",
    "relationship_mappings": "relationship_id",
}


class _Reader:
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
