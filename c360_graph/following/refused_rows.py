"""Rows that Neo4j refuses: found, so that all others of their batch are written; recorded, tried again, forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, TextClause, text

from c360_graph.control.connection import ControlDatabase
from c360_graph.cypher.copy_text import decode_value
from c360_graph.errors import ServerMemoryError, StatementError, StatementRefusedError
from c360_graph.following.graph_writer import GraphChanges, GraphWriter, Written, key_lines
from c360_graph.following.mark import SlotMark
from c360_graph.mapping.model import TableMapping
from c360_graph.source.key_reads import RowsRead

_RECORD = text(
    "INSERT INTO etl_follow_errors (source_id, table_name, row_key, reason, lsn)"
    " VALUES (:source, :table, :key, :reason, :lsn)"
    " ON CONFLICT (source_id, table_name, row_key) DO UPDATE SET reason = excluded.reason,"
    " lsn = excluded.lsn, attempts = etl_follow_errors.attempts + 1, last_seen_at = now()"
)
_PENDING = text(
    "SELECT source_id, table_name, row_key FROM etl_follow_errors ORDER BY first_seen_at LIMIT :most"
)
_REMOVE = text(
    "DELETE FROM etl_follow_errors"
    " WHERE source_id = :source AND table_name = :table AND row_key = :key"
)
_IS_THERE = text("SELECT to_regclass('etl_follow_errors') IS NOT NULL")

MOST_PENDING = 10_000

MOST_REFUSED = 100
"""More rows refused at once are not the rows' fault."""

_READ_AGAIN = frozenset(["int2", "int4", "int8", "text", "varchar", "uuid", "date", "numeric"])
"""Types whose texts in the graph are those of PostgreSQL; other rows wait for the next load."""


@dataclass(frozen=True, kw_only=True)
class RefusedRow:
    """A row by its key, whose texts are as the graph would have them."""

    source_id: int
    table_name: str
    key: tuple[str, ...]
    reason: str = ""
    lsn: str = ""

    @property
    def values(self) -> dict[str, object]:
        """The parameters of the statements."""
        return {
            "source": self.source_id,
            "table": self.table_name,
            "key": json.dumps(self.key, ensure_ascii=False),
            "reason": self.reason,
            "lsn": self.lsn,
        }


class FollowErrors:
    """The table; a control database of an older schema has none, and nothing is remembered."""

    def __init__(self, database: ControlDatabase) -> None:
        self._database = database

    def record(self, rows: Sequence[RefusedRow]) -> None:
        """Remember rows that were refused, for the first time or once more."""
        self._each(_RECORD, rows)

    def remove(self, rows: Sequence[RefusedRow]) -> None:
        """Forget rows that the graph has now, or whose source has them no more."""
        self._each(_REMOVE, rows)

    def pending(self) -> tuple[RefusedRow, ...]:
        """Rows that are to be tried again."""

        def ask(connection: Connection) -> tuple[RefusedRow, ...]:
            if not connection.execute(_IS_THERE).scalar_one():
                return ()
            rows = connection.execute(_PENDING, {"most": MOST_PENDING})
            return tuple(
                RefusedRow(
                    source_id=row.source_id,
                    table_name=row.table_name,
                    key=tuple(json.loads(row.row_key)),
                )
                for row in rows
            )

        return self._database.run(ask)

    def _each(self, statement: TextClause, rows: Iterable[RefusedRow]) -> None:
        values = [row.values for row in rows]
        if not values:
            return

        def change(connection: Connection) -> None:
            if connection.execute(_IS_THERE).scalar_one():
                connection.execute(statement, values)

        self._database.run(change)


@dataclass(kw_only=True)
class Outcome:
    """What was written, and which rows were refused."""

    written: Written = field(default_factory=Written)
    refused: list[RefusedRow] = field(default_factory=list)


class _Lost(Exception):
    """The graph is not ours at the moment."""


def write_all_but_refused(
    writer: GraphWriter, changes: GraphChanges, *, before: str, after: str
) -> Outcome | None:
    """Write changes; None where the graph is not ours at the moment.

    Args:
        writer: writes.
        changes: are halved until the rows that are refused stand alone.
        before: the follower's mark until everything is written.
        after: its mark then.

    Raises:
        StatementError: the server refuses whatever it is sent, or keeps failing.
    """
    try:
        written = writer.write(changes, follow=after)
        return None if written is None else Outcome(written=written)
    except (StatementRefusedError, ServerMemoryError):
        found = Outcome()
    try:
        # Where a mark alone is refused, no row is at fault.
        _write(writer, GraphChanges(), before, found)
        _write_halves(writer, changes, before, found)
        _write(writer, GraphChanges(), after, found)
    except _Lost:
        return None
    return found


def _write_halves(writer: GraphWriter, changes: GraphChanges, mark: str, found: Outcome) -> None:
    """Write each half of what was refused as a whole, and of what is refused of that each half again."""
    pieces = list(_pieces(changes))
    if len(pieces) == 1:
        _note(pieces[0], writer, mark, found)
        return
    half = len(pieces) // 2
    for part in (_joined(pieces[:half]), _joined(pieces[half:])):
        try:
            _write(writer, part, mark, found)
        except (StatementRefusedError, ServerMemoryError):
            _write_halves(writer, part, mark, found)


def _note(piece: GraphChanges, writer: GraphWriter, mark: str, found: Outcome) -> None:
    """Note a row that is refused alone; what is no row is tried once more, and its error is raised."""
    try:
        _write(writer, piece, mark, found)
    except (StatementRefusedError, ServerMemoryError) as error:
        if not _is_row(piece):
            raise
        (read,) = piece.reads
        (line,) = key_lines(read)
        found.refused.append(refused_row(read.table, line, reason=str(error)))
        if len(found.refused) > MOST_REFUSED:
            raise StatementError(
                f"More than {MOST_REFUSED} rows are refused at once, last: {error}"
            ) from None


def _write(writer: GraphWriter, changes: GraphChanges, mark: str, found: Outcome) -> None:
    written = writer.write(changes, follow=mark)
    if written is None:
        raise _Lost
    found.written.add(written)


def refused_row(table: TableMapping, line: bytes, *, reason: str = "") -> RefusedRow:
    """A row by the line of its key."""
    texts = (decode_value(text) or "" for text in line.decode().split("\t"))
    return RefusedRow(
        source_id=table.source.source_id,
        table_name=table.table_name,
        key=tuple(texts),
        reason=reason,
    )


def _pieces(changes: GraphChanges) -> Iterator[GraphChanges]:
    for table in changes.emptied:
        yield GraphChanges(emptied=(table,))
    for read in changes.reads:
        for line in read.gone:
            yield GraphChanges(reads=(RowsRead(table=read.table, rows=(), gone=(line,)),))
    for read in changes.reads:
        for line in read.rows:
            yield GraphChanges(reads=(RowsRead(table=read.table, rows=(line,), gone=()),))


def _is_row(piece: GraphChanges) -> bool:
    return bool(piece.reads and piece.reads[0].rows)


def _joined(pieces: list[GraphChanges]) -> GraphChanges:
    tables: dict[str, TableMapping] = {}
    rows: dict[str, list[bytes]] = {}
    gone: dict[str, list[bytes]] = {}
    for piece in pieces:
        for read in piece.reads:
            name = read.table.qualified_name
            tables[name] = read.table
            rows.setdefault(name, []).extend(read.rows)
            gone.setdefault(name, []).extend(read.gone)
    return GraphChanges(
        emptied=tuple(table for piece in pieces for table in piece.emptied),
        reads=tuple(
            RowsRead(table=table, rows=tuple(rows[name]), gone=tuple(gone[name]))
            for name, table in tables.items()
        ),
    )


class PendingErrors:
    """Of one follower."""

    def __init__(
        self,
        control: ControlDatabase,
        tables: Iterable[TableMapping],
        *,
        warn: Callable[[str], None],
    ) -> None:
        self._errors = FollowErrors(control)
        self._tables = {
            (table.source.source_id, table.table_name): table for table in tables if table.key
        }
        self._pending: set[tuple[int, str, tuple[str, ...]]] = set()
        self._warn = warn

    def read(self) -> tuple[RefusedRow, ...]:
        """The rows that are to be tried again; those of tables that are mapped no more are forgotten."""
        pending = self._errors.pending()
        self._pending = {(row.source_id, row.table_name, row.key) for row in pending}
        self._errors.remove([row for row in pending if self._table(row) is None])
        return tuple(row for row in pending if self._can_be_read(row))

    def note(
        self,
        changes: GraphChanges,
        refused: Iterable[RefusedRow],
        *,
        marks: Mapping[str, SlotMark],
    ) -> None:
        """Record the rows that were refused, and forget those that were written or are gone."""
        found = []
        for row in refused:
            table = self._table(row)
            mark = marks.get(table.source.source_name) if table else None
            found.append(
                RefusedRow(
                    source_id=row.source_id,
                    table_name=row.table_name,
                    key=row.key,
                    reason=row.reason,
                    lsn=mark.lsn if mark else "",
                )
            )
            self._warn(
                f"A row of {table.qualified_name if table else row.table_name} is not in the graph, since Neo4j"
                f" refused it: {row.reason} Its key is in etl_follow_errors."
            )
        self._errors.record(found)
        bad = {(row.source_id, row.table_name, row.key) for row in found}
        if self._pending:
            done = [row for row in _rows(changes) if _name(row) in self._pending - bad]
            self._errors.remove(done)
            self._pending -= {_name(row) for row in done}
        self._pending |= bad

    def _table(self, row: RefusedRow) -> TableMapping | None:
        return self._tables.get((row.source_id, row.table_name))

    def _can_be_read(self, row: RefusedRow) -> bool:
        table = self._table(row)
        if table is None or len(row.key) != len(table.key):
            return False
        columns = [table.property_of(column) for column in table.key]
        return all(
            prop is not None and prop.treatment is None and prop.type.base in _READ_AGAIN
            for prop in columns
        )


def _name(row: RefusedRow) -> tuple[int, str, tuple[str, ...]]:
    return (row.source_id, row.table_name, row.key)


def _rows(changes: GraphChanges) -> Iterable[RefusedRow]:
    for read in changes.reads:
        for line in (*key_lines(read), *read.gone):
            yield refused_row(read.table, line)
