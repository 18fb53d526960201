"""What a DBA runs once so that a source can be followed by a role with few rights, and what is missing yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from c360_graph.following.publication import FollowedTable, publication_sql
from c360_graph.sql_quoting import quoted, quoted_table

NOTES = """\
-- Managed servers set wal_level by a parameter of their own, and need a restart:
--   Amazon RDS, Aurora:  rds.logical_replication = 1; GRANT rds_replication TO the role
--   Google Cloud SQL:    cloudsql.logical_decoding = on; ALTER USER ... WITH REPLICATION
--   Azure Database:      wal_level = LOGICAL in its server parameters; ALTER ROLE ... REPLICATION
--   Aiven:               wal_level is logical; ALTER ROLE ... REPLICATION as avnadmin
--   Neon:                enable logical replication in the project's settings
-- After a failover a slot is there only if the standby has it (PostgreSQL 17: slots with failover = true
-- and sync_replication_slots). Where it is not, `c360 follow` notices, and reads every table once.
"""

_ROLE = """
SELECT current_user::text, rolsuper OR rolreplication OR EXISTS (
    SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
    WHERE m.member = r.oid AND g.rolname IN ('rds_replication', 'rds_superuser'))
FROM pg_catalog.pg_roles r WHERE rolname = current_user
"""
_SLOTS = """
SELECT current_setting('max_replication_slots')::int
    - (SELECT count(*) FROM pg_catalog.pg_replication_slots WHERE slot_name <> %s),
    current_setting('max_wal_senders')::int
    - (SELECT count(*) FROM pg_catalog.pg_stat_replication WHERE application_name <> 'c360_graph follow')
"""
_SETTINGS = (
    "SELECT current_setting('wal_level'), current_setting('max_slot_wal_keep_size'),"
    " EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = %s)"
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that was looked at; `advice` says what to do where it is not as it should be."""

    what: str
    is_good: bool
    advice: str = ""


def setup_sql(
    name: str, tables: tuple[FollowedTable, ...], *, role: str, version: int
) -> Iterator[str]:
    """Statements for one source, in order; `name` is that of the publication."""
    yield "ALTER SYSTEM SET wal_level = 'logical';  -- takes effect with a restart"
    yield "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';  -- what a slot that nobody reads may keep"
    yield "SELECT pg_reload_conf();"
    yield f"ALTER ROLE {quoted(role)} REPLICATION;"
    for schema in dict.fromkeys(one.table.source.db_schema for one in tables):
        yield f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {quoted(role)};"
    for one in tables:
        table = one.table
        columns = ", ".join(quoted(prop.origin) for prop in table.columns_read)
        relation = quoted_table(table.source.db_schema, table.table_name)
        yield f"GRANT SELECT ({columns}) ON {relation} TO {quoted(role)};"
    yield f"{publication_sql(name, tables, version=version)};"


def check_source(
    connection: psycopg.Connection[Any], name: str, tables: tuple[FollowedTable, ...]
) -> Iterator[Finding]:
    """What following this source needs. Nothing is changed."""
    settings = connection.execute(_SETTINGS, (name,)).fetchone()
    role = connection.execute(_ROLE).fetchone()
    free = connection.execute(_SLOTS, (name,)).fetchone()
    assert settings is not None
    assert role is not None
    assert free is not None
    yield Finding(
        what=f"wal_level is {settings[0]}",
        is_good=settings[0] == "logical",
        advice="Set wal_level = logical and restart the server.",
    )
    yield Finding(
        what=f"role {role[0]} may {'' if role[1] else 'not '}read the replication stream",
        is_good=bool(role[1]),
        advice=f"ALTER ROLE {quoted(role[0])} REPLICATION",
    )
    yield Finding(
        what=f"{free[0]} replication slots and {free[1]} WAL senders are free",
        is_good=free[0] > 0 and free[1] > 0,
        advice="Raise max_replication_slots and max_wal_senders.",
    )
    yield Finding(
        what=f"max_slot_wal_keep_size is {settings[1]}",
        is_good=settings[1] != "-1",
        advice="Without it a slot that nobody reads fills the disk: set it, for instance to 10GB.",
    )
    yield _publication(connection, name, tables, there=bool(settings[2]))


def _publication(
    connection: psycopg.Connection[Any],
    name: str,
    tables: tuple[FollowedTable, ...],
    *,
    there: bool,
) -> Finding:
    """Tried in a transaction that is rolled back."""
    if there:
        return Finding(what=f"publication {name} is there", is_good=True)
    if not tables:
        return Finding(what="no table can be followed", is_good=False, advice="See below.")
    statement = publication_sql(name, tables, version=connection.info.server_version)
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement.encode())
    except psycopg.Error as error:
        return Finding(
            what=f"publication {name} is not there, and cannot be made"
            f" ({str(error).splitlines()[0]})",
            is_good=False,
            advice="Run what `c360 follow --sql` prints.",
        )
    return Finding(what=f"publication {name} can be made", is_good=True)
