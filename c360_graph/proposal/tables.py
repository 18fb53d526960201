"""Which tables of a source are worth mapping, and what to say of the others."""

from __future__ import annotations

from collections.abc import Iterator

from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.model import is_kept_name
from c360_graph.proposal.model import SourceSchema
from c360_graph.proposal.standing import Standing
from c360_graph.text import plural

_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}
_BOOKKEEPING = frozenset(
    [
        "alembic_version",
        "ar_internal_metadata",
        "databasechangelog",
        "databasechangeloglock",
        "django_content_type",
        "django_migrations",
        "flyway_schema_history",
        "goose_db_version",
        "knex_migrations",
        "knex_migrations_lock",
        "schema_migrations",
        "spatial_ref_sys",
    ]
)
"""Tables that tools keep for themselves."""


def tables_to_read(
    schema: SourceSchema, standing: Standing
) -> tuple[tuple[CatalogTable, ...], tuple[str, ...]]:
    """Tables that are mapped or worth it, and a remark on each that is left out."""
    wanted: list[CatalogTable] = []
    remarks: list[str] = []
    mappable = frozenset(schema.catalog.mappable_names)
    for table in schema.catalog.tables:
        if table.table_name not in mappable:
            continue
        reason = _reason_against(table, schema, standing)
        if reason is None:
            wanted.append(table)
        else:
            remarks.append(f"{schema.source.source_name}/{table.table_name} {reason}")
    return tuple(wanted), (*remarks, *_partitions(schema), *_keyless(schema, wanted, standing))


def _reason_against(table: CatalogTable, schema: SourceSchema, standing: Standing) -> str | None:
    name = table.table_name
    if (schema.source.source_name, name) in standing.labels:
        return None
    if standing.is_inactive(schema, name):
        return "is not proposed: its row in node_label_mappings is switched off or refused."
    if table.kind in _KINDS:
        return (
            f"is {_KINDS[table.kind]} and is not proposed; map it by hand where it is to be nodes."
        )
    if name in schema.unreadable:
        return "is not proposed: the role may not SELECT all of it."
    if name in schema.inheriting:
        return "is not proposed: it inherits from a table whose rows include its own."
    if name.lower() in _BOOKKEEPING:
        return "is not proposed: it is a tool's own bookkeeping."
    if not table.columns:
        return "is not proposed: it has no columns."
    kept = next(filter(is_kept_name, (column.name for column in table.columns)), None)
    if kept:
        return f"is not proposed: its column {kept} has a name that is kept."
    return None


def _partitions(schema: SourceSchema) -> Iterator[str]:
    count = len(schema.catalog.table_names) - len(schema.catalog.mappable_names)
    if count:
        yield (
            f"{schema.source.source_name} has {plural(count, 'partition')}: the tables they are"
            " partitions of have their rows."
        )


def _keyless(schema: SourceSchema, wanted: list[CatalogTable], standing: Standing) -> Iterator[str]:
    for table in wanted:
        if (schema.source.source_name, table.table_name) in standing.labels:
            continue
        if not table.primary_key and not table.unique_keys:
            yield (
                f"{schema.source.source_name}/{table.table_name} has no key: its nodes get no"
                " constraint, and a load that keeps the graph replaces them all when a row changed."
            )
