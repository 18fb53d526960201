"""SQL of the join engine over extract files: their rows, their lines, and a query's rows as such a file."""

from __future__ import annotations

from pathlib import Path

from c360_graph.extracts import Extract
from c360_graph.sql_quoting import sql_literal

READ_BYTES = 2_000_000
_SHORT_LINE = 100_000


def file_rows(extract: Extract) -> str:
    """SQL for the columns c0, c1, ... of COPY's text form, escapes left as they are: equal values have equal texts."""
    names = ", ".join(f"'c{i}': 'VARCHAR'" for i, _ in enumerate(extract.manifest.table.properties))
    return _read(extract, delimiter="\t", columns=f"{{{names}}}")


def file_lines(extract: Extract) -> str:
    """SQL for the column `line`: each row's text as a whole."""
    # COPY writes a backspace as an escape, so that none stands in the text and nothing is cut apart.
    return _read(extract, delimiter="\b", columns="{'line': 'VARCHAR'}")


def written_to(path: Path, query: str) -> str:
    """SQL that writes the one column of a query into a file, a line for each row, nothing quoted."""
    return (
        f"COPY ({query}) TO {sql_literal(str(path))}"
        " (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\b')"
    )


def _read(extract: Extract, *, delimiter: str, columns: str) -> str:
    size = max(extract.manifest.longest_row_bytes, _SHORT_LINE)
    # By itself it takes 32 MB at a time, and keeps several: so much that the limit stopped joins.
    sizes = f"max_line_size={size}, buffer_size={max(2 * size, READ_BYTES)}"
    files = [sql_literal(str(path)) for path in extract.rows_paths]
    read = files[0] if len(files) == 1 else f"[{', '.join(files)}]"
    return (
        f"read_csv({read}, delim='{delimiter}', quote='', escape='',"
        f" nullstr='\\N', header=false, auto_detect=false, columns={columns}, {sizes})"
    )
