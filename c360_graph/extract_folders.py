"""One extract in a folder: committed, or being read by one or several processes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from c360_graph.data_folder import writing_into
from c360_graph.errors import ExtractError
from c360_graph.extract_manifest import (
    ROWS,
    Extract,
    ExtractManifest,
    WrittenRows,
    checked_part_name,
)
from c360_graph.extract_rows import CountedRows, RowsInOrder
from c360_graph.files import PRIVATE_FILE, WRITE_BYTES, written_whole

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


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
