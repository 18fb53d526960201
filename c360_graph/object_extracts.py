"""Extracts in object storage, and the store of a location.

::

    <C360_DATA_URI>/extracts/<source>/<table>/<UTC microseconds>-<log id>/rows.tsv
                                                                         /manifest.json
                                             /latest.json
    <data dir>/work/       (what the join engine reads and spills, for as long as it works)

The rows are uploaded while they are read. `latest.json` is written last and names an extract as in a folder;
it is only replaced in the version that was read. An extract that it does not name yet is left alone for
a day, since nobody can tell whether its writer lives.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from c360_graph.errors import ExtractError
from c360_graph.extract_manifest import (
    EXTRACT_NAME,
    LATEST,
    MANIFEST,
    ROWS,
    Extract,
    ExtractManifest,
    Pointer,
    WrittenRows,
    folder_name,
    holds_no_more,
)
from c360_graph.extracts import ExtractStore
from c360_graph.files import WRITE_BYTES, file_stamp, open_private, private_folder
from c360_graph.mapping.model import TableMapping
from c360_graph.object_storage import Bucket, DataLocation, ObjectFile, ObjectWriter
from c360_graph.work_folders import remove_dead_work, work_folder

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

UNCOMMITTED_FOR = timedelta(days=1)
"""How long objects of an extract that was never committed are left alone."""
_ROOT = "extracts"
_REQUESTS = 16
"""Small objects that are asked for at a time."""


class ObjectExtract(Extract):
    """A committed extract in object storage."""

    def __init__(
        self, store: ObjectExtractStore, rows: ObjectFile, manifest: ExtractManifest
    ) -> None:
        super().__init__(manifest)
        self._store, self._rows = store, rows

    @property
    def name(self) -> str:
        """The part of the key that only this extract has."""
        return self._rows.key.rsplit("/", 2)[1]

    @property
    def location(self) -> str:
        """The URI of the rows."""
        return str(self._rows)

    @property
    def rows_path(self) -> Path:
        """A copy in the work folder that the store has open, fetched when it is first asked for.

        Raises:
            ExtractError: the copy differs from what was written.
            DataFolderError: the storage or the disk refuses.
        """
        return self._store.fetched(self)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The rows from their beginning; whoever reads them to their end has read what was written.

        Raises:
            ExtractError: they differ from what was written; at their end.
            FileNotFoundError, ObjectStorageError: the storage refuses.
        """
        with self._rows.open() as file:
            checked = _CheckedReader(file, self.manifest)
            with io.BufferedReader(checked, WRITE_BYTES) as rows:
                yield cast(BinaryIO, rows)


class _CheckedReader(io.RawIOBase):
    """Rows that are read once from their beginning, and compared with their digest at the end."""

    def __init__(self, file: BinaryIO, manifest: ExtractManifest) -> None:
        super().__init__()
        self._file, self._manifest = file, manifest
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
        is_at_end = not data or self._size == self._manifest.file_bytes
        if is_at_end and self._digest.hexdigest() != self._manifest.file_digest:
            raise ExtractError(
                f"The extract of {self._manifest.table.qualified_name} differs from what was written. Materialize"
                " that asset again."
            )
        return len(data)


class ObjectDraft:
    """An extract that is being uploaded."""

    def __init__(self, folder: _TableObjects, name: str) -> None:
        self._folder, self._name = folder, name

    @contextmanager
    def open_rows(self) -> Iterator[tuple[BinaryIO, WrittenRows]]:
        """Where to write the rows, and what tells of them once the block has ended."""
        with self._folder.file(self._name, ROWS).new_file() as upload:
            file = _CountedUpload(upload)
            with io.BufferedWriter(file, WRITE_BYTES) as out:
                yield cast(BinaryIO, out), file.rows

    def commit(self, manifest: ExtractManifest) -> Extract:
        """Make it the table's latest extract."""
        return self._folder.commit(self._name, manifest)


class _CountedUpload(io.RawIOBase):
    def __init__(self, upload: ObjectWriter) -> None:
        super().__init__()
        self._upload = upload
        self.rows = WrittenRows()

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        written = bytes(data)
        self._upload.write(written)
        self.rows.add(written)
        return len(written)


class _TableObjects:
    """The objects of one table's extracts."""

    def __init__(self, store: ObjectExtractStore, bucket: Bucket, prefix: str) -> None:
        self._store, self._bucket, self.prefix = store, bucket, prefix

    def file(self, name: str, part: str) -> ObjectFile:
        return self._bucket.file(f"{self.prefix}{name}/{part}")

    def pointer(self) -> Pointer | None:
        try:
            return _pointer(self._bucket.file(f"{self.prefix}{LATEST}").read_bytes())
        except FileNotFoundError:
            return None

    def change_pointer(self, change: Callable[[Pointer], Pointer | None]) -> None:
        def changed(old: bytes | None) -> bytes | None:
            before = Pointer(former=())
            if old is not None:
                with suppress(ValueError):
                    before = _pointer(old)
            new = change(before)
            return None if new is None or new == before else new.model_dump_json().encode()

        self._bucket.file(f"{self.prefix}{LATEST}").change(changed)

    def commit(self, name: str, manifest: ExtractManifest) -> Extract:
        self.file(name, MANIFEST).write_bytes(manifest.model_dump_json().encode())
        columns = manifest.table.known_columns
        self.change_pointer(
            lambda before: Pointer(extract=name, former=_names(before), columns=columns)
        )
        return ObjectExtract(self._store, self.file(name, ROWS), manifest)

    def read(self, name: str) -> Extract:
        rows = self.file(name, ROWS)
        manifest = self.manifest(name)
        if rows.head() != manifest.file_bytes:
            raise ValueError("rows.tsv has another size than its manifest says")
        return ObjectExtract(self._store, rows, manifest)

    def manifest(self, name: str) -> ExtractManifest:
        return ExtractManifest.model_validate_json(self.file(name, MANIFEST).read_bytes())

    def remove(self, name: str) -> None:
        # The rows first: what has a manifest is found again by whoever cleans.
        for part in (ROWS, MANIFEST):
            self.file(name, part).unlink()


class ObjectExtractStore:
    """The extracts below a prefix of a bucket; each method does what that of `ExtractStore` does."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._work: Path | None = None

    def _table(self, asset_key: tuple[str, str]) -> _TableObjects:
        source, table = (folder_name(part) for part in asset_key)
        return _TableObjects(self, self._bucket, f"{_ROOT}/{source}/{table}/")

    @contextmanager
    def new_extract(self, asset_key: tuple[str, str], *, log_id: int) -> Iterator[ObjectDraft]:
        """An extract of a table that is being read in a run; it is gone when it is not committed.

        Raises:
            ObjectStorageError: the storage cannot be reached or refuses.
        """
        table, name = self._table(asset_key), f"{file_stamp()}-{log_id}"
        try:
            yield ObjectDraft(table, name)
        except BaseException:
            with suppress(Exception):
                pointer = table.pointer()
                if pointer is None or name not in _names(pointer):
                    table.remove(name)
            raise

    @contextmanager
    def work_folder(self) -> Iterator[Path]:
        """A folder for what is made of extracts for a while, and for copies of them that the join engine reads."""
        with work_folder(self._bucket.scratch / "work") as folder:
            self._work = folder
            try:
                yield folder
            finally:
                self._work = None

    def fetched(self, extract: Extract) -> Path:
        """A copy of an extract's rows in the work folder; see `ObjectExtract.rows_path`."""
        assert self._work is not None, "a copy of an extract needs an open work folder"
        table = extract.manifest.table
        source, name = (folder_name(part) for part in table.asset_key)
        path = self._work / "extracts" / source / name / extract.name / ROWS
        if not path.exists():
            private_folder(path.parent)
            part = path.with_suffix(".part")
            with extract.open() as rows, open_private(part) as copy:
                while block := rows.read(WRITE_BYTES):
                    copy.write(block)
            part.rename(path)
        return path

    def latest(self, asset_key: tuple[str, str]) -> Extract | None:
        """The table's last good extract, None where there is none.

        Raises:
            ExtractError: it is there but damaged.
            ObjectStorageError: the storage cannot be reached or refuses.
        """
        table = self._table(asset_key)
        try:
            pointer = table.pointer()
            return table.read(pointer.extract) if pointer and pointer.extract else None
        except (FileNotFoundError, ValueError) as error:
            raise ExtractError(
                f"The latest extract of {'/'.join(asset_key)} is damaged"
                f" ({type(error).__name__}). Materialize that asset again."
            ) from None

    def known_columns(self, asset_key: tuple[str, str]) -> frozenset[str] | None:
        """The columns that were known when the latest extract was read; None where none was."""
        with suppress(ValueError):
            pointer = self._table(asset_key).pointer()
            return frozenset(pointer.columns) if pointer and pointer.columns is not None else None
        return None

    def former(self, asset_key: tuple[str, str]) -> Extract | None:
        """The extract before the latest, None where none is kept."""
        return next(iter(self._older(asset_key)), None)

    def kept(self, asset_key: tuple[str, str]) -> Iterator[Extract]:
        """The latest extract and those before it that are still there, the newest first."""
        latest = self.latest(asset_key)
        if latest is not None:
            yield latest
            yield from self._older(asset_key)

    def prune(self, asset_key: tuple[str, str], *, keep: int) -> int:
        """Remove all but the newest `keep` committed extracts, and former ones that hold what the latest does not."""
        latest = self.latest(asset_key)
        if latest is None:
            return 0
        allowed = [o for o in self._older(asset_key) if holds_no_more(o.manifest, latest.manifest)]
        kept = {latest.name, *(old.name for old in allowed[: keep - 1])}
        return _remove_but(self._table(asset_key), kept)

    def remove_leftovers(self) -> int:
        """Remove local work of killed processes, and what was uploaded a day ago and never committed."""
        removed = remove_dead_work(self._bucket.scratch / "work")
        old = datetime.now(UTC) - UNCOMMITTED_FOR
        for table, names in self._every_table():
            expired = {name for name, changed in names.items() if changed < old}
            if expired:
                pointer = table.pointer()
                for name in sorted(expired - set(_names(pointer) if pointer else ())):
                    table.remove(name)
                    removed += 1
        return removed

    def purge(self, is_forbidden: Callable[[TableMapping], bool]) -> tuple[str, ...]:
        """Remove every extract that holds what is forbidden now, the latest too; `source/table` of each."""
        removed: list[str] = []
        for table, name, extract in self._all():
            if is_forbidden(extract.manifest.table):
                _forget(table, name, extract.manifest)
                removed.append(extract.manifest.table.qualified_name)
        return tuple(removed)

    def every(self) -> Iterator[Extract]:
        """Every extract that is there, of tables that are not mapped any more too; rows may lack."""
        return (extract for _, _, extract in self._all())

    def _all(self) -> list[tuple[_TableObjects, str, Extract]]:
        found = [(table, name) for table, names in self._every_table() for name in sorted(names)]

        def read(one: tuple[_TableObjects, str]) -> tuple[_TableObjects, str, Extract] | None:
            table, name = one
            with suppress(FileNotFoundError, ValueError):
                rows, manifest = table.file(name, ROWS), table.manifest(name)
                return table, name, ObjectExtract(self, rows, manifest)
            return None

        with ThreadPoolExecutor(max_workers=_REQUESTS) as pool:
            return [extract for extract in pool.map(read, found) if extract is not None]

    def _every_table(self) -> Iterable[tuple[_TableObjects, dict[str, datetime]]]:
        """Each table, and when something was last written to each of its extracts."""
        tables: dict[str, dict[str, datetime]] = {}
        for file in self._bucket.files(f"{_ROOT}/"):
            parts = file.key.split("/")
            if len(parts) == 5 and EXTRACT_NAME.fullmatch(parts[3]) and file.changed:
                names = tables.setdefault("/".join(parts[:3]) + "/", {})
                names[parts[3]] = max(names.get(parts[3], file.changed), file.changed)
        for prefix, names in tables.items():
            yield _TableObjects(self, self._bucket, prefix), names

    def _older(self, asset_key: tuple[str, str]) -> Iterator[Extract]:
        table = self._table(asset_key)
        pointer = table.pointer()
        for name in _names(pointer) if pointer else ():
            if name != (pointer.extract if pointer else None):
                with suppress(FileNotFoundError, ValueError):
                    yield table.read(name)


Extracts = ExtractStore | ObjectExtractStore
"""The extracts of a location."""


def extract_store(location: DataLocation) -> Extracts:
    """The extracts of a location."""
    return ExtractStore(location) if isinstance(location, Path) else ObjectExtractStore(location)


def _pointer(content: bytes) -> Pointer:
    found = Pointer.model_validate_json(content)
    for name in _names(found):
        if not EXTRACT_NAME.fullmatch(name):
            raise ValueError("latest.json names what is no extract")
    return found


def _names(pointer: Pointer) -> tuple[str, ...]:
    """The latest extract and those before it, the newest first."""
    latest = (pointer.extract,) if pointer.extract else ()
    return (*latest, *(name for name in pointer.former or () if name != pointer.extract))


def _forget(table: _TableObjects, forgotten: str, manifest: ExtractManifest) -> None:
    def without(pointer: Pointer) -> Pointer | None:
        names = _names(pointer)
        if forgotten not in names:
            return None
        is_latest = pointer.extract == forgotten
        return Pointer(
            extract=None if is_latest else pointer.extract,
            former=tuple(n for n in names if n not in (forgotten, pointer.extract)),
            columns=pointer.columns or (manifest.table.known_columns if is_latest else None),
        )

    table.change_pointer(without)
    table.remove(forgotten)


def _remove_but(table: _TableObjects, kept: set[str]) -> int:
    """Remove a table's other committed extracts."""
    removed: list[str] = []

    def only_kept(pointer: Pointer) -> Pointer | None:
        removed.clear()
        if pointer.extract and pointer.extract not in kept:
            # Another process has committed an extract since.
            return None
        removed.extend(name for name in pointer.former or () if name not in kept)
        former = tuple(name for name in pointer.former or () if name in kept)
        return pointer.model_copy(update={"former": former})

    table.change_pointer(only_kept)
    for name in removed:
        table.remove(name)
    return len(removed)
