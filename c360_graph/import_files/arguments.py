"""The arguments of `neo4j-admin database import full`, as a file that it reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from c360_graph.errors import ImportFilesError
from c360_graph.import_files.csv_values import LIST_DELIMITER

LEAST_BUFFER = 4_194_304
"""Bytes of the importer's buffers by itself; one value has to fit."""

_NOT_IN_PATHS = frozenset(",=\"'\\#@\n\r\t")


@dataclass(frozen=True, kw_only=True)
class ImportInput:
    """A header and the file that it describes; `group` is a label or type, None where a column has it."""

    kind: Literal["nodes", "relationships"]
    group: str | None
    header: Path
    data: Path


def arguments_text(
    inputs: Iterable[ImportInput], *, report: Path, has_line_breaks: bool, longest_row_bytes: int
) -> str:
    """The text of the file, an argument a line.

    >>> from pathlib import Path
    >>> text = arguments_text([], report=Path("/f/r"), has_line_breaks=False, longest_row_bytes=9)
    >>> print(text, end="")
    "--report-file=/f/r"
    "--id-type=integer"
    "--array-delimiter=U+001F"
    "--multiline-fields=false"
    "--read-buffer-size=4194304"
    """
    lines = [
        f"--report-file={report}",
        "--id-type=integer",
        f"--array-delimiter=U+{LIST_DELIMITER:04X}",
        f"--multiline-fields={'true' if has_line_breaks else 'false'}",
        # A quoted value takes up to twice the characters, and the importer wants room around it.
        f"--read-buffer-size={max(LEAST_BUFFER, 4 * longest_row_bytes)}",
    ]
    for given in inputs:
        group = f"{given.group}=" if given.group is not None else ""
        lines.append(f"--{given.kind}={group}{given.header},{given.data}")
    return "".join(f'"{line}"\n' for line in lines)


def refuse_path(folder: Path) -> None:
    """Make sure that the importer reads a folder's name as it is.

    Raises:
        ImportFilesError: it has a character that means something to the importer.
    """
    wrong = sorted(_NOT_IN_PATHS.intersection(str(folder)))
    if wrong:
        raise ImportFilesError(
            f"{folder} has {', '.join(map(repr, wrong))} in its path, which neo4j-admin does not read as it"
            " is. Choose another folder."
        )


def import_command(
    program: str, database: str, arguments: Path, options: Iterable[str] = ()
) -> list[str]:
    """The command that imports.

    >>> from pathlib import Path
    >>> " ".join(import_command("neo4j-admin", "neo4j", Path("/import/arguments.txt")))
    'neo4j-admin database import full neo4j @/import/arguments.txt'
    """
    # The name stands first: an option for files takes every word behind it.
    return [program, "database", "import", "full", database, *options, f"@{arguments}"]
