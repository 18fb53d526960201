"""Reads one mapped table into an extract, and keeps its audit row while it does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial

from c360_graph.control.audit import Ending, RunLog, TableLog
from c360_graph.control.connection import ControlDatabase
from c360_graph.control.table_reads import (
    RangeLedger,
    ReadPart,
    SharedReading,
    accept_columns,
    read_history,
)
from c360_graph.extract_files import RowsPart, digest_of_parts
from c360_graph.extracts import Extract, ExtractManifest
from c360_graph.faults import log_warning
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.control_rows import ControlRows, SourceRow
from c360_graph.mapping.exclusions import AcceptedColumn, ColumnHistory
from c360_graph.mapping.model import TableMapping
from c360_graph.mapping.property_rows import cast_named
from c360_graph.mapping.table_steps import known_rows, page_ranges, readers_of
from c360_graph.object_extracts import Draft, Extracts, extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.table_reading import (
    SECONDS_BETWEEN_REPORTS,
    RangeReader,
    describe_found,
    description_digest,
    find_table,
    hashing_of,
    reader_name,
    source_snapshots,
)
from c360_graph.settings import Settings
from c360_graph.source.snapshot import SourceSnapshot
from c360_graph.text import plural

SAMPLE_ROWS = 5
"""Keys of rows left out that are named, at most; C360_PREVIEW_ROWS may allow fewer."""


@dataclass(frozen=True, kw_only=True)
class ExtractedRows:
    """What was written: as the fields of a manifest."""

    rows: int
    longest_row_bytes: int
    lost: Mapping[str, int]
    file_bytes: int
    file_lines: int
    file_digest: str
    parts: tuple[RowsPart, ...] = ()


def read_whole(
    snapshot: SourceSnapshot,
    table: TableMapping,
    draft: Draft,
    report: Callable[[int], None],
    *,
    hashing: KeyedHash | None,
) -> ExtractedRows:
    """Read a table into one file; arguments and errors as `SourceSnapshot.copy`."""
    with draft.open_rows() as (out, file):
        copied = snapshot.copy(table, out, report, hashing=hashing)
    return ExtractedRows(
        rows=copied.rows,
        longest_row_bytes=copied.longest_bytes,
        lost=copied.lost,
        file_bytes=file.size,
        file_lines=file.lines,
        file_digest=file.digest,
    )


def rows_of_parts(parts: Sequence[ReadPart]) -> ExtractedRows:
    """The rows of ranges that were read, in their order."""
    lost: Counter[str] = Counter()
    for part in parts:
        lost.update(part.lost)
    files = tuple(part.file for part in parts)
    return ExtractedRows(
        rows=sum(part.rows for part in parts),
        longest_row_bytes=max(part.longest_row_bytes for part in parts),
        lost=lost,
        file_bytes=sum(file.file_bytes for file in files),
        file_lines=sum(file.file_lines for file in files),
        file_digest=digest_of_parts(file.file_digest for file in files),
        parts=files,
    )


def losses_of(manifest: ExtractManifest) -> str | None:
    """Rows that are left out and values that could not be cast; None where there are none."""
    return " ".join(filter(None, (rows_left_out(manifest), values_not_cast(manifest)))) or None


def values_not_cast(manifest: ExtractManifest) -> str | None:
    """How many values of which columns are absent as they are none of the type that they are cast to."""
    found = [
        f"{plural(count, 'value')} of {prop.origin} cannot be cast to {cast_named(prop.type)}"
        f" (property_mappings row {prop.property_row})"
        for prop in manifest.table.columns_read
        if prop.cast_from and (count := manifest.values_absent.get(prop.column))
    ]
    if not found:
        return None
    return f"{'; '.join(found)}: absent from the graph. Correct them in the source, or the row."


def rows_left_out(manifest: ExtractManifest) -> str | None:
    """How many rows are left out and why; None where none is."""
    if not manifest.rows_left_out:
        return None
    without_key = manifest.rows_left_out - manifest.rows_too_long
    reasons = [
        f"{count:,} {why}"
        for count, why in (
            (
                without_key,
                "with a key that the graph cannot find again (NULL, infinite, 24:00 or NaN)",
            ),
            (manifest.rows_too_long, "with a key or a joined value of over 8,000 bytes"),
        )
        if count
    ]
    sample = "; ".join(manifest.left_out_sample)
    return (
        f"{plural(manifest.rows_left_out, 'row')} left out: {' and '.join(reasons)}"
        f"{f', such as {sample}' if sample else ''}. Correct them in the source, or map a view that does."
    )


@dataclass(frozen=True, kw_only=True)
class ExtractedTable:
    """A committed extract and its closed audit row."""

    extract: Extract
    table_log: TableLog


def extract_table(
    *,
    table: TableMapping,
    rows: ControlRows,
    log_id: int,
    control: ControlDatabase,
    settings: Settings,
    report: Callable[[int], None] = lambda rows: None,
    warn: Callable[[str], None] = log_warning,
) -> ExtractedTable:
    """Read a table as it is now; its catalog is read again in the same snapshot.

    Args:
        table: which table, as the definitions know it.
        rows: the control rows, of which the exclusion rules count.
        log_id: the run's row in etl_run_logs.
        control: where the audit row goes.
        settings: folder, retention and hash key.
        report: told every few seconds how many rows were read.
        warn: told of a source that sends nothing.

    Raises:
        SourceError: the source or the table cannot be read; the former extract stays the latest.
        SettingsError: a password or the hash key is not set.
    """
    with _TableReader(table.source, rows, log_id, control, settings) as reader:
        return reader.read(table, report, warn)


def extract_tables(
    *,
    tables: Sequence[TableMapping],
    rows: ControlRows,
    log_id: int,
    control: ControlDatabase,
    settings: Settings,
    report: Callable[[TableMapping, int], None] = lambda table, rows: None,
    warn: Callable[[TableMapping, str], None] = lambda table, said: log_warning(said),
) -> Iterator[ExtractedTable | Exception]:
    """Read tables of one source one after the other, each as `extract_table` does, over one connection.

    A table that cannot be read does not stop the others: in its place comes why. Its last good extract stays, and
    its audit row says the same. Once the source cannot be reached, no further
    table is tried: each fails for the same reason.

    Args:
        tables: which tables, in the order they are read.
        rows, log_id, control, settings: as `extract_table`.
        report: told every few seconds how many rows of a table were read.
        warn: told of a source that sends nothing while a table is read.
    """
    if not tables:
        return
    with _TableReader(tables[0].source, rows, log_id, control, settings) as reader:
        for table in tables:
            try:
                found: ExtractedTable | Exception = reader.read(
                    table, partial(report, table), partial(warn, table)
                )
            except Exception as error:  # noqa: BLE001, whatever it is, it is told of this table
                found = error
            yield found


class _ExtractProgress:
    """Rows read so far, told to the audit row and the log every few seconds."""

    def __init__(
        self,
        run_log: RunLog,
        table_log_id: int,
        report: Callable[[int], None],
    ) -> None:
        self.rows = 0
        self._run_log = run_log
        self._table_log_id = table_log_id
        self._report = report
        self._told = time.monotonic()

    def __call__(self, rows: int) -> None:
        self.rows = rows
        now = time.monotonic()
        if now - self._told >= SECONDS_BETWEEN_REPORTS:
            self._told = now
            self._run_log.table_progress(self._table_log_id, rows)
            self._report(rows)


class _TableReader:
    """Reads tables of one source into extracts: an audit row and a snapshot for each, one connection for all."""

    def __init__(
        self,
        source: SourceRow,
        rows: ControlRows,
        log_id: int,
        control: ControlDatabase,
        settings: Settings,
    ) -> None:
        self._source = source
        self._rows = rows
        self._log_id = log_id
        self._control = control
        self._settings = settings
        self._run_log = RunLog(control)
        self._is_touched = False
        self._warn: Callable[[str], None] = log_warning
        self._snapshots = source_snapshots(source, control, settings, lambda said: self._warn(said))

    def __enter__(self) -> _TableReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._snapshots.close()

    @cached_property
    def _store(self) -> Extracts:
        return extract_store(data_location(self._settings))

    @cached_property
    def _history(self) -> ColumnHistory:
        return read_history(
            self._control, self._store, self._rows, lets_in=self._settings.lets_in_new_columns
        )

    def read(
        self, table: TableMapping, report: Callable[[int], None], warn: Callable[[str], None]
    ) -> ExtractedTable:
        """Read a table; raises as `extract_table`."""
        self._warn = warn
        table_log_id = self._run_log.open_table(
            log_id=self._log_id, source_id=self._source.source_id, table_name=table.table_name
        )
        progress = _ExtractProgress(self._run_log, table_log_id, report)
        try:
            extract = self._extract(table, table_log_id, progress)
        except BaseException as error:
            # Whatever ends it, an interruption too, the audit row must not say `running` for ever.
            ending: Ending = "failed" if isinstance(error, Exception) else "cancelled"
            self._run_log.close_table(table_log_id, ending, rows=progress.rows, error=_said(error))
            raise
        left_out = losses_of(extract.manifest)
        table_log = self._run_log.close_table(
            table_log_id, "completed", rows=extract.manifest.rows, error=left_out
        )
        if left_out:
            warn(left_out)
        self._store.prune(table.asset_key, keep=self._settings.c360_keep_extracts)
        return ExtractedTable(extract=extract, table_log=table_log)

    def _extract(
        self, table: TableMapping, table_log_id: int, progress: _ExtractProgress
    ) -> Extract:
        start = datetime.now(UTC)
        history = self._history
        with self._snapshots.snapshot() as snapshot:
            self._touch()
            found = find_table(snapshot, table, self._rows, history)
            live = describe_found(found, table, self._rows, history)
            hashing = hashing_of(live, self._settings)
            with self._store.new_extract(table.asset_key, log_id=self._log_id) as draft:
                ranges = self._shared(snapshot, live, found, draft, table_log_id, hashing)
                losses = snapshot.losses(live)
                most = min(SAMPLE_ROWS, self._settings.c360_preview_rows) if losses.rows else 0
                if ranges is None:
                    rows = read_whole(snapshot, live, draft, progress, hashing=hashing)
                else:
                    rows = rows_of_parts(ranges.read_all(snapshot, progress))
                manifest = ExtractManifest(
                    table=live,
                    rows=rows.rows,
                    rows_left_out=losses.rows,
                    rows_too_long=losses.too_long,
                    left_out_sample=snapshot.rows_left_out(live, most=most),
                    values_absent={**losses.values, **rows.lost},
                    file_bytes=rows.file_bytes,
                    file_lines=rows.file_lines,
                    file_digest=rows.file_digest,
                    parts=rows.parts,
                    longest_row_bytes=rows.longest_row_bytes,
                    log_id=self._log_id,
                    table_log_id=table_log_id,
                    start_time=start,
                    end_time=datetime.now(UTC),
                )
                extract = draft.commit(manifest)
        accept_columns(
            self._control,
            source_id=table.source.source_id,
            table_name=table.table_name,
            columns=_accepted(live, found),
        )
        return extract

    def _shared(
        self,
        snapshot: SourceSnapshot,
        live: TableMapping,
        found: CatalogTable,
        draft: Draft,
        table_log_id: int,
        hashing: KeyedHash | None,
    ) -> RangeReader | None:
        """Let other steps read ranges of the table as well; None where this step reads it alone."""
        range_rows = self._settings.c360_range_rows
        most = self._settings.table_readers
        if readers_of(found, range_rows=range_rows, most=most) == 1:
            return None
        ranges = page_ranges(
            pages=snapshot.pages(live), rows=known_rows(found), range_rows=range_rows
        )
        ledger = RangeLedger(self._control, reader=reader_name())
        if len(ranges) == 1 or not ledger.may_write():
            return None
        reading = SharedReading(
            snapshot=snapshot.export(), draft=draft.name, description=description_digest(live)
        )
        ledger.announce(table_log_id, reading, ranges)
        return RangeReader(
            ledger=ledger, table_log_id=table_log_id, table=live, draft=draft, hashing=hashing
        )

    def _touch(self) -> None:
        """Once: that the source was reached."""
        if not self._is_touched:
            self._control.touch_source(self._source.source_id)
            self._is_touched = True


def _accepted(live: TableMapping, found: CatalogTable) -> dict[str, AcceptedColumn]:
    treatments = {prop.origin: prop.treatment for prop in live.columns_read}
    attributes = {column.name: column.attribute for column in found.columns}
    return {
        name: AcceptedColumn(
            attribute=attributes.get(name), treatment=treatments.get(name, "exclude")
        )
        for name in live.known_columns
    }


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
