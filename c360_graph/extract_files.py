"""The files of one extract: its manifest, its rows as a stream, and the folder in which it is committed or being read."""

from __future__ import annotations

import io
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from functools import partial
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self
from urllib.parse import quote

from pydantic import model_validator

from c360_graph.errors import ExtractError
from c360_graph.files import PRIVATE_FILE, WRITE_BYTES, writing_into, written_whole
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.model import TableMapping

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


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


class CountedRows(io.RawIOBase):
    """Rows that are handed on; `rows` tells what was written."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        super().__init__()
        self._write = write
        self.rows = WrittenRows()

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Called with a megabyte at a time by the buffer before it."""
        written = bytes(data)
        self._write(written)
        self.rows.add(written)
        return len(written)


class CheckedRows(io.RawIOBase):
    """A file of rows that is read once from its beginning, and compared with its digest at the end."""

    def __init__(self, file: BinaryIO, expected: RowsPart, *, table_name: str) -> None:
        super().__init__()
        self._file, self._expected, self._table_name = file, expected, table_name
        self._digest, self._size = blake2b(), 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read on."""
        view = memoryview(buffer).cast("B")
        data = self._file.read(len(view))
        view[: len(data)] = data
        self._digest.update(data)
        self._size += len(data)
        is_at_end = not data or self._size == self._expected.file_bytes
        if is_at_end and self._digest.hexdigest() != self._expected.file_digest:
            raise ExtractError(
                f"The extract of {self._table_name} differs from what was written. Materialize that asset"
                " again."
            )
        return len(data)


class RowsInOrder(io.RawIOBase):
    """Several files of rows as one; each is opened when the one before it has ended."""

    def __init__(self, files: Iterable[Callable[[], AbstractContextManager[BinaryIO]]]) -> None:
        super().__init__()
        self._files = iter(files)
        self._opened = ExitStack()
        self._file: BinaryIO | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read on, in the next file where this one has ended."""
        view = memoryview(buffer).cast("B")
        while True:
            if self._file is None:
                file = next(self._files, None)
                if file is None:
                    return 0
                self._file = self._opened.enter_context(file())
            data = self._file.read(len(view))
            if data:
                view[: len(data)] = data
                return len(data)
            self._file = None
            self._opened.close()

    def close(self) -> None:
        """Read no further."""
        self._opened.close()
        super().close()


class FolderExtract(Extract):
    """A committed extract in a folder."""

    def __init__(self, folder: Path, manifest: ExtractManifest) -> None:
        super().__init__(manifest)
        self.folder = folder

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.name

    @property
    def location(self) -> str:
        """The path of the file with the rows, or of the folder with the parts."""
        return str((self.folder if self.manifest.parts else self.rows_paths[0]).resolve())

    @property
    def rows_paths(self) -> tuple[Path, ...]:
        """The files in COPY's text form, in their order."""
        return tuple(self.folder / file.name for file in self.manifest.files)

    def open(self) -> AbstractContextManager[BinaryIO]:
        """The rows from their beginning."""
        if len(self.rows_paths) == 1:
            return _opened(self.rows_paths[0])
        return io.BufferedReader(
            RowsInOrder(partial(_opened, path) for path in self.rows_paths), WRITE_BYTES
        )


class RowsFile(io.FileIO):
    """A new file of rows; `rows` tells what was written to it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "xb", opener=lambda name, flags: os.open(name, flags, PRIVATE_FILE))
        self.rows = WrittenRows()

    def write(self, data: ReadableBuffer, /) -> int:
        """As any file; called with a megabyte at a time by the buffer before it."""
        written = bytes(memoryview(data)[: super().write(data)])
        self.rows.add(written)
        return len(written)


class ExtractDraft:
    """An extract that is being read into a folder."""

    def __init__(
        self, folder: Path, commit: Callable[[Path, ExtractManifest], FolderExtract]
    ) -> None:
        self._folder, self._commit = folder, commit

    def open_rows(self) -> AbstractContextManager[tuple[BinaryIO, WrittenRows]]:
        """Where to write the rows, and what tells of them once the block has ended."""
        return open_rows(self._folder)

    @property
    def name(self) -> str:
        """What `ExtractStore.join_draft` needs in another process: the path of the folder."""
        return str(self._folder.resolve())

    @contextmanager
    def open_part(self, part: str) -> Iterator[tuple[BinaryIO, WrittenRows]]:
        """As `open_rows`, for one part; it is there when the block has ended, and not if that fails.

        Of two writers of the same part the last one stays, so each attempt should have a name of its own.

        Raises:
            ExtractError: the name is not allowed, or the extract is not being read any more.
            DataFolderError: the disk refuses it, or what the block writes into it.
        """
        path = self._folder / checked_part_name(part)
        with _writing_draft(self._folder), written_whole(path) as file:
            counted = CountedRows(file.write)
            with io.BufferedWriter(counted, WRITE_BYTES) as out:
                yield out, counted.rows

    def remove_part(self, part: str) -> None:
        """Remove a part; no error where it is absent, or the extract is not being read any more.

        Raises:
            ExtractError: the name is not allowed.
            DataFolderError: the disk refuses it.
        """
        with _writing_draft(self._folder):
            (self._folder / checked_part_name(part)).unlink(missing_ok=True)

    def commit(self, manifest: ExtractManifest) -> FolderExtract:
        """Make it the table's latest extract, without parts that the manifest does not name.

        Raises:
            ExtractError: a file of the manifest is missing or has another size.
        """
        return self._commit(self._folder, manifest)


@contextmanager
def open_rows(folder: Path) -> Iterator[tuple[BinaryIO, WrittenRows]]:
    """An extract's new file: where to write, and what tells of it once the block has ended."""
    file = RowsFile(folder / ROWS)
    with io.BufferedWriter(file, WRITE_BYTES) as out:
        yield out, file.rows
        out.flush()
        os.fsync(file.fileno())


@contextmanager
def _writing_draft(folder: Path) -> Iterator[None]:
    """Say in one sentence why a draft's folder cannot be written."""
    with writing_into(folder):
        try:
            yield
        except OSError:
            if folder.is_dir():
                raise
            raise ExtractError(
                f"The extract in {folder} is not being read any more. Start the run again."
            ) from None


def _opened(path: Path) -> BinaryIO:
    return path.open("rb", buffering=WRITE_BYTES)
