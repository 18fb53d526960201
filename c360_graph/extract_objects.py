"""The objects of one table's extracts: committed, or uploaded by one or several processes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from c360_graph.extract_files import (
    EXTRACT_NAME,
    LATEST,
    MANIFEST,
    ROWS,
    CheckedRows,
    CountedRows,
    Extract,
    ExtractManifest,
    Pointer,
    RowsInOrder,
    RowsPart,
    WrittenRows,
    check_before_commit,
    checked_part_name,
    is_part_name,
    wrong_file,
)
from c360_graph.files import WRITE_BYTES
from c360_graph.object_storage import Bucket, ObjectFile


class ObjectExtract(Extract):
    """A committed extract in object storage."""

    def __init__(
        self, table: TableObjects, name: str, manifest: ExtractManifest, fetch: Fetch
    ) -> None:
        super().__init__(manifest)
        self._table, self._name, self._fetch = table, name, fetch

    @property
    def name(self) -> str:
        """The part of the key that only this extract has."""
        return self._name

    @property
    def location(self) -> str:
        """The URI of the object with the rows, or the prefix of the parts."""
        return str(self._table.file(self._name, "" if self.manifest.parts else ROWS))

    @property
    def rows_paths(self) -> tuple[Path, ...]:
        """Copies in the work folder that the store has open, fetched when they are first asked for.

        Raises:
            ExtractError: a copy differs from what was written.
            DataFolderError: the storage or the disk refuses.
        """
        return self._fetch(self)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The rows from their beginning; whoever reads them to their end has read what was written.

        Raises:
            ExtractError: they differ from what was written; at the end of a file of theirs.
            FileNotFoundError, ObjectStorageError: the storage refuses.
        """
        files = [partial(self.open_file, file) for file in self.manifest.files]
        with io.BufferedReader(RowsInOrder(files), WRITE_BYTES) as rows:
            yield cast(BinaryIO, rows)

    @contextmanager
    def open_file(self, file: RowsPart) -> Iterator[BinaryIO]:
        """The rows of one file; raises as `open`."""
        with self._table.file(self._name, file.name).open() as content:
            table_name = self.manifest.table.qualified_name
            checked = CheckedRows(content, file, table_name=table_name)
            with io.BufferedReader(checked, WRITE_BYTES) as rows:
                yield cast(BinaryIO, rows)


class ObjectDraft:
    """An extract that is being uploaded."""

    def __init__(self, folder: TableObjects, name: str) -> None:
        self._folder, self._name = folder, name

    @contextmanager
    def open_rows(self) -> Iterator[tuple[BinaryIO, WrittenRows]]:
        """Where to write the rows, and what tells of them once the block has ended."""
        with self._open(ROWS) as opened:
            yield opened

    @property
    def name(self) -> str:
        """What `ObjectExtractStore.join_draft` needs in another process: the extract's name."""
        return self._name

    @contextmanager
    def open_part(self, part: str) -> Iterator[tuple[BinaryIO, WrittenRows]]:
        """As `open_rows`, for one part; it is there when the block has ended, and not if that fails.

        Of two writers of the same part the last one stays, so each attempt should have a name of its own.

        Raises:
            ExtractError: the name is not allowed.
            ObjectStorageError: the storage cannot be reached or refuses.
        """
        with self._open(checked_part_name(part)) as opened:
            yield opened

    def remove_part(self, part: str) -> None:
        """Remove a part; no error where it is absent. Raises as `open_part`."""
        self._folder.file(self._name, checked_part_name(part)).unlink()

    def commit(self, manifest: ExtractManifest) -> Extract:
        """Make it the table's latest extract, without parts that the manifest does not name.

        Raises:
            ExtractError: a part of the manifest is missing or has another size.
            ObjectStorageError: the storage cannot be reached or refuses.
        """
        return self._folder.commit(self._name, manifest)

    @contextmanager
    def _open(self, file: str) -> Iterator[tuple[BinaryIO, WrittenRows]]:
        with self._folder.file(self._name, file).new_file() as upload:
            counted = CountedRows(upload.write)
            with io.BufferedWriter(counted, WRITE_BYTES) as out:
                yield cast(BinaryIO, out), counted.rows


class TableObjects:
    """The objects of one table's extracts."""

    def __init__(self, fetch: Fetch, bucket: Bucket, prefix: str) -> None:
        self._fetch, self._bucket, self.prefix = fetch, bucket, prefix

    def file(self, name: str, part: str) -> ObjectFile:
        """A file of an extract."""
        return self._bucket.file(f"{self.prefix}{name}/{part}")

    def files(self, name: str) -> list[ObjectFile]:
        """The files of an extract that are there."""
        return self._bucket.files(f"{self.prefix}{name}/")

    def pointer(self) -> Pointer | None:
        """What `latest.json` says; None where there is none."""
        try:
            return _pointer(self._bucket.file(f"{self.prefix}{LATEST}").read_bytes())
        except FileNotFoundError:
            return None

    def change_pointer(self, change: Callable[[Pointer], Pointer | None]) -> None:
        """Replace `latest.json` by what `change` makes of it; None leaves it as it is."""

        def changed(old: bytes | None) -> bytes | None:
            before = Pointer(former=())
            if old is not None:
                with suppress(ValueError):
                    before = _pointer(old)
            new = change(before)
            return None if new is None or new == before else new.model_dump_json().encode()

        self._bucket.file(f"{self.prefix}{LATEST}").change(changed)

    def commit(self, name: str, manifest: ExtractManifest) -> Extract:
        """Make an extract the table's latest: manifest first, the pointer last."""
        if manifest.parts:
            files = self.files(name)
            check_before_commit(manifest, {file.name: file.size for file in files})
            named = {part.name for part in manifest.parts}
            for file in files:
                if file.name not in named:
                    file.unlink()
        self.file(name, MANIFEST).write_bytes(manifest.to_json())
        columns = manifest.table.known_columns
        self.change_pointer(
            lambda before: Pointer(extract=name, former=before.names, columns=columns)
        )
        return ObjectExtract(self, name, manifest, self._fetch)

    def read(self, name: str) -> Extract:
        """An extract whose files have the sizes that they had when they were written."""
        manifest = self.manifest(name)
        sizes = (
            {file.name: file.size for file in self.files(name)}
            if manifest.parts
            else {ROWS: self.file(name, ROWS).head()}
        )
        if (wrong := wrong_file(manifest, sizes)) is not None:
            raise ValueError(f"{wrong} is missing or has another size than its manifest says")
        return ObjectExtract(self, name, manifest, self._fetch)

    def extract(self, name: str) -> ObjectExtract:
        """An extract of which only the manifest is read."""
        return ObjectExtract(self, name, self.manifest(name), self._fetch)

    def manifest(self, name: str) -> ExtractManifest:
        """What was written beside the rows."""
        return ExtractManifest.model_validate_json(self.file(name, MANIFEST).read_bytes())

    def remove(self, name: str) -> None:
        """Remove every object of an extract."""
        # The rows first: what has a manifest is found again by whoever cleans.
        for file in sorted(self.files(name), key=lambda file: file.name == MANIFEST):
            file.unlink()

    def remove_late_parts(self, name: str, files: list[ObjectFile]) -> int:
        """Remove those of an extract's old files that were uploaded after its commit."""
        parts = [file for file in files if is_part_name(file.name)]
        with suppress(FileNotFoundError, ValueError):
            named = {file.name for file in self.manifest(name).files} if parts else set()
            late = [part for part in parts if part.name not in named]
            for part in late:
                part.unlink()
            return len(late)
        return 0


Fetch = Callable[[ObjectExtract], tuple[Path, ...]]
"""Makes local copies of an extract's files."""


def _pointer(content: bytes) -> Pointer:
    found = Pointer.model_validate_json(content)
    for name in found.names:
        if not EXTRACT_NAME.fullmatch(name):
            raise ValueError("latest.json names what is no extract")
    return found
