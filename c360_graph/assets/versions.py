"""Code versions: they change when, and only when, what an asset makes of its sources changes."""

from collections.abc import Iterable
from hashlib import sha256

from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.model import GraphMapping, TableMapping

_TABLE_FIELDS = {
    "source": {"source_name", "db_name", "db_schema", "time_zone"},
    "table_name": True,
    "node_label": True,
    "properties": True,
    "excluded": {"__all__": {"column"}},
    "key": True,
    "label_is_shared": True,
}
"""Without what only says where a server is, who owns it, or why a rule is there."""


def table_version(table: TableMapping) -> str:
    """Of one table's mapping."""
    return _short([_text(table, _TABLE_FIELDS)])


def graph_version(mapping: GraphMapping) -> str:
    """Of all tables and relationships."""
    return _short(
        [
            *(_text(table, _TABLE_FIELDS) for table in mapping.tables),
            *(r.model_dump_json(exclude={"description"}) for r in mapping.relationships),
        ]
    )


def _text(value: Frozen, fields: dict[str, object]) -> str:
    return value.model_dump_json(include=fields)  # type: ignore[arg-type]


def _short(texts: Iterable[str]) -> str:
    return sha256("\n".join(texts).encode()).hexdigest()[:12]
