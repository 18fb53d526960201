"""A source that has no row yet: whether it can be read, and the rows that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from c360_graph.control.connection import ControlDatabase, Credentials
from c360_graph.errors import MappingError
from c360_graph.mapping.control_rows import ControlRows, SourceRow
from c360_graph.mapping.resolve import resolve
from c360_graph.pipeline.propose import propose_rows
from c360_graph.pipeline.readiness import unreadable
from c360_graph.proposal.model import Proposal, ProposedSource
from c360_graph.settings import resolve_secret
from c360_graph.source.snapshot import SourceSnapshot, open_snapshot


def propose_source(control: ControlDatabase, source: ProposedSource) -> Proposal:
    """The rows of a source and of its tables; nothing is written anywhere.

    What a run could not read of the tables that are proposed is among the remarks.

    Raises:
        MappingError: there is a source of that name.
        SettingsError: the variable with its password is not set.
        SourceError: the source cannot be reached or read.
        ControlDatabaseError: the control database cannot be reached or lacks its tables.
    """
    name = source.row.source_name
    rows = control.read_rows()
    if name in {*rows.inactive_sources, *(known.source_name for known in rows.sources)}:
        raise MappingError(
            f"source_databases has a source {name!r} already. Choose another name, or change that row and"
            f" run c360 map {name}."
        )
    password = resolve_secret(source.db_password, where=f"source {name!r}")
    credentials = control.credentials_for(source.row, password)
    reader = _WithSource(control=control, source=source.row, credentials=credentials)
    proposal = propose_rows(reader, name)
    with open_snapshot(source.row, credentials) as snapshot:
        lines = tuple(_unreadable(snapshot, proposal.laid_over(reader.read_rows())))
    return proposal.model_copy(update={"source": source, "remarks": (*lines, *proposal.remarks)})


@dataclass(frozen=True, kw_only=True)
class _WithSource:
    """The control database as it would be with one more source."""

    control: ControlDatabase
    source: SourceRow
    credentials: Credentials

    def read_rows(self) -> ControlRows:
        return self._with(self.control.read_rows())

    def read_rows_as_if_all_were_on(self) -> ControlRows:
        return self._with(self.control.read_rows_as_if_all_were_on())

    def source_credentials(self, source: SourceRow) -> Credentials:
        if source == self.source:
            return self.credentials
        return self.control.source_credentials(source)

    def _with(self, rows: ControlRows) -> ControlRows:
        return rows.model_copy(update={"sources": (*rows.sources, self.source)})


def _unreadable(snapshot: SourceSnapshot, rows: ControlRows) -> Iterator[str]:
    """Why tables that rows give a label cannot be read, as `c360 check` says it."""
    names = frozenset(row.table_name for row in rows.labels)
    catalogs = {snapshot.source.source_id: snapshot.catalog(names)}
    yield from unreadable(snapshot, resolve(rows, catalogs).tables)
