"""Finds the rows that Neo4j refuses, so that all others of their batch are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from c360_graph.control.follow_errors import RefusedRow
from c360_graph.cypher.copy_text import decode_value
from c360_graph.errors import ServerMemoryError, StatementError, StatementRefusedError
from c360_graph.following.graph_writer import GraphChanges, GraphWriter, Written, key_lines
from c360_graph.mapping.model import TableMapping
from c360_graph.source.key_reads import RowsRead

MOST_REFUSED = 100
"""More rows refused at once are not the rows' fault."""


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
