"""An extract, and what is written beside its rows, wherever it is kept."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from hashlib import blake2b, sha256
from pathlib import Path
from typing import BinaryIO, Self
from urllib.parse import quote

from pydantic import model_validator

from c360_graph.errors import ExtractError
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.model import TableMapping

ROWS, MANIFEST, LATEST = "rows.tsv", "manifest.json", "latest.json"
_LONGEST_FOLDER_NAME = 240
EXTRACT_NAME = re.compile("[0-9]{8}T[0-9]{6}_[0-9]{6}Z-[0-9]+(-[0-9]+)?")
"""No other folder is taken for an extract, whatever `latest.json` names, and none other is removed."""
_PART_NAME = re.compile(r"rows_[0-9]{4,}(_[0-9]+)?\.tsv")


class RowsPart(Frozen):
    """One file of an extract."""

    name: str
    file_bytes: int
    file_lines: int
    file_digest: str


class ExtractManifest(Frozen):
    """What a committed extract holds. The table is described as it was when it was read.

    `rows_left_out` counts the rows that the graph cannot hold, `rows_too_long` those of them that an index
    does not take; `left_out_sample` names a few of them by their keys.

    The rows are in the file `rows.tsv`, or in the files that `parts` names. Then `file_bytes` and `file_lines`
    are the sums of theirs, and `file_digest` is `digest_of_parts` of them.
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
    parts: tuple[RowsPart, ...] = ()
    """In the order in which they are read."""
    longest_row_bytes: int
    log_id: int
    table_log_id: int
    """0 where no source was read for it."""
    highest_id: int | None = None
    """The highest id that was ever given, where the rows are entities of identity resolution."""
    start_time: datetime
    end_time: datetime

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        # It is read from a disk or a bucket: a name must not lead out of the extract.
        if not all(is_part_name(part.name) for part in self.parts):
            raise ValueError("a part has a name that is not allowed")
        if len({part.name for part in self.parts}) < len(self.parts):
            raise ValueError("a part is named twice")
        if self.parts and (self.file_bytes, self.file_lines, self.file_digest) != (
            sum(part.file_bytes for part in self.parts),
            sum(part.file_lines for part in self.parts),
            digest_of_parts(part.file_digest for part in self.parts),
        ):
            raise ValueError("the bytes, lines or digest are not those of the parts")
        return self

    @property
    def files(self) -> tuple[RowsPart, ...]:
        """The files with the rows, in the order in which they are read."""
        return self.parts or (
            RowsPart(
                name=ROWS,
                file_bytes=self.file_bytes,
                file_lines=self.file_lines,
                file_digest=self.file_digest,
            ),
        )

    def to_json(self) -> bytes:
        """The content of `manifest.json`. Without parts it is what versions before parts wrote."""
        return self.model_dump_json(exclude=None if self.parts else {"parts"}).encode()


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
        """Where its rows are: the path or URI of the file, or of the folder with the parts."""

    @property
    @abstractmethod
    def rows_paths(self) -> tuple[Path, ...]:
        """Local files with the rows in COPY's text form, in their order, for programs that read files."""

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

    @property
    def names(self) -> tuple[str, ...]:
        """The latest extract and those before it, the newest first."""
        latest = (self.extract,) if self.extract else ()
        return (*latest, *(name for name in self.former or () if name != self.extract))


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


def wrong_file(manifest: ExtractManifest, sizes: Mapping[str, int | None]) -> str | None:
    """The first file that is missing or has another size than the manifest says, None where none is."""
    files = manifest.files
    return next((file.name for file in files if sizes.get(file.name) != file.file_bytes), None)


def check_before_commit(manifest: ExtractManifest, sizes: Mapping[str, int | None]) -> None:
    """Check that the files of a draft are those that its manifest names.

    Raises:
        ExtractError: one is missing or has another size.
    """
    wrong = wrong_file(manifest, sizes)
    if wrong is not None:
        raise ExtractError(
            f"The file {wrong} of the new extract of {manifest.table.qualified_name} is missing or has another"
            " size than was written. Materialize that asset again."
        )


def digest_of_parts(digests: Iterable[str]) -> str:
    """The digest of an extract from the digests of its parts in their order."""
    return blake2b("\n".join(digests).encode()).hexdigest()


def is_part_name(name: str) -> bool:
    """Whether a part of an extract may have this name.

    >>> is_part_name("rows_0003.tsv"), is_part_name("rows_0003_2.tsv"), is_part_name("../rows_0003.tsv")
    (True, True, False)
    """
    return bool(_PART_NAME.fullmatch(name))


def checked_part_name(name: str) -> str:
    """A name of a part that came from elsewhere.

    Raises:
        ExtractError: no part has such a name.
    """
    if not is_part_name(name):
        raise ExtractError(
            f"{name!r} is not the name of a part of an extract, such as 'rows_0003.tsv'."
        )
    return name


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
