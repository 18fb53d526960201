"""Whose a table is and what it is tagged with: `owner` and `tags` of its source's row and its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from c360_graph.mapping.control_rows import ControlRows, Frozen, NodeLabelRow, Refusal, SourceRow
from c360_graph.mapping.model import TableMapping

# What Dagster takes as an owner or a tag: anything else would fail the load of all definitions.
_OWNER = re.compile(
    r"team:\S.*|[A-Za-z0-9_][A-Za-z0-9._%+-]*@[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z]{2,7}"
)
_TAG = re.compile(
    r"(?!dagster/)((?:[A-Za-z0-9_.-]{1,63}/)?[A-Za-z0-9_.-]{1,63})(?:=([A-Za-z0-9_.-]{0,63}))?"
)


class Ownership(Frozen):
    """Owners in the order they are named; tags as (key, value), a tag without value has ''."""

    owners: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


def ownership_of(table: TableMapping, rows: ControlRows) -> Ownership:
    """The owners of the table's own row, else of its source's; the tags of both, its own winning."""
    source = rows.source(table.source.source_id)
    label = rows.label_row(table.mapping_id)
    return Ownership(
        owners=_owners(label) or _owners(source),
        tags=tuple(sorted((_tags(source) | _tags(label)).items())),
    )


def refused_ownership(rows: ControlRows) -> tuple[Refusal, ...]:
    """Owners and tags that Dagster does not accept; the row itself is used without them."""
    described: list[tuple[str, int, SourceRow | NodeLabelRow]] = [
        *(("source_databases", row.source_id, row) for row in rows.sources),
        *(("node_label_mappings", row.mapping_id, row) for row in rows.labels),
    ]
    return tuple(
        Refusal(control_table=control_table, row_id=row_id, reason=reason)
        for control_table, row_id, row in described
        for reason in _reasons(row)
    )


def _reasons(row: SourceRow | NodeLabelRow) -> Iterator[str]:
    for part in _parts(row.owner):
        if not _OWNER.fullmatch(part):
            yield f"owner {part!r} is neither an email address nor team:NAME; it is not shown"
    for part in _parts(row.tags):
        if not _TAG.fullmatch(part):
            yield (
                f"tag {part!r} is not key or key=value of letters, digits, _ . and -, 63 at most"
                " each; it is not shown"
            )


def _owners(row: SourceRow | NodeLabelRow | None) -> tuple[str, ...]:
    named = _parts(row.owner if row else None)
    return tuple(dict.fromkeys(part for part in named if _OWNER.fullmatch(part)))


def _tags(row: SourceRow | NodeLabelRow | None) -> dict[str, str]:
    found = (_TAG.fullmatch(part) for part in _parts(row.tags if row else None))
    return {match[1]: match[2] or "" for match in found if match}


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
