"""An extract, and what is written beside its rows, wherever it is kept."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from datetime import datetime
from hashlib import blake2b, sha256
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.model import TableMapping

ROWS, MANIFEST, LATEST = "rows.tsv", "manifest.json", "latest.json"
_LONGEST_FOLDER_NAME = 240
EXTRACT_NAME = re.compile("[0-9]{8}T[0-9]{6}_[0-9]{6}Z-[0-9]+(-[0-9]+)?")
"""No other folder is taken for an extract, whatever `latest.json` names, and none other is removed."""


class ExtractManifest(Frozen):
    """What a committed extract holds. The table is described as it was when it was read.

    `rows_left_out` counts the rows that the graph cannot hold, `rows_too_long` those of them that an index
    does not take; `left_out_sample` names a few of them by their keys.
    """

    table: TableMapping
    rows: int
    rows_left_out: int = 0
    rows_too_long: int = 0
    left_out_sample: tuple[str, ...] = ()
    values_absent: dict[str, int]
    file_bytes: int
    file_lines: int
    file_digest: str
    longest_row_bytes: int
    log_id: int
    table_log_id: int
    """0 where no source was read for it."""
    highest_id: int | None = None
    """The highest id that was ever given, where the rows are entities of identity resolution."""
    start_time: datetime
    end_time: datetime


class Extract(ABC):
    """A committed extract."""

    def __init__(self, manifest: ExtractManifest) -> None:
        self.manifest = manifest

    @property
    @abstractmethod
    def name(self) -> str:
        """By which the table's extracts are told apart."""

    @property
    @abstractmethod
    def location(self) -> str:
        """Where its rows are: a path or a URI."""

    @property
    @abstractmethod
    def rows_path(self) -> Path:
        """A local file with the rows in COPY's text form, for programs that read one."""

    @abstractmethod
    def open(self) -> AbstractContextManager[BinaryIO]:
        """The rows from their beginning, in COPY's text form."""


class Pointer(Frozen):
    """What `latest.json` says of a table.

    `former` is None where an older version wrote it. `columns` are those that were known when the latest
    extract was read; they stay where that extract had to go.
    """

    extract: str | None = None
    former: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None


class WrittenRows:
    """What is known of rows that were written, so that nobody has to read them for that."""

    def __init__(self) -> None:
        self.size = self.lines = 0
        self._digest = blake2b()

    @property
    def digest(self) -> str:
        """Of all bytes so far."""
        return self._digest.hexdigest()

    def add(self, written: bytes) -> None:
        """Count what was written."""
        self.size += len(written)
        self.lines += written.count(b"\n")
        self._digest.update(written)


def holds_no_more(old: ExtractManifest, latest: ExtractManifest) -> bool:
    """Whether an extract treats every column that the latest knows as that one does."""
    excluded = {column.column for column in latest.table.excluded}
    treated = {prop.origin: prop.treatment for prop in latest.table.properties}
    return all(
        prop.origin not in excluded and treated.get(prop.origin, prop.treatment) == prop.treatment
        for prop in old.table.properties
    )


def folder_name(name: str) -> str:
    """Any name as one folder of its own, on file systems that ignore letter case too."""
    escaped = quote(name, safe="").replace("~", "%7E").replace("%20", " ")
    # Neither `.` nor `..`, and no end that some systems drop.
    escaped = re.sub(r"^[. ]|[. ]$", lambda match: f"%{ord(match[0]):02X}", escaped)
    if name == name.lower() and len(escaped) <= _LONGEST_FOLDER_NAME:
        return escaped
    # No escaped name holds `~`, so that no other name has this ending.
    ending = "~" + sha256(name.encode()).hexdigest()[:16]
    return escaped[: _LONGEST_FOLDER_NAME - len(ending)] + ending
