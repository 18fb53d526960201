"""Reads one mapped table into an extract, and keeps its audit row while it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any

from c360_graph.control.accepted_columns import accept_columns, read_history
from c360_graph.control.audit import Ending, RunLog, TableLog
from c360_graph.control.connection import ControlDatabase
from c360_graph.errors import MappingError, SettingsError, SourceError
from c360_graph.extracts import Extract, ExtractManifest
from c360_graph.faults.silence import log_warning
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.control_rows import ControlRows, NodeLabelRow, SourceRow
from c360_graph.mapping.exclusions import (
    AcceptedColumn,
    ColumnHistory,
    holding_rules,
    rules_without_table,
    why_held_back,
)
from c360_graph.mapping.join_columns import with_join_columns
from c360_graph.mapping.model import TableMapping
from c360_graph.mapping.tables import describe, why_unknown_time_zone
from c360_graph.object_extracts import Extracts, extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.left_out_rows import losses_of
from c360_graph.pipeline.readiness import hash_key_problem
from c360_graph.settings import Settings
from c360_graph.source.snapshot import SourceSnapshot
from c360_graph.source.snapshot_series import SnapshotSeries

SECONDS_BETWEEN_REPORTS = 2.0
SAMPLE_ROWS = 5
"""Keys of rows left out that are named, at most; C360_PREVIEW_ROWS may allow fewer."""


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
        self._snapshots = SnapshotSeries(
            source,
            lambda: control.source_credentials(source),
            silent_seconds=settings.c360_source_timeout_seconds or None,
            warn=lambda said: self._warn(said),
        )

    def __enter__(self) -> _TableReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._snapshots.close()

    @cached_property
    def _store(self) -> Extracts:
        return extract_store(data_location(self._settings))

    @cached_property
    def _history(self) -> ColumnHistory:
        lets_in = self._settings.c360_new_columns == "load"
        return read_history(self._control, self._store, self._rows, lets_in=lets_in)

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
            found = _found(snapshot, table, self._rows, history)
            live = _described(found, table, self._rows, history)
            hashing = _hashing(live, self._settings)
            with self._store.new_extract(table.asset_key, log_id=self._log_id) as draft:
                losses = snapshot.losses(live)
                most = min(SAMPLE_ROWS, self._settings.c360_preview_rows) if losses.rows else 0
                with draft.open_rows() as (out, file):
                    copied = snapshot.copy(live, out, progress, hashing=hashing)
                manifest = ExtractManifest(
                    table=live,
                    rows=copied.rows,
                    rows_left_out=losses.rows,
                    rows_too_long=losses.too_long,
                    left_out_sample=snapshot.rows_left_out(live, most=most),
                    values_absent={**losses.values, **copied.lost},
                    file_bytes=file.size,
                    file_lines=file.lines,
                    file_digest=file.digest,
                    longest_row_bytes=copied.longest_bytes,
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


def _found(
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


def _described(
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
        if table.mapping_id is not None and table.node_label is not None
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


def _hashing(table: TableMapping, settings: Settings) -> KeyedHash | None:
    """The table's hashing; None where nothing of it is hashed."""
    hashed = [prop.column for prop in table.properties if prop.treatment == "hash"]
    if not hashed:
        return None
    problem = hash_key_problem(table, settings)
    if problem or settings.c360_hash_key is None:
        raise SettingsError(problem or "C360_HASH_KEY is not set.")
    return KeyedHash(settings.c360_hash_key.get_secret_value())


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
