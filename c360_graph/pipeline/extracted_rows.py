"""The rows of an extract that were read, in one file or in a part for each range."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from c360_graph.control.table_reads import ReadPart
from c360_graph.extract_files import RowsPart, digest_of_parts
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.model import TableMapping
from c360_graph.object_extracts import Draft
from c360_graph.source.snapshot import SourceSnapshot


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
