"""Extracts in object storage, and the store of a location.

::

    <C360_DATA_URI>/extracts/<source>/<table>/<UTC microseconds>-<log id>/rows.tsv
                                                                         /rows_0001.tsv, ...
                                                                         /manifest.json
                                             /latest.json
    <data dir>/work/       (what the join engine reads and spills, for as long as it works)

The rows are uploaded while they are read, by one step as `rows.tsv`, by several steps as parts. `latest.json` is written last and names an extract as in a folder;
it is only replaced in the version that was read. An extract that it does not name yet is left alone for
a day, since nobody can tell whether its writer lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from c360_graph.errors import ExtractError
from c360_graph.extract_files import (
    EXTRACT_NAME,
    Extract,
    ExtractDraft,
    ExtractManifest,
    Pointer,
    folder_name,
    holds_no_more,
)
from c360_graph.extract_objects import ObjectDraft, ObjectExtract, TableObjects
from c360_graph.extracts import ExtractStore
from c360_graph.files import (
    WRITE_BYTES,
    file_stamp,
    open_private,
    private_folder,
    remove_dead_work,
    work_folder,
)
from c360_graph.mapping.model import TableMapping
from c360_graph.object_storage import Bucket, DataLocation, ObjectFile

UNCOMMITTED_FOR = timedelta(days=1)
"""How long objects of an extract that was never committed are left alone."""
_ROOT = "extracts"
_REQUESTS = 16
"""Small objects that are asked for at a time."""


class ObjectExtractStore:
    """The extracts below a prefix of a bucket; each method does what that of `ExtractStore` does."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._work: Path | None = None

    def _table(self, asset_key: tuple[str, str]) -> TableObjects:
        source, table = (folder_name(part) for part in asset_key)
        return TableObjects(self.fetched, self._bucket, f"{_ROOT}/{source}/{table}/")

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
                if pointer is None or name not in pointer.names:
                    table.remove(name)
            raise

    def join_draft(self, asset_key: tuple[str, str], name: str) -> ObjectDraft:
        """A draft that another process began with `new_extract`, by its `name`.

        Raises:
            ExtractError: it is not the name of an extract.
        """
        if not EXTRACT_NAME.fullmatch(name):
            raise ExtractError(f"{name!r} is not an extract of {'/'.join(asset_key)} in a bucket.")
        return ObjectDraft(self._table(asset_key), name)

    @contextmanager
    def work_folder(self) -> Iterator[Path]:
        """A folder for what is made of extracts for a while, and for copies of them that the join engine reads."""
        with work_folder(self._bucket.scratch / "work") as folder:
            self._work = folder
            try:
                yield folder
            finally:
                self._work = None

    def fetched(self, extract: ObjectExtract) -> tuple[Path, ...]:
        """Copies of an extract's files in the work folder; see `ObjectExtract.rows_paths`."""
        assert self._work is not None, "a copy of an extract needs an open work folder"
        table = extract.manifest.table
        source, name = (folder_name(part) for part in table.asset_key)
        folder = private_folder(self._work / "extracts" / source / name / extract.name)
        for file in extract.manifest.files:
            path = folder / file.name
            if not path.exists():
                part = path.with_suffix(".part")
                with extract.open_file(file) as rows, open_private(part) as copy:
                    while block := rows.read(WRITE_BYTES):
                        copy.write(block)
                part.rename(path)
        return tuple(folder / file.name for file in extract.manifest.files)

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
        before = datetime.now(UTC) - UNCOMMITTED_FOR
        for table, extracts in self._every_table():
            old = {
                name: [file for file in files if file.changed and file.changed < before]
                for name, files in extracts.items()
            }
            committed: set[str] = set()
            if any(old.values()):
                pointer = table.pointer()
                committed.update(pointer.names if pointer else ())
            for name, files in sorted(old.items()):
                if name in committed:
                    removed += table.remove_late_parts(name, files)
                elif len(files) == len(extracts[name]):
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

    def _all(self) -> list[tuple[TableObjects, str, Extract]]:
        found = [(table, name) for table, names in self._every_table() for name in sorted(names)]

        def read(one: tuple[TableObjects, str]) -> tuple[TableObjects, str, Extract] | None:
            table, name = one
            with suppress(FileNotFoundError, ValueError):
                return table, name, table.extract(name)
            return None

        with ThreadPoolExecutor(max_workers=_REQUESTS) as pool:
            return [extract for extract in pool.map(read, found) if extract is not None]

    def _every_table(self) -> Iterable[tuple[TableObjects, dict[str, list[ObjectFile]]]]:
        """Each table, and the objects of each of its extracts."""
        tables: dict[str, dict[str, list[ObjectFile]]] = {}
        for file in self._bucket.files(f"{_ROOT}/"):
            parts = file.key.split("/")
            if len(parts) == 5 and EXTRACT_NAME.fullmatch(parts[3]):
                names = tables.setdefault("/".join(parts[:3]) + "/", {})
                names.setdefault(parts[3], []).append(file)
        for prefix, names in tables.items():
            yield TableObjects(self.fetched, self._bucket, prefix), names

    def _older(self, asset_key: tuple[str, str]) -> Iterator[Extract]:
        table = self._table(asset_key)
        pointer = table.pointer()
        for name in pointer.names if pointer else ():
            if name != (pointer.extract if pointer else None):
                with suppress(FileNotFoundError, ValueError):
                    yield table.read(name)


Extracts = ExtractStore | ObjectExtractStore
"""The extracts of a location."""
Draft = ExtractDraft | ObjectDraft
"""An extract of it that is being read."""


def extract_store(location: DataLocation) -> Extracts:
    """The extracts of a location."""
    return ExtractStore(location) if isinstance(location, Path) else ObjectExtractStore(location)


def _forget(table: TableObjects, forgotten: str, manifest: ExtractManifest) -> None:
    def without(pointer: Pointer) -> Pointer | None:
        names = pointer.names
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


def _remove_but(table: TableObjects, kept: set[str]) -> int:
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
