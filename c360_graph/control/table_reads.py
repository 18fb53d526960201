"""What steps that read tables keep in the control database: the columns accepted at the last read, and who reads which range.

They are kept there, and not only beside the extracts: a data folder may be new at each run, as a container's is.

A reader keeps no lock. Its range says when it last got further, so that the range of a reader that is gone is
read again by another. A reader that was only slow may then end as well: the first one that ends counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from c360_graph.control.connection import ControlDatabase
from c360_graph.extract_files import RowsPart
from c360_graph.mapping.control_rows import ControlRows, Frozen
from c360_graph.mapping.exclusions import AcceptedColumn, ColumnHistory
from c360_graph.mapping.table_steps import PageRange
from c360_graph.object_extracts import Extracts

_IS_KEPT = (
    "SELECT to_regclass('accepted_columns') IS NOT NULL"
    " AND has_table_privilege(to_regclass('accepted_columns'), 'SELECT, INSERT, DELETE')"
)
_ACCEPTED = (
    # As JSON, since a control database of an older schema has no such columns.
    "SELECT source_id, table_name, column_name, CAST(to_jsonb(a) ->> 'table_oid' AS bigint),"
    " CAST(to_jsonb(a) ->> 'column_number' AS int), to_jsonb(a) ->> 'treatment' FROM accepted_columns a"
    " ORDER BY source_id, table_name, column_name"
)
_HAS_MORE = (
    "SELECT count(*) = 3 FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass('accepted_columns')"
    " AND attname IN ('table_oid', 'column_number', 'treatment')"
)
_FORGET_OTHERS = (
    "DELETE FROM accepted_columns WHERE source_id = :source AND table_name = :table"
    " AND column_name <> ALL (:columns)"
)
_ACCEPT_NAMES = (
    "INSERT INTO accepted_columns (source_id, table_name, column_name)"
    " SELECT :source, :table, unnest(CAST(:columns AS text[])) ON CONFLICT DO NOTHING"
)
_ACCEPT = (
    "INSERT INTO accepted_columns AS a (source_id, table_name, column_name, table_oid, column_number, treatment)"
    " SELECT :source, :table, * FROM unnest(CAST(:columns AS text[]), CAST(:oids AS bigint[]),"
    " CAST(:numbers AS smallint[]), CAST(:treatments AS text[]))"
    " ON CONFLICT (source_id, table_name, column_name) DO UPDATE SET table_oid = excluded.table_oid,"
    " column_number = excluded.column_number, treatment = excluded.treatment"
    " WHERE (a.table_oid, a.column_number, a.treatment)"
    " IS DISTINCT FROM (excluded.table_oid, excluded.column_number, excluded.treatment)"
)

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


def read_history(
    control: ControlDatabase, store: Extracts, rows: ControlRows, *, lets_in: bool
) -> ColumnHistory:
    """What was accepted of each table; of one that the control database does not know, what the data
    folder says.

    Raises:
        ControlDatabaseError: the database cannot be reached.
    """
    accepted = control.run(_accepted)
    tables = accepted or {}
    names = {row.table_name for row in rows.labels}
    names |= {row.table_name for row in rows.exclusions}
    names |= {row.junction_table for row in rows.relationships if row.junction_table}
    for source in rows.sources:
        of_source = tables.setdefault(source.source_id, {})
        for name in sorted(names - of_source.keys()):
            columns = store.known_columns((source.source_name, name))
            if columns is not None:
                of_source[name] = dict.fromkeys(sorted(columns), AcceptedColumn())
    return ColumnHistory(tables=tables, lets_in=lets_in, is_kept=accepted is not None)


def accept_columns(
    control: ControlDatabase,
    *,
    source_id: int,
    table_name: str,
    columns: Mapping[str, AcceptedColumn],
) -> None:
    """Write down what a table was read with; it replaces what was accepted before.

    Args:
        control: the control database.
        source_id: the table's source.
        table_name: the table.
        columns: those that were read or excluded, by name.
    """
    attributes = [column.attribute or (None, None) for column in columns.values()]
    values = {
        "source": source_id,
        "table": table_name,
        "columns": list(columns),
        "oids": [oid for oid, _ in attributes],
        "numbers": [number for _, number in attributes],
        "treatments": [column.treatment for column in columns.values()],
    }

    def accept(connection: Connection) -> None:
        if not _is_kept(connection):
            return
        connection.execute(text(_FORGET_OTHERS), values)
        has_more = connection.execute(text(_HAS_MORE)).scalar_one()
        connection.execute(text(_ACCEPT if has_more else _ACCEPT_NAMES), values)

    control.run(accept)


def _accepted(connection: Connection) -> dict[int, dict[str, dict[str, AcceptedColumn]]] | None:
    """The columns by source and table; None where the control database does not keep them."""
    if not _is_kept(connection):
        return None
    tables: dict[int, dict[str, dict[str, AcceptedColumn]]] = {}
    for source_id, table_name, name, oid, number, treatment in connection.execute(text(_ACCEPTED)):
        attribute = None if oid is None or number is None else (oid, number)
        of_table = tables.setdefault(source_id, {}).setdefault(table_name, {})
        of_table[name] = AcceptedColumn(attribute=attribute, treatment=treatment)
    return tables


def _is_kept(connection: Connection) -> bool:
    return bool(connection.execute(text(_IS_KEPT)).scalar_one())


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
