"""What is known of each source's following from outside: what it needs, what is missing yet, and how far it is. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from c360_graph.control.audit import FollowSession
from c360_graph.control.connection import ControlDatabase, control_credentials, first_line
from c360_graph.control.locks import control_owner
from c360_graph.following.mark import HEARTBEAT_SECONDS, FollowMark, read_graph_mark
from c360_graph.following.replication import (
    FollowedTable,
    Slot,
    UnfollowedTable,
    bytes_behind,
    find_slot,
    followable,
    publication_sql,
    slot_name,
)
from c360_graph.graph.connection import Graph
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.model import GraphMapping
from c360_graph.pipeline.read_mapping import find_mapping_state
from c360_graph.settings import Settings
from c360_graph.source.snapshot import connect_source
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


_DATABASE = (
    "SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
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


def why_behind(
    session: FollowSession | None,
    mark: FollowMark | None,
    *,
    now: datetime,
    most_lag_seconds: float,
) -> str | None:
    """Why the graph is not as new as it should be; None where it is, or is not meant to be followed.

    Args:
        session: the newest follower, None where there never was one.
        mark: what the graph says of its follower, None where the last load came after it.
        now: the time.
        most_lag_seconds: how far the graph may be behind its sources.
    """
    if mark is None or session is None:
        return None
    if not session.is_at_work:
        return _stopped(session)
    if mark.held:
        return (
            f"{', '.join(mark.held)}: held, as too many of their rows were removed at once. If that"
            " is meant, run c360 follow --release."
        )
    if mark.away:
        return (
            f"The graph is followed without {', '.join(mark.away)}: {' '.join(mark.away.values())} What"
            " changes there is brought along once it can be reached."
        )
    if mark.rates is None:
        return None
    silent = now - mark.rates.moment
    if silent > timedelta(seconds=HEARTBEAT_SECONDS + most_lag_seconds):
        return (
            f"The follower has written nothing into the graph for {silent.total_seconds():.0f} s. Its log"
            " says what it waits for; c360 follow --status shows how far each source is behind."
        )
    lag_ms = mark.rates.lag_p99_ms
    if lag_ms is not None and lag_ms > 1_000 * most_lag_seconds:
        return (
            f"In the last minute with changes the graph was up to {lag_ms / 1_000:.1f} s behind its sources,"
            f" and C360_MOST_LAG_SECONDS is {most_lag_seconds:g}."
        )
    return None


def _stopped(session: FollowSession) -> str:
    when = f" at {session.ended:%Y-%m-%d %H:%M:%S} UTC" if session.ended else ""
    why = f": {session.error}" if session.error else ""
    stop = "" if why.endswith(".") else "."
    return (
        f"c360 follow ended{when} (etl_run_logs row {session.log_id}){why}{stop} The graph is as new as it"
        " was then. Start c360 follow again, or run a load."
    )


@dataclass(frozen=True, kw_only=True)
class SourceSurvey:
    """One source. Where it could not be asked only `problem` says anything."""

    name: str
    server: str
    problem: str = ""
    slot_name: str = ""
    slot: Slot | None = None
    bytes_behind: int | None = None
    findings: tuple[Finding, ...] = ()
    unfollowed: tuple[UnfollowedTable, ...] = ()
    setup: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Survey:
    """All sources that are mapped, and the mark of the graph."""

    sources: tuple[SourceSurvey, ...]
    follow: FollowMark | None


def survey(settings: Settings, graph: Graph) -> Survey:
    """Ask every source and the graph.

    Raises:
        ControlDatabaseError: it cannot be reached, and there is no snapshot of its rows.
        GraphError: the graph cannot be reached.
    """
    control = ControlDatabase(control_credentials(settings))
    mapping = find_mapping_state(control, settings).mapping()
    found = read_graph_mark(graph)
    asking = _Asking(control, mapping, target=graph.identity(), owner=control_owner(control).id)
    sources = {t.source.source_id: t.source for t in mapping.source_tables}
    return Survey(
        sources=tuple(asking.ask(source) for source in sources.values()),
        follow=found.follow if found else None,
    )


class _Asking:
    def __init__(
        self, control: ControlDatabase, mapping: GraphMapping, *, target: str, owner: str
    ) -> None:
        self._control = control
        self._mapping = mapping
        self._target, self._owner = target, owner

    def ask(self, source: SourceRow) -> SourceSurvey:
        """One source."""
        credentials = self._control.source_credentials(source)
        asked = SourceSurvey(name=source.source_name, server=credentials.server)
        tables = [t for t in self._mapping.tables if t.source.source_id == source.source_id]
        try:
            with connect_source(credentials) as connection:
                row = connection.execute(_DATABASE).fetchone()
                assert row is not None
                name = slot_name(target=self._target, owner=self._owner, database_oid=row[0])
                followed, unfollowed = followable(connection, tables, self._mapping)
                return SourceSurvey(
                    name=asked.name,
                    server=asked.server,
                    slot_name=name,
                    slot=find_slot(connection, name),
                    bytes_behind=bytes_behind(connection, name),
                    findings=tuple(check_source(connection, name, followed)),
                    unfollowed=unfollowed,
                    setup=tuple(
                        setup_sql(
                            name,
                            followed,
                            role=credentials.user or connection.info.user,
                            version=connection.info.server_version,
                        )
                    ),
                )
        except psycopg.Error as error:
            said = first_line(error)
            if credentials.password:
                said = said.replace(credentials.password, "***")
            return SourceSurvey(name=asked.name, server=asked.server, problem=said)
