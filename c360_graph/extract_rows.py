"""The rows of an extract as a stream: counted while they are written, checked and joined while they are read."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO

from c360_graph.errors import ExtractError
from c360_graph.extract_manifest import RowsPart, WrittenRows

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


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
