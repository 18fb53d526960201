"""What is known of each source's following from outside: what it needs, and how far it is. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from c360_graph.control.connection import ControlDatabase, control_credentials, first_line
from c360_graph.control.owner import control_owner
from c360_graph.following.dba_sql import Finding, check_source, setup_sql
from c360_graph.following.mark import FollowMark, read_graph_mark
from c360_graph.following.publication import UnfollowedTable, followable
from c360_graph.following.slot import Slot, bytes_behind, find_slot, slot_name
from c360_graph.graph.connection import Graph
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.model import GraphMapping
from c360_graph.object_storage import data_place
from c360_graph.pipeline.read_mapping import find_mapping_state
from c360_graph.settings import Settings
from c360_graph.source.snapshot import connect_source

_DATABASE = (
    "SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
)


@dataclass(frozen=True, kw_only=True)
class SourceSurvey:
    """One source. Where it could not be asked only `problem` says anything."""

    name: str
    place: str
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
    mapping = find_mapping_state(control, data_place(settings)).mapping()
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
        asked = SourceSurvey(name=source.source_name, place=credentials.place)
        tables = [t for t in self._mapping.tables if t.source.source_id == source.source_id]
        try:
            with connect_source(credentials) as connection:
                row = connection.execute(_DATABASE).fetchone()
                assert row is not None
                name = slot_name(target=self._target, owner=self._owner, database_oid=row[0])
                followed, unfollowed = followable(connection, tables, self._mapping)
                return SourceSurvey(
                    name=asked.name,
                    place=asked.place,
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
            return SourceSurvey(name=asked.name, place=asked.place, problem=said)
