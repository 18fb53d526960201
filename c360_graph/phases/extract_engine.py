"""Extract files as tables of an engine that spills to the disk, so that memory stays small at any size."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from c360_graph.extracts import Extract

MEMORY_LIMIT = "200MB"
_SHORT_LINE = 1_000_000


@contextmanager
def open_engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine of its own, whose temporary files go with it."""
    with (
        tempfile.TemporaryDirectory(prefix="c360_joins_") as folder,
        duckdb.connect(
            ":memory:",
            config={"memory_limit": MEMORY_LIMIT, "threads": 2, "temp_directory": folder},
        ) as connection,
    ):
        yield connection


def file_rows(extract: Extract) -> str:
    """SQL for the columns c0, c1, ... of COPY's text form, escapes left as they are: equal values have equal texts."""
    names = ", ".join(f"'c{i}': 'VARCHAR'" for i, _ in enumerate(extract.manifest.table.properties))
    return (
        f"read_csv({literal(str(extract.rows_path))}, delim='\t', quote='', escape='', nullstr='\\N',"
        f" header=false, auto_detect=false, columns={{{names}}}{_longest_line(extract)})"
    )


def file_lines(extract: Extract) -> str:
    """SQL for the column `line`: each row's text as a whole."""
    # COPY writes a backspace as an escape, so that none stands in the text and nothing is cut apart.
    return (
        f"read_csv({literal(str(extract.rows_path))}, delim='\b', quote='', escape='', nullstr='\\N',"
        f" header=false, auto_detect=false, columns={{'line': 'VARCHAR'}}{_longest_line(extract)})"
    )


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def _longest_line(extract: Extract) -> str:
    """Longer rows than the engine takes by default (2 MB) need larger buffers; they are taken only then."""
    size = extract.manifest.longest_row_bytes
    return f", max_line_size={size}, buffer_size={2 * size}" if size > _SHORT_LINE else ""
