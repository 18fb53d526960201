"""The replication slot of a source: the position in its log up to which everything was applied."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import psycopg

from c360_graph.control.connection import first_line
from c360_graph.errors import ReplicationError, SourceError, SourceUnavailableError
from c360_graph.faults import is_passing
from c360_graph.following.stream import lsn_number

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
