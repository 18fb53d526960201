"""Where extract files lie, how one is committed and found again.

::

    <data dir>/extracts/<source>/<table>/<UTC microseconds>-<log id>/rows.tsv
                                                                    /manifest.json
                                        /latest.json
                       /.work/                                      (extracts that are being read)
              /work/                                                (what the join engine spills)

`latest.json` is written last. It names the folder of the latest extract and of those before it, the newest
first: names hold the time of a clock, which may have been wrong.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from hashlib import blake2b, sha256
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from c360_graph.data_folder import make_private_folder, writing_into
from c360_graph.errors import ExtractError
from c360_graph.files import (
    PRIVATE_FILE,
    WRITE_BYTES,
    file_stamp,
    locked_folder,
    open_private,
    remove_dead_parts,
    write_whole,
)
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.model import TableMapping
from c360_graph.work_folders import remove_dead_work, work_folder

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = [
    "PRIVATE_FILE",
    "WRITE_BYTES",
    "Extract",
    "ExtractManifest",
    "ExtractStore",
    "RowsFile",
    "file_stamp",
    "open_private",
    "open_rows",
    "write_whole",
]

_LONGEST_FOLDER_NAME = 240
_ROWS, _MANIFEST, _LATEST, _WORK = "rows.tsv", "manifest.json", "latest.json", ".work"
_EXTRACT_NAME = re.compile("[0-9]{8}T[0-9]{6}_[0-9]{6}Z-[0-9]+(-[0-9]+)?")
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


class Extract:
    """A committed extract."""

    def __init__(self, folder: Path, manifest: ExtractManifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @property
    def rows_path(self) -> Path:
        """The file in COPY's text form."""
        return self.folder / _ROWS

    def open(self) -> AbstractContextManager[BinaryIO]:
        """The rows from their beginning."""
        return self.rows_path.open("rb", buffering=WRITE_BYTES)


class RowsFile(io.FileIO):
    """A new file of rows that knows what was written to it, so that nobody has to read it for that."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "xb", opener=lambda name, flags: os.open(name, flags, PRIVATE_FILE))
        self.size = self.lines = 0
        self._digest = blake2b()

    @property
    def digest(self) -> str:
        """Of all bytes so far."""
        return self._digest.hexdigest()

    def write(self, data: ReadableBuffer, /) -> int:
        """As any file; called with a megabyte at a time by the buffer before it."""
        written = bytes(memoryview(data)[: super().write(data)])
        self.size += len(written)
        self.lines += written.count(b"\n")
        self._digest.update(written)
        return len(written)


class Pointer(Frozen):
    """What `latest.json` says of a table.

    `former` is None where an older version wrote it. `columns` are those that were known when the latest
    extract was read; they stay where that extract had to go.
    """

    extract: str | None = None
    former: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None


class ExtractStore:
    """The extracts under one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._root = data_dir / "extracts"

    def table_folder(self, asset_key: tuple[str, str]) -> Path:
        """Where a table's extracts lie, whether there are any or not."""
        source, table = (_folder_name(part) for part in asset_key)
        return self._root / source / table

    @contextmanager
    def new_folder(self) -> Iterator[Path]:
        """A folder for one extract that is being read; it is removed when it is not committed.

        Raises:
            DataFolderError: the disk refuses it, or what the block writes into it.
        """
        with writing_into(self._data_dir):
            make_private_folder(self._root / _WORK, within=self._data_dir)
            with work_folder(self._root / _WORK) as folder:
                yield folder

    def work_folder(self) -> AbstractContextManager[Path]:
        """A folder for what is made of extracts for a while; it is removed with the block."""
        return work_folder(self._data_dir / "work")

    def commit(self, folder: Path, manifest: ExtractManifest) -> Extract:
        """Make an extract the table's latest: manifest first, the pointer last."""
        write_whole(folder / _MANIFEST, manifest.model_dump_json().encode())
        table_folder = self.table_folder(manifest.table.asset_key)
        make_private_folder(table_folder, within=self._data_dir)
        with locked_folder(table_folder):
            former: tuple[str, ...] = ()
            with suppress(OSError, ValueError):
                before = _pointer(table_folder)
                former = _chain(table_folder, before) if before else ()
            committed = _moved(folder, table_folder, manifest.log_id)
            pointer = Pointer(
                extract=committed.name, former=former, columns=manifest.table.known_columns
            )
            _write_pointer(table_folder, pointer)
        return Extract(committed, manifest)

    def latest(self, asset_key: tuple[str, str]) -> Extract | None:
        """The table's last good extract, None where there is none.

        Raises:
            ExtractError: it is there but damaged.
        """
        folder = self.table_folder(asset_key)
        try:
            pointer = _pointer(folder)
            return _read(folder, pointer.extract) if pointer and pointer.extract else None
        except (OSError, ValueError) as error:
            raise ExtractError(
                f"The latest extract of {'/'.join(asset_key)} is damaged"
                f" ({type(error).__name__}). Materialize that asset again."
            ) from None

    def known_columns(self, asset_key: tuple[str, str]) -> frozenset[str] | None:
        """The columns that were known when the latest extract was read; None where none was."""
        folder = self.table_folder(asset_key)
        with suppress(OSError, ValueError):
            pointer = _pointer(folder)
            if pointer and pointer.columns is None and pointer.extract:
                return frozenset(_read_manifest(folder / pointer.extract).table.known_columns)
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
        """Remove all but the newest `keep` committed extracts; returns how many were removed.

        Of the former ones those go too that hold a column otherwise than the latest does: what was
        excluded since is in no file. So does a folder that was never committed.
        """
        latest = self.latest(asset_key)
        if latest is None:
            return 0
        allowed = [old for old in self._older(asset_key) if _holds_no_more(old, latest)]
        kept = {latest.folder.name, *(old.folder.name for old in allowed[: keep - 1])}
        return _remove_but(self.table_folder(asset_key), kept)

    def remove_leftovers(self) -> int:
        """Remove what killed processes left: work, parts of files, and folders never committed."""
        removed = remove_dead_work(self._data_dir / "work")
        removed += remove_dead_work(self._root / _WORK) + remove_dead_parts(self._data_dir)
        for folder in self._table_folders():
            removed += remove_dead_parts(folder)
            with suppress(OSError, ValueError):
                pointer = _pointer(folder)
                names = (*_chain(folder, pointer), pointer.extract) if pointer else ()
                removed += _remove_but(folder, {name for name in names if name})
        return removed

    def purge(self, is_forbidden: Callable[[TableMapping], bool]) -> tuple[str, ...]:
        """Remove every extract that holds what is forbidden now, the latest too.

        Those of tables that are not mapped any more count. Returns `source/table` of each that went.
        """
        removed: list[str] = []
        for extract in self.every():
            if is_forbidden(extract.manifest.table):
                _forget(extract.folder.parent, extract.folder.name)
                removed.append(extract.manifest.table.qualified_name)
        return tuple(removed)

    def every(self) -> Iterator[Extract]:
        """Every extract that is there, of tables that are not mapped any more too; rows may lack."""
        for folder in self._table_folders():
            for extract in sorted(path for path in folder.iterdir() if _is_extract(path)):
                with suppress(OSError, ValueError):
                    yield Extract(extract, _read_manifest(extract))

    def _table_folders(self) -> Iterator[Path]:
        with suppress(OSError):
            for source in sorted(self._root.iterdir()):
                if source.name != _WORK and source.is_dir() and not source.is_symlink():
                    yield from sorted(p for p in source.iterdir() if p.is_dir())

    def _older(self, asset_key: tuple[str, str]) -> Iterator[Extract]:
        """Committed extracts before the latest that are whole, the newest first."""
        folder = self.table_folder(asset_key)
        pointer = _pointer(folder)
        for name in _chain(folder, pointer) if pointer else ():
            if name != (pointer.extract if pointer else None):
                with suppress(OSError, ValueError):
                    yield _read(folder, name)


def _pointer(folder: Path) -> Pointer | None:
    """What `latest.json` says; None where there is none.

    Raises:
        OSError, ValueError: it is damaged, or names what is no extract's folder.
    """
    try:
        found = Pointer.model_validate_json((folder / _LATEST).read_bytes())
    except FileNotFoundError:
        return None
    for name in (found.extract, *(found.former or ())):
        if name is not None and not _EXTRACT_NAME.fullmatch(name):
            raise ValueError("latest.json names what is no folder of an extract")
    return found


def _write_pointer(folder: Path, pointer: Pointer) -> None:
    write_whole(folder / _LATEST, pointer.model_dump_json().encode())


def _chain(folder: Path, pointer: Pointer) -> tuple[str, ...]:
    """The latest extract that is there and those before it, the newest first."""
    if pointer.former is not None:
        former = pointer.former
    else:
        # An older version did not write them down; what is larger in its log was made later.
        others = [path for path in folder.iterdir() if _is_extract(path)]
        found = {path.name: order for path in others if (order := _log_order(path)) is not None}
        found.pop(pointer.extract or "", None)
        former = tuple(sorted(found, key=lambda name: (found[name], name), reverse=True))
    names = (pointer.extract, *former) if pointer.extract else former
    return tuple(name for name in dict.fromkeys(names) if _is_extract(folder / name))


def _log_order(extract: Path) -> tuple[int, int] | None:
    with suppress(OSError, ValueError):
        manifest = _read_manifest(extract)
        return manifest.log_id, manifest.table_log_id
    return None


def _moved(folder: Path, table_folder: Path, log_id: int) -> Path:
    """Give an extract's folder its own name in the table's folder."""
    name = f"{file_stamp()}-{log_id}"
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return folder.rename(next(table_folder / n for n in names if not (table_folder / n).exists()))


def _forget(folder: Path, name: str) -> None:
    with locked_folder(folder):
        pointer = _pointer(folder)
        if pointer is not None:
            columns = pointer.columns
            if columns is None and pointer.extract:
                columns = _read_manifest(folder / pointer.extract).table.known_columns
            others = tuple(other for other in _chain(folder, pointer) if other != name)
            is_latest = pointer.extract == name
            _write_pointer(
                folder,
                Pointer(
                    extract=None if is_latest else pointer.extract,
                    former=tuple(other for other in others if other != pointer.extract),
                    columns=columns,
                ),
            )
        shutil.rmtree(folder / name)


def _remove_but(folder: Path, kept: set[str]) -> int:
    """Remove the folders of a table's other extracts, committed or not."""
    with locked_folder(folder):
        pointer = _pointer(folder) or Pointer()
        if pointer.extract and pointer.extract not in kept:
            # Another process has committed an extract since.
            return 0
        removed = [p for p in folder.iterdir() if _is_extract(p) and p.name not in kept]
        former = tuple(name for name in _chain(folder, pointer) if name in kept - {pointer.extract})
        if pointer.extract and former != pointer.former:
            _write_pointer(folder, pointer.model_copy(update={"former": former}))
        for extract in removed:
            shutil.rmtree(extract, ignore_errors=True)
    return len(removed)


def _is_extract(path: Path) -> bool:
    return bool(_EXTRACT_NAME.fullmatch(path.name)) and path.is_dir() and not path.is_symlink()


def _read(folder: Path, name: str) -> Extract:
    if not _is_extract(folder / name):
        raise ValueError("latest.json names what is no folder of an extract")
    manifest = _read_manifest(folder / name)
    if (folder / name / _ROWS).stat().st_size != manifest.file_bytes:
        raise ValueError("rows.tsv has another size than its manifest says")
    return Extract(folder / name, manifest)


def _read_manifest(extract: Path) -> ExtractManifest:
    return ExtractManifest.model_validate_json((extract / _MANIFEST).read_bytes())


def _holds_no_more(old: Extract, latest: Extract) -> bool:
    """Whether an extract treats every column that the latest knows as that one does."""
    excluded = {column.column for column in latest.manifest.table.excluded}
    treated = {prop.origin: prop.treatment for prop in latest.manifest.table.properties}
    return all(
        prop.origin not in excluded and treated.get(prop.origin, prop.treatment) == prop.treatment
        for prop in old.manifest.table.properties
    )


@contextmanager
def open_rows(folder: Path) -> Iterator[tuple[BinaryIO, RowsFile]]:
    """An extract's new file: where to write, and what tells of it once the block has ended."""
    file = RowsFile(folder / _ROWS)
    with io.BufferedWriter(file, WRITE_BYTES) as out:
        yield out, file
        out.flush()
        os.fsync(file.fileno())


def _folder_name(name: str) -> str:
    """Any name as one folder of its own, on file systems that ignore letter case too."""
    escaped = quote(name, safe="").replace("~", "%7E").replace("%20", " ")
    # Neither `.` nor `..`, and no end that some systems drop.
    escaped = re.sub(r"^[. ]|[. ]$", lambda match: f"%{ord(match[0]):02X}", escaped)
    if name == name.lower() and len(escaped) <= _LONGEST_FOLDER_NAME:
        return escaped
    # No escaped name holds `~`, so that no other name has this ending.
    ending = "~" + sha256(name.encode()).hexdigest()[:16]
    return escaped[: _LONGEST_FOLDER_NAME - len(ending)] + ending
