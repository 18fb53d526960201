"""Extracts written on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from c360_graph.extracts import ExtractManifest, ExtractStore, FolderExtract, open_rows
from c360_graph.mapping.model import TableMapping


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
