"""How a table is read: as it is found in a snapshot, and in ranges, each into a file of the same extract, beside other steps that do so too."""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from typing import Any

from c360_graph.control.connection import ControlDatabase
from c360_graph.control.table_reads import (
    ClaimedRange,
    RangeLedger,
    RangesRead,
    ReadPart,
    SharedReading,
    TableReading,
    read_history,
)
from c360_graph.errors import (
    C360Error,
    DataFolderError,
    ExtractError,
    MappingError,
    SettingsError,
    SourceError,
)
from c360_graph.extract_files import RowsPart
from c360_graph.faults import log_warning
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.control_rows import ControlRows, NodeLabelRow, SourceRow
from c360_graph.mapping.exclusions import (
    ColumnHistory,
    holding_rules,
    rules_without_table,
    why_held_back,
)
from c360_graph.mapping.join_forms import with_join_columns
from c360_graph.mapping.model import NodeTable, TableMapping
from c360_graph.mapping.tables import describe, why_unknown_time_zone
from c360_graph.object_extracts import Draft, extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.readiness import hash_key_problem
from c360_graph.settings import Settings
from c360_graph.source.snapshot import SourceSnapshot
from c360_graph.source.snapshot_series import SnapshotSeries

SECONDS_BETWEEN_REPORTS = 2.0
POLL_SECONDS = 0.5

JOINING_SECONDS = 10.0
"""How long a step waits for another one to begin, or to begin again, before it gives its place up."""


def source_snapshots(
    source: SourceRow,
    control: ControlDatabase,
    settings: Settings,
    warn: Callable[[str], None],
) -> SnapshotSeries:
    """Snapshots of a source as the settings want them; `warn` is told of a source that sends nothing."""
    return SnapshotSeries(
        source,
        lambda: control.source_credentials(source),
        silent_seconds=settings.c360_source_timeout_seconds or None,
        warn=warn,
    )


def find_table(
    snapshot: SourceSnapshot, table: TableMapping, rows: ControlRows, history: ColumnHistory
) -> CatalogTable:
    catalog = snapshot.catalog(frozenset({table.table_name}))
    if catalog.unknown_time_zone is not None:
        raise SourceError(
            f"{table.qualified_name} is not read: {why_unknown_time_zone(table.source)} (source_databases row"
            f" {table.source.source_id})."
        )
    found = catalog.table(table.table_name)
    if found is None:
        row = f"node_label_mappings row {table.mapping_id}" if table.mapping_id else "its mapping"
        raise SourceError(
            f"source {table.source.source_name} has no table {table.table_name!r} in schema"
            f" {table.source.db_schema!r} that its role may see; correct {row} or the source."
        )
    holding = holding_rules(
        table.source,
        found,
        rows,
        history,
        without_table=rules_without_table(table.source, catalog, rows),
    )
    if holding:
        raise SourceError(why_held_back(table.source, found, holding, history))
    return found


def describe_found(
    found: CatalogTable, table: TableMapping, rows: ControlRows, history: ColumnHistory
) -> TableMapping:
    label_row = (
        NodeLabelRow(
            mapping_id=table.mapping_id,
            source_id=table.source.source_id,
            table_name=table.table_name,
            node_label=table.node_label,
            row_filter=" AND ".join(map(str, table.row_filter)) or None,
            key_columns=table.declared_key or None,
            **_labels(table),
        )
        if isinstance(table, NodeTable) and table.mapping_id is not None
        else None
    )
    try:
        described = describe(
            source=table.source,
            table_name=table.table_name,
            label_row=label_row,
            rows=rows,
            history=history,
            catalog_table=found,
            label_is_shared=table.label_is_shared,
        )
    except MappingError as error:
        # The table has changed since the run began.
        raise SourceError(
            f"{table.qualified_name} is not read: {error} (node_label_mappings row {table.mapping_id})."
        ) from None
    forms = (prop.column for prop in table.properties if prop.form is not None)
    return with_join_columns(described, forms).model_copy(
        update={"indexed": table.indexed, "identified_by": table.identified_by}
    )


def _labels(table: TableMapping) -> dict[str, Any]:
    """What the control row says of further labels."""
    by_value = table.property_of(table.extra.by_property or "")
    return {
        "extra_labels": table.extra.always,
        "label_column": by_value.origin if by_value else None,
        "label_values": table.extra.values,
    }


def hashing_of(table: TableMapping, settings: Settings) -> KeyedHash | None:
    """The table's hashing; None where nothing of it is hashed."""
    hashed = [prop.column for prop in table.properties if prop.treatment == "hash"]
    if not hashed:
        return None
    problem = hash_key_problem(table, settings)
    if problem or settings.c360_hash_key is None:
        raise SettingsError(problem or "C360_HASH_KEY is not set.")
    return KeyedHash(settings.c360_hash_key.get_secret_value())


class ReadingEndedError(Exception):
    """The step that reads the table has ended."""


def reader_name() -> str:
    """What this process is called in etl_table_ranges."""
    return f"{socket.gethostname()} {os.getpid()}"


def description_digest(table: TableMapping) -> str:
    """By which readers know that they read a table alike."""
    return blake2b(table.model_dump_json().encode(), digest_size=16).hexdigest()


class RangeReader:
    """Takes on one range after the other.

    Args:
        ledger: which ranges there are, and who reads them.
        table_log_id: the row of etl_table_logs of the table.
        table: as it is described in the snapshot that all readers share.
        draft: the extract.
        hashing: of the table.
    """

    def __init__(
        self,
        *,
        ledger: RangeLedger,
        table_log_id: int,
        table: TableMapping,
        draft: Draft,
        hashing: KeyedHash | None,
    ) -> None:
        self._ledger = ledger
        self._table_log_id = table_log_id
        self._table = table
        self._draft = draft
        self._hashing = hashing

    def read_next(self, snapshot: SourceSnapshot, report: Callable[[], None]) -> bool:
        """Read a range; returns False where none is left.

        Args:
            snapshot: the one that all readers share.
            report: called now and then while rows come.

        Raises:
            ReadingEndedError: what was read is not wanted any more.
        """
        claimed = self._ledger.claim(self._table_log_id)
        if claimed is None:
            return False
        name = f"rows_{claimed.pages.number:04d}_{claimed.attempt}.tsv"
        try:
            counts = self._ledger.complete(
                self._table_log_id, claimed, self._read(snapshot, claimed, name, report)
            )
        except BaseException:
            with suppress(C360Error, OSError):
                self._ledger.release(self._table_log_id, claimed)
                self._draft.remove_part(name)
            raise
        if not counts:
            self._draft.remove_part(name)
        return True

    def read_all(
        self, snapshot: SourceSnapshot, report: Callable[[int], None]
    ) -> tuple[ReadPart, ...]:
        """Read until every range was read, by whichever reader; the parts in their order.

        Args:
            snapshot: the one that all readers share; this process keeps it.
            report: told how many rows all readers have read.
        """

        def tell() -> None:
            report(self._ledger.ranges_read(self._table_log_id).rows)

        while True:
            while self.read_next(snapshot, tell):
                pass
            found = self._ledger.ranges_read(self._table_log_id)
            report(found.rows)
            if found.parts is not None:
                return found.parts
            # Others are at work; what they leave undone is claimed here in the next round.
            time.sleep(POLL_SECONDS)

    def _read(
        self,
        snapshot: SourceSnapshot,
        claimed: ClaimedRange,
        name: str,
        report: Callable[[], None],
    ) -> ReadPart:
        told = time.monotonic()

        def progress(rows: int) -> None:
            nonlocal told
            if time.monotonic() - told >= SECONDS_BETWEEN_REPORTS:
                if not self._ledger.progress(self._table_log_id, claimed, rows):
                    raise ReadingEndedError
                report()
                told = time.monotonic()

        with self._draft.open_part(name) as (out, file):
            copied = snapshot.copy(
                self._table, out, progress, hashing=self._hashing, pages=claimed.pages
            )
        return ReadPart(
            file=RowsPart(
                name=name,
                file_bytes=file.size,
                file_lines=file.lines,
                file_digest=file.digest,
            ),
            rows=copied.rows,
            longest_row_bytes=copied.longest_bytes,
            lost=dict(copied.lost),
        )


def join_reading(
    *,
    table: TableMapping,
    rows: ControlRows,
    log_id: int,
    control: ControlDatabase,
    settings: Settings,
    warn: Callable[[str], None] = log_warning,
    waiting_seconds: float = JOINING_SECONDS,
) -> int | None:
    """Take part in reading a table; returns how many ranges this step has read, None where it waits in vain.

    What this step cannot read, the step that reads the table reads itself. So nothing fails here, except that
    the control database or a setting is missing.

    Args:
        table, rows, log_id, control, settings, warn: as `extract_table`.
        waiting_seconds: how long to wait for the step that reads the table.
    """
    joiner = _Joiner(table, rows, control, settings, warn)
    # After a failure the step that reads the table may be tried again.
    ended = ("completed", "cancelled", *(() if settings.c360_retries else ("failed",)))
    tries: Counter[int] = Counter()
    waited_since = time.monotonic()
    while time.monotonic() - waited_since < waiting_seconds:
        reading = _find(joiner.ledger, table, log_id)
        if reading is not None and reading.status in ended:
            return joiner.ranges
        shared = reading.shared if reading is not None and reading.status == "running" else None
        if reading is None or shared is None or tries[reading.table_log_id] > settings.c360_retries:
            time.sleep(POLL_SECONDS)
            continue
        tries[reading.table_log_id] += 1
        try:
            joiner.read(reading.table_log_id, shared)
            return joiner.ranges
        except ReadingEndedError:
            pass
        except (SourceError, ExtractError, DataFolderError) as error:
            warn(f"This step could not read a range of {table.qualified_name}: {error}")
        waited_since = time.monotonic()
    return joiner.ranges or None


def ranges_of_run(
    *, table: TableMapping, log_id: int, control: ControlDatabase
) -> RangesRead | None:
    """The ranges in which a table was read in a run; None where it was not read in ranges."""
    ledger = RangeLedger(control, reader=reader_name())
    reading = _find(ledger, table, log_id)
    if reading is None or reading.shared is None:
        return None
    return ledger.ranges_read(reading.table_log_id)


def _find(ledger: RangeLedger, table: TableMapping, log_id: int) -> TableReading | None:
    source_id, name = table.source.source_id, table.table_name
    return ledger.find(log_id=log_id, source_id=source_id, table_name=name)


class _Joiner:
    def __init__(
        self,
        table: TableMapping,
        rows: ControlRows,
        control: ControlDatabase,
        settings: Settings,
        warn: Callable[[str], None],
    ) -> None:
        self.ranges = 0
        self._table = table
        self._rows = rows
        self._control = control
        self._settings = settings
        self._warn = warn
        self._store = extract_store(data_location(settings))
        self.ledger = RangeLedger(control, reader=reader_name())

    def read(self, table_log_id: int, shared: SharedReading) -> None:
        """Read ranges until none is left."""
        snapshots = source_snapshots(self._table.source, self._control, self._settings, self._warn)
        reader: RangeReader | None = None
        is_any_left = True
        try:
            while is_any_left:
                # Each time anew: it cannot be joined once the step that keeps it has ended.
                with snapshots.snapshot(shared.snapshot) as snapshot:
                    reader = reader or self._reader(snapshot, table_log_id, shared)
                    is_any_left = reader.read_next(snapshot, lambda: None)
                    self.ranges += is_any_left
        finally:
            snapshots.close()

    def _reader(
        self, snapshot: SourceSnapshot, table_log_id: int, shared: SharedReading
    ) -> RangeReader:
        history = read_history(
            self._control, self._store, self._rows, lets_in=self._settings.lets_in_new_columns
        )
        found = find_table(snapshot, self._table, self._rows, history)
        live = describe_found(found, self._table, self._rows, history)
        if description_digest(live) != shared.description:
            raise SourceError(
                "it is described otherwise than by the step that reads it. Do both have the same settings and"
                " version?"
            )
        return RangeReader(
            ledger=self.ledger,
            table_log_id=table_log_id,
            table=live,
            draft=self._store.join_draft(self._table.asset_key, shared.draft),
            hashing=hashing_of(live, self._settings),
        )
