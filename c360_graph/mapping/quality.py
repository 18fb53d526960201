"""Which `quality_rules` can be checked on the mapped tables, and why the others cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from c360_graph.errors import MappingError
from c360_graph.mapping.control_rows import ControlRows, QualityRow, Refusal
from c360_graph.mapping.model import TableMapping
from c360_graph.mapping.names import did_you_mean
from c360_graph.mapping.quality_rule import (
    Kind,
    QualityRule,
    Severity,
    parse_accepted,
    parse_bounds,
)

_TABLE = "quality_rules"


def resolve_quality(
    rows: ControlRows, tables: tuple[TableMapping, ...]
) -> tuple[tuple[QualityRule, ...], tuple[Refusal, ...]]:
    """The rules that can be checked, and a refusal for each other row.

    A rule about a table of a source that could not be asked is neither.
    """
    rules: list[QualityRule] = []
    refusals: list[Refusal] = []
    for row in rows.quality:
        try:
            rules += _rules_of(row, rows, tables)
        except MappingError as error:
            refusals.append(Refusal(control_table=_TABLE, row_id=row.rule_id, reason=str(error)))
    return tuple(rules), tuple(refusals)


def _rules_of(
    row: QualityRow, rows: ControlRows, tables: tuple[TableMapping, ...]
) -> Iterator[QualityRule]:
    if row.kind not in get_args(Kind):
        known = ", ".join(get_args(Kind))
        raise MappingError(
            f"kind {row.kind!r} is none of {known}{did_you_mean(row.kind, get_args(Kind))}"
        )
    severity = row.severity or "error"
    if severity not in get_args(Severity):
        raise MappingError(f"severity {severity!r} is neither error nor warn")
    rule = QualityRule.model_validate(
        {
            "row_id": row.rule_id,
            "kind": row.kind,
            "severity": severity,
            "is_blocking": bool(row.is_blocking),
            "description": row.description or "",
            **_argument(row),
        }
    )
    if rule.kind == "no_rows":
        if row.table_name or row.column_name:
            raise MappingError("no_rows asks the graph; leave table_name and column_name empty")
        yield rule
        return
    for table in _tables_of(row, rows, tables):
        # A table of a source that could not be asked has no columns yet.
        if table.properties:
            columns = tuple(_columns(row, table))
            yield rule.model_copy(update={"table": table.asset_key, "columns": columns})


def _argument(row: QualityRow) -> dict[str, object]:
    match row.kind:
        case "row_count":
            least, most = parse_bounds(row.argument)
            return {"least": least, "most": most}
        case "accepted_values":
            return {"accepted": parse_accepted(row.argument)}
        case "no_rows":
            if not (row.argument or "").strip():
                raise MappingError("no_rows needs a Cypher query in argument")
            return {"query": (row.argument or "").strip().rstrip(";")}
    return {}


def _tables_of(
    row: QualityRow, rows: ControlRows, tables: tuple[TableMapping, ...]
) -> list[TableMapping]:
    if not row.table_name:
        raise MappingError(f"{row.kind} needs a table_name")
    of_source = [t for t in tables if row.source_id in (None, t.source.source_id)]
    found = [t for t in of_source if t.table_name == row.table_name]
    if found or (row.source_id is not None and rows.source(row.source_id) is None):
        return found
    known = sorted({table.table_name for table in of_source})
    raise MappingError(
        f"no mapped table is called {row.table_name!r}{did_you_mean(row.table_name, known)}"
    )


def _columns(row: QualityRow, table: TableMapping) -> Iterator[str]:
    if row.kind == "row_count":
        if row.column_name:
            raise MappingError("row_count counts rows; leave column_name empty")
        return
    names = [name.strip() for name in (row.column_name or "").split(",")]
    if not all(names) or (len(names) > 1 and row.kind != "unique"):
        raise MappingError(f"{row.kind} needs a column_name")
    read = {prop.origin: prop.column for prop in table.columns_read}
    excluded = {column.column: column.rule_id for column in table.excluded}
    for name in names:
        if name in excluded:
            raise MappingError(
                f"{table.qualified_name}.{name} is excluded by field_exclusion_rules row {excluded[name]}, so it is"
                " not read"
            )
        if name not in read:
            raise MappingError(
                f"{table.qualified_name} has no column {name!r}{did_you_mean(name, read)}"
            )
        yield read[name]
