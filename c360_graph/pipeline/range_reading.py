"""Reads the ranges of one table, each into a file of the same extract, beside other steps that do so too."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b

from c360_graph.control.table_reads import ClaimedRange, RangeLedger, ReadPart
from c360_graph.errors import C360Error
from c360_graph.extract_files import RowsPart
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.model import TableMapping
from c360_graph.object_extracts import Draft
from c360_graph.source.snapshot import SourceSnapshot

SECONDS_BETWEEN_REPORTS = 2.0
POLL_SECONDS = 0.5


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
