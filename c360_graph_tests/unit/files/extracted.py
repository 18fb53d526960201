"""Extracts written on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from c360_graph.extracts import Extract, ExtractManifest, ExtractStore, open_rows
from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.model import PropertyMapping, TableMapping

SOURCE = SourceRow(source_id=1, source_name="clinic", db_name="clinic")


def table(name: str, label: str | None, columns: Sequence[str], *key: str) -> TableMapping:
    """A table of `bigint` columns; one whose name ends in `?` is a nullable text."""
    return TableMapping(
        source=SOURCE,
        table_name=name,
        mapping_id=1,
        node_label=label,
        properties=tuple(
            PropertyMapping(
                column=column.rstrip("?"),
                type=ColumnType(
                    name="text" if column.endswith("?") else "bigint",
                    base="text" if column.endswith("?") else "int8",
                ),
                nullable=column.endswith("?"),
            )
            for column in columns
        ),
        key=key,
    )


def extract(store: ExtractStore, of: TableMapping, lines: Sequence[str]) -> Extract:
    """Commit these lines of COPY's text form as the table's latest extract."""
    now = datetime.now(UTC)
    with store.new_folder(of.asset_key, 1) as folder:
        with open_rows(folder) as (out, file):
            out.write("".join(f"{line}\n" for line in lines).encode())
        manifest = ExtractManifest(
            table=of,
            rows=len(lines),
            source_rows=len(lines),
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
