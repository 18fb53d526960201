"""Which step reads which range of a table: the table etl_table_ranges, and what readers need to join.

A reader keeps no lock. Its range says when it last got further, so that the range of a reader that is gone is
read again by another. A reader that was only slow may then end as well: the first one that ends counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from c360_graph.control.connection import ControlDatabase
from c360_graph.extract_files import RowsPart
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.page_ranges import PageRange

GONE_AFTER_SECONDS = 30
"""How long a range may be running without getting further before another reader takes it."""

_MAY_WRITE = text(
    "SELECT coalesce(has_table_privilege(to_regclass('etl_table_ranges'), 'INSERT'), false)"
)
_ANNOUNCE = text(
    "UPDATE etl_table_logs SET shared_reading = CAST(:reading AS jsonb) WHERE table_log_id = :log"
)
_ADD = text(
    "INSERT INTO etl_table_ranges (table_log_id, range_number, first_page, next_page)"
    " VALUES (:log, :number, :first, :next)"
)
_FIND = text(
    "SELECT table_log_id, status, shared_reading FROM etl_table_logs"
    " WHERE log_id = :log AND source_id = :source AND table_name = :table"
    " ORDER BY table_log_id DESC LIMIT 1"
)
_IS_READ = "EXISTS (SELECT FROM etl_table_logs WHERE table_log_id = :log AND end_time IS NULL)"
_CLAIM = text(
    "UPDATE etl_table_ranges SET status = 'running', reader = :reader, attempts = attempts + 1,"
    " rows_processed = 0, changed_at = now()"
    " WHERE table_log_id = :log AND range_number = (SELECT range_number FROM etl_table_ranges"
    "   WHERE table_log_id = :log AND (status = 'waiting' OR (status = 'running'"
    "     AND changed_at < now() - make_interval(secs => :gone)))"
    "   ORDER BY range_number LIMIT 1 FOR UPDATE SKIP LOCKED)"
    f" AND {_IS_READ}"
    " RETURNING range_number, first_page, next_page, attempts"
)
_PROGRESS = text(
    "UPDATE etl_table_ranges SET rows_processed = :rows, changed_at = now()"
    " WHERE table_log_id = :log AND range_number = :number AND attempts = :attempt"
    " AND status = 'running'"
)
_STILL_READ = text(f"SELECT {_IS_READ}")
_COMPLETE = text(
    "UPDATE etl_table_ranges SET status = 'completed', part = CAST(:part AS jsonb),"
    " reader = :reader, rows_processed = :rows, changed_at = now()"
    f" WHERE table_log_id = :log AND range_number = :number AND status <> 'completed' AND {_IS_READ}"
)
_WHICH_COUNTS = text(
    "SELECT part -> 'file' ->> 'name' FROM etl_table_ranges"
    " WHERE table_log_id = :log AND range_number = :number AND status = 'completed'"
)
_RELEASE = text(
    "UPDATE etl_table_ranges SET status = 'waiting', changed_at = now()"
    " WHERE table_log_id = :log AND range_number = :number AND attempts = :attempt"
    " AND status = 'running'"
)
_STATE = text(
    "SELECT status, reader, rows_processed, part FROM etl_table_ranges"
    " WHERE table_log_id = :log ORDER BY range_number"
)


class SharedReading(Frozen):
    """What a step needs to read a part of what another one reads."""

    snapshot: str
    """The exported snapshot's name."""
    draft: str
    """Of the extract, as its store knows it."""
    description: str
    """Digest of the table's description, which both must have alike."""


class ReadPart(Frozen):
    """A range that was read into a file."""

    file: RowsPart
    rows: int
    longest_row_bytes: int
    lost: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class TableReading:
    """The newest row of etl_table_logs of a table in a run; `shared` is None where one step reads it."""

    table_log_id: int
    status: str
    shared: SharedReading | None


@dataclass(frozen=True, kw_only=True)
class ClaimedRange:
    """A range that a reader has taken on."""

    pages: PageRange
    attempt: int


@dataclass(frozen=True, kw_only=True)
class RangesRead:
    """How far all readers of a table are; `parts` is None until every range was read."""

    rows: int
    readers: int
    parts: tuple[ReadPart, ...] | None


class RangeLedger:
    """The ranges of tables. Every change is a transaction of its own, so that others see it at once."""

    def __init__(self, database: ControlDatabase, *, reader: str) -> None:
        self._database = database
        self._reader = reader

    def may_write(self) -> bool:
        """Whether the role may write the table, and the control database has it: one of an older schema has not."""
        return self._database.run(lambda c: bool(c.execute(_MAY_WRITE).scalar_one()))

    def announce(
        self, table_log_id: int, reading: SharedReading, ranges: Sequence[PageRange]
    ) -> None:
        """Let other steps take part in reading a table."""

        def announced(connection: Connection) -> None:
            connection.execute(
                _ADD,
                [
                    {"log": table_log_id, "number": r.number, "first": r.first, "next": r.next}
                    for r in ranges
                ],
            )
            connection.execute(
                _ANNOUNCE, {"log": table_log_id, "reading": reading.model_dump_json()}
            )

        self._database.run(announced)

    def find(self, *, log_id: int, source_id: int, table_name: str) -> TableReading | None:
        """How a table is read in a run; None where reading it has not begun."""
        values = {"log": log_id, "source": source_id, "table": table_name}
        row = self._database.run(lambda c: c.execute(_FIND, values).one_or_none())
        if row is None:
            return None
        shared = row.shared_reading
        return TableReading(
            table_log_id=row.table_log_id,
            status=row.status,
            shared=SharedReading.model_validate(shared) if shared is not None else None,
        )

    def claim(self, table_log_id: int) -> ClaimedRange | None:
        """Take on the next range; None where none is left, or the table is not read any more."""
        values = {"log": table_log_id, "reader": self._reader, "gone": GONE_AFTER_SECONDS}
        row = self._database.run(lambda c: c.execute(_CLAIM, values).one_or_none())
        if row is None:
            return None
        pages = PageRange(number=row.range_number, first=row.first_page, next=row.next_page)
        return ClaimedRange(pages=pages, attempt=row.attempts)

    def progress(self, table_log_id: int, claimed: ClaimedRange, rows: int) -> bool:
        """Say how many rows were read so far; returns whether the table is still being read."""
        values = self._values(table_log_id, claimed) | {"rows": rows}

        def told(connection: Connection) -> bool:
            connection.execute(_PROGRESS, values)
            return bool(connection.execute(_STILL_READ, {"log": table_log_id}).scalar_one())

        return self._database.run(told)

    def complete(self, table_log_id: int, claimed: ClaimedRange, part: ReadPart) -> bool:
        """Say that a range was read; returns whether this part counts, and not that of another reader."""
        values = {
            "log": table_log_id,
            "number": claimed.pages.number,
            "reader": self._reader,
            "part": part.model_dump_json(),
            "rows": part.rows,
        }

        def completed(connection: Connection) -> bool:
            connection.execute(_COMPLETE, values)
            # Asked for, as this may be the second time that the same is said over a bad network.
            counts = connection.execute(_WHICH_COUNTS, values).scalar_one_or_none()
            return bool(counts == part.file.name)

        return self._database.run(completed)

    def release(self, table_log_id: int, claimed: ClaimedRange) -> None:
        """Give a range back that could not be read."""
        values = self._values(table_log_id, claimed)
        self._database.run(lambda c: c.execute(_RELEASE, values))

    def ranges_read(self, table_log_id: int) -> RangesRead:
        """How far all readers of a table are."""
        rows = self._database.run(lambda c: c.execute(_STATE, {"log": table_log_id}).all())
        done = [ReadPart.model_validate(row.part) for row in rows if row.status == "completed"]
        return RangesRead(
            rows=sum(row.rows_processed for row in rows),
            readers=len({row.reader for row in rows if row.status == "completed"}),
            parts=tuple(done) if len(done) == len(rows) else None,
        )

    @staticmethod
    def _values(table_log_id: int, claimed: ClaimedRange) -> dict[str, object]:
        return {
            "log": table_log_id,
            "number": claimed.pages.number,
            "attempt": claimed.attempt,
        }
