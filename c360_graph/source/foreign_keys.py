"""Reads a whole schema: every table that can be mapped, and how they refer to each other."""

from __future__ import annotations

from c360_graph.proposal.model import ForeignKey, SourceSchema
from c360_graph.source.snapshot import SourceSnapshot
from c360_graph.sql_quoting import sql_literal

# A key that a partition has from its parent, and one that stands for a part of a partitioned table
# it refers to, have a parent of their own.
_FOREIGN_KEYS = """
SELECT k.conname::text, c.relname::text,
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, ordinal)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.ordinal),
    tn.nspname::text, t.relname::text,
    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(attnum, ordinal)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.ordinal)
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = k.confrelid
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname = {schema}
ORDER BY c.relname, k.conkey, k.conname
"""
_APART = """
SELECT c.relname::text,
    NOT c.relispartition AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid),
    pg_catalog.has_table_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = {schema} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname
"""


# One server process has one moment at which it started, whichever name or address leads to it.
_DATABASE = """
SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text || ' ' || d.oid
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
"""


def read_source_schema(snapshot: SourceSnapshot, mapped: frozenset[str]) -> SourceSchema:
    """The schema's tables in full; of partitions only those that control rows name (`mapped`).

    Raises:
        SourceError: the source refuses.
    """
    names = snapshot.catalog(frozenset())
    catalog = snapshot.catalog(frozenset(names.mappable_names) | mapped)
    schema = sql_literal(snapshot.source.db_schema)
    apart = snapshot.fetch(_APART.format(schema=schema))
    return SourceSchema(
        source=snapshot.source,
        catalog=catalog,
        foreign_keys=tuple(
            ForeignKey(
                name=name,
                table_name=table,
                columns=tuple(columns),
                to_schema=to_schema,
                to_table=to_table,
                to_columns=tuple(to_columns),
            )
            for name, table, columns, to_schema, to_table, to_columns in snapshot.fetch(
                _FOREIGN_KEYS.format(schema=schema)
            )
        ),
        inheriting=tuple(name for name, inherits, _ in apart if inherits),
        unreadable=tuple(name for name, _, readable in apart if not readable),
        database=snapshot.fetch(_DATABASE)[0][0],
    )
