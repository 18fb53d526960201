"""Code versions: they change when, and only when, what an asset makes of its sources changes."""

from collections.abc import Iterable
from hashlib import sha256

from c360_graph.mapping.model import GraphMapping, TableMapping


def table_version(table: TableMapping) -> str:
    """Of one table's mapping."""
    return _short([table.described])


def graph_version(mapping: GraphMapping) -> str:
    """Of all tables and relationships."""
    return _short(
        [
            *(table.described for table in mapping.tables),
            *(r.model_dump_json(exclude={"description"}) for r in mapping.relationships),
        ]
    )


def _short(texts: Iterable[str]) -> str:
    return sha256("\n".join(texts).encode()).hexdigest()[:12]
