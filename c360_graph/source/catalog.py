"""Reads a source's catalog: tables, columns with their types, keys."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import RowMaker, namedtuple_row

from c360_graph.mapping.catalog import CatalogColumn, CatalogTable, ColumnType, SourceCatalog
from c360_graph.mapping.control_rows import SourceRow

_RELATIONS = """
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
# One row, as a thousand rows would take longer to fetch than most tables to read.
_NAMES = f"""
SELECT coalesce(array_agg(c.relname::text ORDER BY c.relname), '{{}}') AS tables,
    coalesce(array_agg(c.relname::text ORDER BY c.relname) FILTER (WHERE NOT c.relispartition), '{{}}') AS mappable
{_RELATIONS}
"""
_TABLES = f"""
SELECT c.oid::bigint AS oid, c.relname::text AS name, c.relkind::text AS kind, c.reltuples::bigint AS estimate,
    CASE WHEN c.reltuples < 1 THEN pg_catalog.pg_stat_get_live_tuples(c.oid) ELSE 0 END AS live
{_RELATIONS} AND c.relname = ANY(%(names)s::text[])
ORDER BY c.relname
"""
# A NOT NULL that is only declared: on a foreign table, at the top of one, or not validated yet.
_UNPROVEN = """
WITH RECURSIVE family AS (
    SELECT t.oid AS top, t.oid AS member FROM unnest(%(tables)s::oid[]) AS t(oid)
    UNION SELECT f.top, i.inhrelid FROM family f JOIN pg_catalog.pg_inherits i ON i.inhparent = f.member
), unproven AS (
    SELECT f.top AS table_oid, NULL::int2 AS attnum
    FROM family f JOIN pg_catalog.pg_class c ON c.oid = f.member AND c.relkind = 'f'
    UNION SELECT n.conrelid, unnest(n.conkey) FROM pg_catalog.pg_constraint n
    WHERE n.conrelid = ANY(%(tables)s::oid[]) AND n.contype = 'n' AND NOT n.convalidated
)
"""
_PROVEN = """a.attnotnull AND NOT EXISTS (SELECT FROM unproven u WHERE u.table_oid = a.attrelid
        AND (u.attnum IS NULL OR u.attnum = a.attnum))"""
_COLUMNS = f"""{_UNPROVEN}
SELECT a.attrelid::bigint AS table_oid, a.attnum::int AS number, a.attname::text AS name, a.atttypid::bigint AS type_oid,
    a.atttypmod AS modifier, a.attndims AS dimensions, {_PROVEN} AS not_null,
    a.attgenerated <> '' AS generated, pg_catalog.format_type(a.atttypid, a.atttypmod) AS shown,
    CASE WHEN NOT l.collisdeterministic THEN l.collname::text END AS nondeterministic
FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
WHERE a.attrelid = ANY(%(tables)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""
# Unique over all rows that are read, checked at once, over plain columns. The index of a table that
# others inherit from says nothing of their rows; a partitioned table's does.
_KEYS = f"""{_UNPROVEN}
SELECT i.indrelid::bigint AS table_oid, i.indisprimary AS is_primary, array_agg(a.attname::text ORDER BY k.ordinal) AS columns,
    bool_and({_PROVEN}) AS not_null
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, ordinal)
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = ANY(%(tables)s::oid[]) AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL AND k.ordinal <= i.indnkeyatts
    AND (x.relkind = 'I'
        OR NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = i.indrelid))
GROUP BY i.indrelid, i.indisprimary, i.indexrelid, x.relname
ORDER BY i.indrelid, x.relname
"""
_REFERRING = """
SELECT k.conrelid::bigint AS table_oid,
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, ordinal)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.ordinal) AS columns
FROM pg_catalog.pg_constraint k
WHERE k.conrelid = ANY(%(tables)s::oid[]) AND k.contype = 'f'
ORDER BY k.conrelid, k.conname
"""
# A type of the source's own may be called `date`: only pg_catalog's go by their bare name, and those of
# extensions, which a user may install in any schema.
_TYPES = """
SELECT t.oid::bigint AS oid,
    CASE WHEN n.nspname = 'pg_catalog' OR x.is_extension THEN '' ELSE n.nspname || '.' END || t.typname AS name,
    CASE WHEN x.is_extension THEN n.nspname::text END AS extension_schema, t.typtype::text AS kind, t.typbasetype::bigint AS base_oid,
    t.typtypmod AS modifier, t.typndims AS dimensions, t.typelem::bigint AS element_oid,
    EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid) AS is_array
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
CROSS JOIN LATERAL (
    SELECT n.nspname <> 'pg_catalog'
        AND EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_type'::regclass
            AND d.objid = t.oid AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e')
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_type b WHERE b.typname = t.typname
            AND b.typnamespace = 'pg_catalog'::regnamespace) AS is_extension
) x
WHERE t.oid = ANY(%s)
"""

_TIME_ZONE = "SELECT FROM pg_catalog.pg_timezone_names WHERE lower(name) = lower(%s) LIMIT 1"


class _Type(NamedTuple):
    oid: int
    name: str
    extension_schema: str | None
    kind: str
    base_oid: int
    modifier: int
    dimensions: int
    element_oid: int
    is_array: bool


@dataclass(frozen=True)
class _Types:
    """The types that columns name, and those these are made of."""

    by_oid: dict[int, _Type]

    def column_type(
        self,
        *,
        oid: int,
        modifier: int,
        dimensions: int,
        shown: str,
        nondeterministic: str | None = None,
    ) -> ColumnType:
        found = self.by_oid[oid]
        if found.kind == "d":
            return self.column_type(
                oid=found.base_oid,
                modifier=found.modifier,
                dimensions=max(dimensions, found.dimensions),
                shown=shown,
                nondeterministic=nondeterministic,
            )
        precision, scale = (
            _precision(modifier) if found.name in ("numeric", "_numeric") else (None, None)
        )
        element = None
        if found.is_array and found.element_oid:
            inner = self.by_oid[found.element_oid]
            element = self.column_type(
                oid=inner.oid, modifier=modifier, dimensions=0, shown=shown.removesuffix("[]")
            )
        return ColumnType(
            name=shown,
            base=found.name,
            kind=found.kind,
            precision=precision,
            scale=scale,
            element=element,
            dimensions=dimensions,
            nondeterministic=nondeterministic,
            extension_schema=found.extension_schema,
        )


def read_catalog(
    connection: psycopg.Connection[Any], source: SourceRow, table_names: frozenset[str]
) -> SourceCatalog:
    """The names of all tables of the source's schema, and the named ones in full."""
    with connection.cursor(row_factory=_named) as cursor:
        schema = {"schema": source.db_schema}
        (names,) = cursor.execute(_NAMES, schema).fetchall()
        # Only names that came from here: others may have letters that the source's encoding lacks.
        known = [name for name in names.tables if name in table_names]
        wanted = cursor.execute(_TABLES, schema | {"names": known}).fetchall()
        oids = [table.oid for table in wanted]
        columns = cursor.execute(_COLUMNS, {"tables": oids}).fetchall()
        keys = cursor.execute(_KEYS, {"tables": oids}).fetchall()
        referring = cursor.execute(_REFERRING, {"tables": oids}).fetchall()
        types = _read_types(cursor, {column.type_oid for column in columns})
        unknown_time_zone = _unknown_time_zone(cursor, source)
    keys_of: dict[int, list[Any]] = defaultdict(list)
    for key in keys:
        keys_of[key.table_oid].append(key)
    referring_of: dict[int, list[Any]] = defaultdict(list)
    for key in referring:
        referring_of[key.table_oid].append(key)
    columns_of: dict[int, list[CatalogColumn]] = defaultdict(list)
    for column in columns:
        columns_of[column.table_oid].append(
            CatalogColumn(
                name=column.name,
                type=types.column_type(
                    oid=column.type_oid,
                    modifier=column.modifier,
                    dimensions=column.dimensions,
                    shown=column.shown,
                    nondeterministic=column.nondeterministic,
                ),
                nullable=not column.not_null,
                generated=column.generated,
                attribute=(column.table_oid, column.number),
            )
        )
    return SourceCatalog(
        source_id=source.source_id,
        table_names=tuple(names.tables),
        mappable_names=tuple(names.mappable),
        tables=tuple(
            _table(
                source.db_schema,
                table,
                columns_of[table.oid],
                keys_of[table.oid],
                referring_of[table.oid],
            )
            for table in wanted
        ),
        unknown_time_zone=unknown_time_zone,
    )


def _unknown_time_zone(cursor: psycopg.Cursor[Any], source: SourceRow) -> str | None:
    """The row's `time_zone` where the server has none of that name.

    `AT TIME ZONE` would take almost any text: it reads `UTC+2` as a POSIX rule, west of Greenwich.
    """
    if not source.time_zone:
        return None
    known = cursor.execute(_TIME_ZONE, (source.time_zone,)).fetchall()
    return None if known else source.time_zone


def _table(
    schema_name: str,
    table: Any,
    columns: list[CatalogColumn],
    keys: list[Any],
    referring: list[Any],
) -> CatalogTable:
    return CatalogTable(
        schema_name=schema_name,
        table_name=table.name,
        kind=table.kind,
        columns=tuple(columns),
        primary_key=next((_names(key) for key in keys if key.is_primary and key.not_null), ()),
        unique_keys=tuple(_names(key) for key in keys if key.not_null and not key.is_primary),
        unique_columns=tuple(_names(key) for key in keys),
        referring_columns=tuple(map(_names, referring)),
        estimated_rows=table.estimate,
        live_rows=table.live,
    )


def _named(cursor: psycopg.Cursor[Any]) -> RowMaker[Any]:
    """Rows by name; the type checker cannot know which names a statement gives."""
    return namedtuple_row(cursor)


def _names(key: Any) -> tuple[str, ...]:
    return tuple(key.columns)


def _read_types(cursor: psycopg.Cursor[Any], oids: set[int]) -> _Types:
    found: dict[int, _Type] = {}
    while missing := oids - found.keys():
        rows = cursor.execute(_TYPES, (list(missing),)).fetchall()
        found |= {row.oid: _Type(*row) for row in rows}
        oids |= {oid for t in found.values() for oid in (t.base_oid, t.element_oid) if oid}
    return _Types(found)


def _precision(modifier: int) -> tuple[int | None, int | None]:
    """Precision and scale of numeric's modifier: 16 bits each, the scale an 11-bit signed number."""
    if modifier < 4:
        return None, None
    scale = (modifier - 4) & 0x7FF
    return ((modifier - 4) >> 16) & 0xFFFF, scale - 0x800 if scale & 0x400 else scale
