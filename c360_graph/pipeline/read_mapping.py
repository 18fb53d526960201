"""The mapping as it was read at one moment: control rows and the sources' catalogs, as one value."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from pydantic import Field, ValidationError

from c360_graph.control.connection import ControlDatabase
from c360_graph.control.table_reads import read_history
from c360_graph.errors import C360Error, ControlDatabaseError
from c360_graph.files import make_private_folder, write_whole, writing_into
from c360_graph.mapping.catalog import SourceCatalog
from c360_graph.mapping.control_rows import ControlRows, Frozen, SourceRow
from c360_graph.mapping.exclusions import ColumnHistory
from c360_graph.mapping.model import GraphMapping
from c360_graph.mapping.resolve import resolve
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import DataLocation, data_location
from c360_graph.settings import Settings
from c360_graph.source.snapshot import open_snapshot

_SNAPSHOT = "mapping_snapshot.json"


class MappingState(Frozen):
    """Everything the definitions are built from; holds no password."""

    rows: ControlRows
    catalogs: tuple[SourceCatalog, ...] = ()
    read_at: datetime
    warnings: tuple[str, ...] = ()
    history: ColumnHistory = Field(default_factory=ColumnHistory)
    """The columns that were accepted before."""
    unasked: dict[int, str] = Field(default_factory=dict)
    """Why a source could not be asked now, by source_id."""

    def mapping(self) -> GraphMapping:
        """Resolve the rows against the catalogs."""
        catalogs = {catalog.source_id: catalog for catalog in self.catalogs}
        return resolve(self.rows, catalogs, self.history)

    @property
    def fingerprint(self) -> str:
        """Changes when a control row does."""
        return rows_fingerprint(self.rows)


def rows_fingerprint(rows: ControlRows) -> str:
    """A short text that changes when a control row does."""
    return sha256(rows.model_dump_json().encode()).hexdigest()[:16]


def read_mapping_state(control: ControlDatabase, settings: Settings) -> MappingState:
    """As `find_mapping_state`, and keep the result as a snapshot.

    Raises:
        ControlDatabaseError: it is down and there is no snapshot.
        DataFolderError: the snapshot cannot be written.
    """
    state = find_mapping_state(control, settings)
    if not state.warnings:
        _keep_snapshot(data_location(settings), state.model_dump_json().encode())
    return state


def find_mapping_state(control: ControlDatabase, settings: Settings) -> MappingState:
    """Read the control rows and ask each source for its catalog; nothing is written.

    A source that cannot be asked is described as in the last snapshot. With the control database
    down, the last snapshot is the answer, with a warning.

    Raises:
        ControlDatabaseError: it is down and there is no snapshot.
    """
    last = _load_snapshot(data_location(settings))
    try:
        rows = control.read_rows()
    except ControlDatabaseError as error:
        if last is None:
            raise
        warning = f"{error} Using the control rows of {last.read_at:%Y-%m-%d %H:%M:%S} UTC."
        return last.model_copy(update={"warnings": (warning,)})
    catalogs, unasked = _read_catalogs(control, rows, last)
    store = extract_store(data_location(settings))
    return MappingState(
        rows=rows,
        catalogs=catalogs,
        read_at=datetime.now(UTC),
        history=read_history(control, store, rows, lets_in=settings.lets_in_new_columns),
        warnings=tuple(
            f"{said} Its tables are described as they were last seen." for said in unasked.values()
        ),
        unasked=unasked,
    )


def _read_catalogs(
    control: ControlDatabase, rows: ControlRows, last: MappingState | None
) -> tuple[tuple[SourceCatalog, ...], dict[int, str]]:
    wanted = frozenset(
        [row.table_name for row in rows.labels]
        + [row.junction_table for row in rows.relationships if row.junction_table]
    )

    def ask(source: SourceRow) -> SourceCatalog | str:
        try:
            with open_snapshot(source, control.source_credentials(source)) as snapshot:
                return snapshot.catalog(wanted)
        except C360Error as error:
            return str(error)

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(ask, rows.sources))
    known = {catalog.source_id: catalog for catalog in last.catalogs} if last else {}
    catalogs: list[SourceCatalog] = []
    unasked: dict[int, str] = {}
    for source, answer in zip(rows.sources, answers, strict=True):
        if isinstance(answer, SourceCatalog):
            catalogs.append(answer)
            continue
        unasked[source.source_id] = answer
        if source.source_id in known:
            catalogs.append(known[source.source_id])
    return tuple(catalogs), unasked


def _load_snapshot(location: DataLocation) -> MappingState | None:
    try:
        snapshot = location / _SNAPSHOT if isinstance(location, Path) else location.file(_SNAPSHOT)
        return MappingState.model_validate_json(snapshot.read_bytes())
    except (OSError, ValidationError):
        return None


def _keep_snapshot(location: DataLocation, content: bytes) -> None:
    if not isinstance(location, Path):
        location.file(_SNAPSHOT).write_bytes(content)
        return
    with writing_into(location):
        make_private_folder(location)
        write_whole(location / _SNAPSHOT, content)
