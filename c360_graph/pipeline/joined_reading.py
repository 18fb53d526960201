"""Reads ranges of a table that another step has begun to read."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from c360_graph.control.connection import ControlDatabase
from c360_graph.control.table_reads import (
    RangeLedger,
    RangesRead,
    SharedReading,
    TableReading,
    read_history,
)
from c360_graph.errors import DataFolderError, ExtractError, SourceError
from c360_graph.faults import log_warning
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import TableMapping
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.found_table import describe_found, find_table, hashing_of, source_snapshots
from c360_graph.pipeline.range_reading import (
    POLL_SECONDS,
    RangeReader,
    ReadingEndedError,
    description_digest,
    reader_name,
)
from c360_graph.settings import Settings
from c360_graph.source.snapshot import SourceSnapshot

JOINING_SECONDS = 10.0
"""How long a step waits for another one to begin, or to begin again, before it gives its place up."""


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
