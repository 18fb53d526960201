"""Extracts written on the spot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from c360_graph.extract_files import Extract, RowsPart, digest_of_parts
from c360_graph.extract_objects import ObjectDraft
from c360_graph.extracts import (
    ExtractDraft,
    ExtractManifest,
    ExtractStore,
    FolderExtract,
    WrittenRows,
    open_rows,
)
from c360_graph.mapping.model import TableMapping
from c360_graph.object_extracts import Extracts


def extract(store: ExtractStore, of: TableMapping, lines: Sequence[str]) -> FolderExtract:
    """Commit these lines of COPY's text form as the table's latest extract."""
    now = datetime.now(UTC)
    with store.new_folder() as folder:
        with open_rows(folder) as (out, file):
            out.write("".join(f"{line}\n" for line in lines).encode())
        manifest = ExtractManifest(
            table=of,
            rows=len(lines),
            values_absent={},
            file_bytes=file.size,
            file_lines=file.lines,
            file_digest=file.digest,
            longest_row_bytes=max((len(line.encode()) for line in lines), default=0),
            log_id=1,
            table_log_id=1,
            start_time=now,
            end_time=now,
        )
        return store.commit(folder, manifest)


def written_part(draft: ExtractDraft | ObjectDraft, name: str, rows: bytes) -> RowsPart:
    """Write one part of an extract."""
    with draft.open_part(name) as (out, file):
        out.write(rows)
    return part_of(name, file)


def part_of(name: str, file: WrittenRows) -> RowsPart:
    """What the manifest says of a part that was written."""
    return RowsPart(name=name, file_bytes=file.size, file_lines=file.lines, file_digest=file.digest)


def manifest_of(of: TableMapping, parts: Sequence[RowsPart]) -> ExtractManifest:
    """The manifest of an extract in parts."""
    now = datetime.now(UTC)
    lines = sum(part.file_lines for part in parts)
    return ExtractManifest(
        table=of,
        rows=lines,
        values_absent={},
        file_bytes=sum(part.file_bytes for part in parts),
        file_lines=lines,
        file_digest=digest_of_parts(part.file_digest for part in parts),
        parts=tuple(parts),
        longest_row_bytes=100,
        log_id=1,
        table_log_id=1,
        start_time=now,
        end_time=now,
    )


def extract_in_parts(store: Extracts, of: TableMapping, parts: Mapping[str, bytes]) -> Extract:
    """Commit these parts as the table's latest extract."""
    with store.new_extract(of.asset_key, log_id=1) as draft:
        written = [written_part(draft, name, rows) for name, rows in parts.items()]
        return draft.commit(manifest_of(of, written))
