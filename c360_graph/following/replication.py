"""What a source has so that it can be followed: the publication that names its tables, and the replication slot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import psycopg

from c360_graph.control.connection import first_line
from c360_graph.errors import ReplicationError, SourceError, SourceUnavailableError
from c360_graph.faults import is_passing
from c360_graph.following.relationships import why_links_are_left
from c360_graph.following.stream import lsn_number
from c360_graph.mapping.model import GraphMapping, TableMapping
from c360_graph.sql_quoting import quoted, quoted_table

COLUMN_LISTS_SINCE = 150_000
"""Servers of this version number publish single columns; older ones send whole rows."""

_DESCRIBE = """
SELECT c.relname::text AS name, c.oid::bigint AS oid, c.relkind::text AS kind,
    c.relpersistence::text AS persistence, c.relreplident::text AS identity,
    coalesce(ARRAY(
        SELECT a.attname::text FROM pg_catalog.pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, ordinal)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
        WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND k.ordinal <= i.indnkeyatts
            AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
        ORDER BY k.ordinal), '{}') AS identity_columns,
    ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns,
    ARRAY(SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname)
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS types,
    ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> '') AS generated,
    EXISTS (SELECT FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class k ON k.oid = h.inhrelid
        WHERE h.inhparent = c.oid AND NOT k.relispartition) AS has_heirs,
    EXISTS (SELECT FROM pg_catalog.pg_partition_tree(CASE WHEN c.relkind = 'p' THEN c.oid END) AS tree
        JOIN pg_catalog.pg_class k ON k.oid = tree.relid
        WHERE tree.isleaf AND (k.relkind = 'f' OR k.relpersistence <> 'p')) AS has_silent_partitions
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = ANY(%s)
"""
_PUBLISHED = """
SELECT n.nspname::text AS schema, c.relname::text AS name,
    {columns} AS columns
FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE p.pubname = %s
"""
_LISTED = """(SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum = ANY(r.prattrs::smallint[]))"""
_FLAGS = """
SELECT puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate AS is_full, pubviaroot
FROM pg_catalog.pg_publication WHERE pubname = %s
"""
_OPTIONS = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"

_KINDS = {
    "v": "it is a view",
    "m": "it is a materialized view",
    "f": "it is a foreign table",
}

_FIND = """
SELECT active, active_pid, wal_status, confirmed_flush_lsn::text, database = current_database() AS is_here,
    plugin, safe_wal_size
FROM pg_catalog.pg_replication_slots WHERE slot_name = %s
"""
_IDENTITY = """
SELECT (SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = current_database()),
    current_setting('wal_level'), current_setting('max_slot_wal_keep_size'),
    CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_current_wal_lsn()::text END
"""
_TIMELINE = "SELECT substr(pg_catalog.pg_walfile_name(%s::pg_lsn), 1, 8)"
_BEHIND = """
SELECT pg_catalog.pg_wal_lsn_diff(
    CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
    ELSE pg_catalog.pg_current_wal_lsn() END, confirmed_flush_lsn)::bigint
FROM pg_catalog.pg_replication_slots WHERE slot_name = %s
"""


@dataclass(frozen=True, kw_only=True)
class FollowedTable:
    """A mapped table whose changes are published. `key_types` are SQL names, in the order of the key."""

    table: TableMapping
    oid: int
    key_types: tuple[str, ...]
    sends_whole_rows: bool = False
    """Whether its replica identity is FULL, so that no column list is possible."""


@dataclass(frozen=True, kw_only=True)
class UnfollowedTable:
    """A mapped table that only a load brings up to date, and why."""

    qualified_name: str
    why: str

    def __str__(self) -> str:
        return f"{self.qualified_name}: {self.why}"


def followable(
    connection: psycopg.Connection[Any],
    tables: Iterable[TableMapping],
    mapping: GraphMapping,
) -> tuple[tuple[FollowedTable, ...], tuple[UnfollowedTable, ...]]:
    """The tables of one source that can be followed, and those that cannot, with the reason."""
    chosen = tuple(tables)
    if not chosen:
        return (), ()
    schema = chosen[0].source.db_schema
    names = [table.table_name for table in chosen]
    with connection.cursor(row_factory=psycopg.rows.namedtuple_row) as cursor:
        rows: list[Any] = cursor.execute(_DESCRIBE, (schema, names)).fetchall()
    found = {row.name: row for row in rows}
    followed: list[FollowedTable] = []
    unfollowed: list[UnfollowedTable] = []
    for table in chosen:
        row: Any = found.get(table.table_name)
        why = why_not(table, row) or why_links_are_left(mapping, table)
        if why:
            unfollowed.append(UnfollowedTable(qualified_name=table.qualified_name, why=why))
            continue
        types = dict(zip(row.columns, row.types, strict=True))
        followed.append(
            FollowedTable(
                table=table,
                oid=row.oid,
                key_types=tuple(types[column] for column in table.key_columns),
                sends_whole_rows=row.identity == "f",
            )
        )
    return tuple(followed), tuple(unfollowed)


def why_not(table: TableMapping, row: Any) -> str | None:
    """Why a table's changes cannot be followed; `row` is what its catalog says, None where it has none."""
    if row is None:
        return "the source has no such table"
    if row.kind in _KINDS:
        return f"{_KINDS[row.kind]}, of which PostgreSQL publishes no changes"
    if row.persistence != "p":
        return "it is unlogged or temporary, so that its changes are not in the source's log"
    if row.has_heirs:
        return (
            "other tables inherit from it (INHERITS): PostgreSQL would publish them, too, and their own"
            " UPDATE and DELETE fail where they have no primary key"
        )
    if row.has_silent_partitions:
        return "a partition of it is a foreign or an unlogged table, whose changes are not in the source's log"
    if not table.key:
        return "it has no key that is read, so that a changed row cannot be told from others"
    if row.identity == "f":
        return None
    if row.identity == "n" or not row.identity_columns:
        return (
            "it has no replica identity, so that publishing it would make the application's own"
            " UPDATE and DELETE fail; add a primary key"
        )
    if {*table.key_columns} != {*row.identity_columns}:
        return (
            f"its replica identity is ({', '.join(row.identity_columns)}) and its nodes are identified"
            f" by ({', '.join(table.key_columns)}); ALTER TABLE ... REPLICA IDENTITY USING INDEX names another"
        )
    if {*table.key_columns} & {*row.generated}:
        return "a column of its key is generated, and is not in the stream"
    return None


def publication_sql(name: str, tables: Iterable[FollowedTable], *, version: int) -> str:
    """The statement that makes the publication: tables by name, and of each the key alone.

    FOR ALL TABLES would make updates of a table without a key fail in the application.
    """
    return (
        f"CREATE PUBLICATION {quoted(name)} FOR TABLE {_listed(tables, version)} WITH ({_OPTIONS})"
    )


def _listed(tables: Iterable[FollowedTable], version: int) -> str:
    listed = []
    for followed in tables:
        table = followed.table
        text = quoted_table(table.source.db_schema, table.table_name)
        if version >= COLUMN_LISTS_SINCE and not followed.sends_whole_rows:
            text += f" ({', '.join(map(quoted, table.key_columns))})"
        listed.append(text)
    return ", ".join(listed)


def publish(
    connection: psycopg.Connection[Any],
    name: str,
    tables: tuple[FollowedTable, ...],
    *,
    source: str,
) -> bool:
    """Make sure that the publication names these tables; whether anything had to be changed.

    Raises:
        ReplicationError: the role may not, and what a DBA does about it.
    """
    version = connection.info.server_version
    if _is_published(connection, name, tables, version):
        return False
    flags = connection.execute(_FLAGS, (name,)).fetchone()
    statements = [publication_sql(name, tables, version=version)]
    if flags is not None:
        statements = [
            f"ALTER PUBLICATION {quoted(name)} SET TABLE {_listed(tables, version)}",
            f"ALTER PUBLICATION {quoted(name)} SET ({_OPTIONS})",
        ]
        if flags[0]:
            statements = [
                f"DROP PUBLICATION {quoted(name)}",
                publication_sql(name, tables, version=version),
            ]
    try:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege as error:
        raise ReplicationError(
            f"source {source}: the role may not make the publication {name}"
            f" ({str(error).splitlines()[0]}). `c360 follow --sql` prints what a DBA runs once."
        ) from None
    return True


def _is_published(
    connection: psycopg.Connection[Any], name: str, tables: tuple[FollowedTable, ...], version: int
) -> bool:
    """Whether the publication has all of these with their keys; that it has more does no harm."""
    flags = connection.execute(_FLAGS, (name,)).fetchone()
    if flags is None or flags[0] or not flags[1] or not flags[2]:
        return False
    columns = _LISTED if version >= COLUMN_LISTS_SINCE else "NULL::text[]"
    rows = connection.execute(_PUBLISHED.format(columns=columns).encode(), (name,)).fetchall()
    published = {(schema, table): listed for schema, table, listed in rows}
    for followed in tables:
        table = followed.table
        relation = (table.source.db_schema, table.table_name)
        if relation not in published:
            return False
        listed = published[relation]
        wants_list = version >= COLUMN_LISTS_SINCE and not followed.sends_whole_rows
        if wants_list and (listed is None or {*listed} != {*table.key_columns}):
            return False
        if not wants_list and listed is not None:
            return False
    return True


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A slot as its server shows it. `confirmed` is 0 where nothing was confirmed."""

    name: str
    is_active: bool
    active_pid: int | None
    wal_status: str
    confirmed: int
    safe_wal_bytes: int | None

    @property
    def is_lost(self) -> bool:
        """Whether the server has removed what the slot would send next."""
        return self.wal_status == "lost"


@dataclass(frozen=True, kw_only=True)
class SourceServer:
    """What of a source's server matters to following."""

    database_oid: int
    wal_level: str
    keeps_bounded: bool
    """Whether a slot that nobody reads can fill its disk no further than a setting allows."""
    log_end: int | None = None
    """The position that is written next; None on a standby."""
    timeline: int | None = None
    """Of its log: another after a failover, and after a backup was restored to some moment."""


def slot_name(*, target: str, owner: str, database_oid: int) -> str:
    """The name of a slot and a publication: one for each target, control database and source.

    >>> slot_name(target="a", owner="b", database_oid=5)
    'c360_follow_59b271ae1b_5'
    """
    digest = sha256(f"{target}\0{owner}".encode()).hexdigest()[:10]
    return f"c360_follow_{digest}_{database_oid}"


def ask_server(connection: psycopg.Connection[Any], *, source: str) -> SourceServer:
    """What of the server matters.

    Raises:
        ReplicationError: it writes no log that changes could be read from.
    """
    row = connection.execute(_IDENTITY).fetchone()
    assert row is not None
    server = SourceServer(
        database_oid=row[0],
        wal_level=row[1],
        keeps_bounded=row[2] != "-1",
        log_end=lsn_number(row[3]) if row[3] else None,
        timeline=_timeline(connection, row[3]) if row[3] else None,
    )
    if server.wal_level != "logical":
        raise ReplicationError(
            f"source {source} has wal_level = {server.wal_level}, and following it needs logical. Set"
            " it in postgresql.conf (on a managed server by its own parameter) and restart the server."
        )
    return server


def _timeline(connection: psycopg.Connection[Any], lsn: str) -> int | None:
    """None on a server that has no files of its log, as some managed ones."""
    try:
        row = connection.execute(_TIMELINE, (lsn,)).fetchone()
    except psycopg.Error as error:
        if is_passing(error):
            raise
        return None
    return int(row[0], 16) if row else None


def find_slot(connection: psycopg.Connection[Any], name: str) -> Slot | None:
    """The slot of that name, None where the server has none.

    Raises:
        ReplicationError: it is of another database or plugin.
    """
    row = connection.execute(_FIND, (name,)).fetchone()
    if row is None:
        return None
    active, pid, wal_status, confirmed, is_here, plugin, safe = row
    if not is_here or plugin != "pgoutput":
        raise ReplicationError(
            f"The replication slot {name} is of another database or plugin. Drop it, if nobody needs it."
        )
    return Slot(
        name=name,
        is_active=active,
        active_pid=pid,
        wal_status=wal_status or "",
        confirmed=lsn_number(confirmed) if confirmed else 0,
        safe_wal_bytes=safe,
    )


def create_slot(connection: psycopg.Connection[Any], name: str, *, source: str) -> int:
    """Make a slot; returns the position that it begins at. Waits for transactions that are under way.

    Raises:
        SourceUnavailableError: the connection was lost, or the server is full or shuts down.
        ReplicationError: the server refuses.
    """
    try:
        row = connection.execute(
            "SELECT lsn::text FROM pg_catalog.pg_create_logical_replication_slot(%s, 'pgoutput')",
            (name,),
        ).fetchone()
    except psycopg.Error as error:
        raise _kind(error)(
            f"source {source}: the replication slot {name} cannot be made:"
            f" {first_line(error)}. The role needs REPLICATION, and the server a free slot"
            " (max_replication_slots). `c360 follow --sql` prints what a DBA runs once."
        ) from None
    assert row is not None
    return lsn_number(row[0])


def drop_slot(connection: psycopg.Connection[Any], name: str) -> None:
    """Remove a slot that nobody reads.

    Raises:
        SourceUnavailableError: somebody reads it, such as a connection of ours that its server has not
            given up yet, or the connection was lost.
        ReplicationError: the server refuses.
    """
    try:
        connection.execute(
            "SELECT pg_catalog.pg_drop_replication_slot(slot_name)"
            " FROM pg_catalog.pg_replication_slots WHERE slot_name = %s",
            (name,),
        )
    except psycopg.Error as error:
        raise _kind(error)(
            f"The replication slot {name} cannot be dropped: {first_line(error)}."
        ) from None


def _kind(error: psycopg.Error) -> type[SourceError]:
    """Whether another try may succeed."""
    is_in_use = isinstance(error, psycopg.errors.ObjectInUse)
    return SourceUnavailableError if is_in_use or is_passing(error) else ReplicationError


def bytes_behind(connection: psycopg.Connection[Any], name: str) -> int | None:
    """How much of the log was written since the slot's confirmed position."""
    row = connection.execute(_BEHIND, (name,)).fetchone()
    return None if row is None or row[0] is None else int(row[0])
