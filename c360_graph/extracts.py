"""Where extract files lie, how one is committed and found again.

::

    <data dir>/extracts/<source>/<table>/<UTC microseconds>-<log id>/rows.tsv
                                                                    /rows_0001.tsv, ...
                                                                    /manifest.json
                                        /latest.json
                       /.work/                                      (extracts that are being read)
              /work/                                                (what the join engine spills)

The rows of a table that several steps read are in parts, `rows_0001.tsv` and so on, instead of `rows.tsv`. Each
step writes its parts into the work folder of the step that began the extract and commits it.

`latest.json` is written last. It names the folder of the latest extract and of those before it, the newest
first: names hold the time of a clock, which may have been wrong.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import chain, count
from pathlib import Path

from c360_graph.errors import ExtractError
from c360_graph.extract_files import (
    EXTRACT_NAME,
    LATEST,
    MANIFEST,
    Extract,
    ExtractDraft,
    ExtractManifest,
    FolderExtract,
    Pointer,
    RowsFile,
    WrittenRows,
    check_before_commit,
    folder_name,
    holds_no_more,
    open_rows,
)
from c360_graph.files import (
    PRIVATE_FILE,
    WRITE_BYTES,
    existing_work_folder,
    file_stamp,
    locked_folder,
    make_private_folder,
    open_private,
    remove_dead_parts,
    remove_dead_work,
    work_folder,
    write_whole,
    writing_into,
)
from c360_graph.mapping.model import TableMapping

__all__ = [
    "PRIVATE_FILE",
    "WRITE_BYTES",
    "Extract",
    "ExtractDraft",
    "ExtractManifest",
    "ExtractStore",
    "FolderExtract",
    "RowsFile",
    "WrittenRows",
    "file_stamp",
    "open_private",
    "open_rows",
    "write_whole",
]

_WORK = ".work"


class ExtractStore:
    """The extracts under one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._root = data_dir / "extracts"

    def table_folder(self, asset_key: tuple[str, str]) -> Path:
        """Where a table's extracts lie, whether there are any or not."""
        source, table = (folder_name(part) for part in asset_key)
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

    @contextmanager
    def new_extract(self, asset_key: tuple[str, str], *, log_id: int) -> Iterator[ExtractDraft]:
        """An extract of a table that is being read in a run; it is gone when it is not committed.

        Raises:
            DataFolderError: the disk refuses it, or what the block writes into it.
        """
        with self.new_folder() as folder:
            yield ExtractDraft(folder, self.commit)

    def join_draft(self, asset_key: tuple[str, str], name: str) -> ExtractDraft:
        """A draft that another process began with `new_extract`, by its `name`.

        Raises:
            ExtractError: it is not a draft of this data folder, or is not being read any more.
        """
        folder = existing_work_folder(self._root / _WORK, name)
        if folder is None:
            raise ExtractError(
                f"{name!r} is not an extract of {'/'.join(asset_key)} that is being read. Start the run again, with"
                " one data folder for all its steps."
            )
        return ExtractDraft(folder, self.commit)

    def work_folder(self) -> AbstractContextManager[Path]:
        """A folder for what is made of extracts for a while; it is removed with the block."""
        return work_folder(self._data_dir / "work")

    def commit(self, folder: Path, manifest: ExtractManifest) -> FolderExtract:
        """Make an extract the table's latest: manifest first, the pointer last.

        Raises:
            ExtractError: a file of the manifest is missing or has another size.
        """
        check_before_commit(
            manifest, {path.name: path.stat().st_size for path in folder.glob("rows*.tsv")}
        )
        write_whole(folder / MANIFEST, manifest.to_json())
        table_folder = self.table_folder(manifest.table.asset_key)
        make_private_folder(table_folder, within=self._data_dir)
        with locked_folder(table_folder):
            former: tuple[str, ...] = ()
            with suppress(OSError, ValueError):
                before = _pointer(table_folder)
                former = _chain(table_folder, before) if before else ()
            committed = _moved(folder, table_folder, manifest.log_id)
            # Nobody can write a part into it any more.
            _remove_unnamed(committed, manifest)
            pointer = Pointer(
                extract=committed.name, former=former, columns=manifest.table.known_columns
            )
            _write_pointer(table_folder, pointer)
        return FolderExtract(committed, manifest)

    def latest(self, asset_key: tuple[str, str]) -> FolderExtract | None:
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

    def former(self, asset_key: tuple[str, str]) -> FolderExtract | None:
        """The extract before the latest, None where none is kept."""
        return next(iter(self._older(asset_key)), None)

    def kept(self, asset_key: tuple[str, str]) -> Iterator[FolderExtract]:
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
        allowed = [
            old for old in self._older(asset_key) if holds_no_more(old.manifest, latest.manifest)
        ]
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

    def every(self) -> Iterator[FolderExtract]:
        """Every extract that is there, of tables that are not mapped any more too; rows may lack."""
        for folder in self._table_folders():
            for extract in sorted(path for path in folder.iterdir() if _is_extract(path)):
                with suppress(OSError, ValueError):
                    yield FolderExtract(extract, _read_manifest(extract))

    def _table_folders(self) -> Iterator[Path]:
        with suppress(OSError):
            for source in sorted(self._root.iterdir()):
                if source.name != _WORK and source.is_dir() and not source.is_symlink():
                    yield from sorted(p for p in source.iterdir() if p.is_dir())

    def _older(self, asset_key: tuple[str, str]) -> Iterator[FolderExtract]:
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
        found = Pointer.model_validate_json((folder / LATEST).read_bytes())
    except FileNotFoundError:
        return None
    for name in (found.extract, *(found.former or ())):
        if name is not None and not EXTRACT_NAME.fullmatch(name):
            raise ValueError("latest.json names what is no folder of an extract")
    return found


def _write_pointer(folder: Path, pointer: Pointer) -> None:
    write_whole(folder / LATEST, pointer.model_dump_json().encode())


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


def _remove_unnamed(extract: Path, manifest: ExtractManifest) -> None:
    """Remove parts that were not taken, and what killed processes wrote of them."""
    named = {MANIFEST, *(file.name for file in manifest.files)}
    for path in extract.iterdir():
        if path.name not in named:
            path.unlink()


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
    return bool(EXTRACT_NAME.fullmatch(path.name)) and path.is_dir() and not path.is_symlink()


def _read(folder: Path, name: str) -> FolderExtract:
    if not _is_extract(folder / name):
        raise ValueError("latest.json names what is no folder of an extract")
    manifest = _read_manifest(folder / name)
    for file in manifest.files:
        if (folder / name / file.name).stat().st_size != file.file_bytes:
            raise ValueError(f"{file.name} has another size than its manifest says")
    return FolderExtract(folder / name, manifest)


def _read_manifest(extract: Path) -> ExtractManifest:
    return ExtractManifest.model_validate_json((extract / MANIFEST).read_bytes())
