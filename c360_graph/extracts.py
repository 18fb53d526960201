"""Where extract files lie, how one is committed and found again.

::

    <data dir>/extracts/<source>/<table>/<UTC microseconds>-<log id>/rows.tsv
                                                                    /manifest.json
                                        /latest.json                (written last: names the folder)
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from pydantic import ValidationError

from c360_graph.data_folder import make_private_folder, writing_into
from c360_graph.errors import ExtractError
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.model import TableMapping

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PRIVATE_FILE = 0o600
WRITE_BYTES = 1 << 20

_LONGEST_FOLDER_NAME = 240
_ROWS, _MANIFEST, _LATEST = "rows.tsv", "manifest.json", "latest.json"


class ExtractManifest(Frozen):
    """What a committed extract holds. The table is described as it was when it was read."""

    table: TableMapping
    rows: int
    rows_left_out: int = 0
    values_absent: dict[str, int]
    file_bytes: int
    file_lines: int
    file_digest: str
    longest_row_bytes: int
    log_id: int
    table_log_id: int
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


class ExtractStore:
    """The extracts under one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "extracts"

    def table_folder(self, asset_key: tuple[str, str]) -> Path:
        """Where a table's extracts lie, whether there are any or not."""
        source, table = (_folder_name(part) for part in asset_key)
        return self._root / source / table

    @contextmanager
    def new_folder(self, asset_key: tuple[str, str], log_id: int) -> Iterator[Path]:
        """A folder for one extract; it is removed when the block fails.

        Raises:
            DataFolderError: the disk refuses it, or what the block writes into it.
        """
        folder = self.table_folder(asset_key) / f"{file_stamp()}-{log_id}"
        with writing_into(folder):
            make_private_folder(folder, within=self._root.parent)
            try:
                yield folder
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise

    def commit(self, folder: Path, manifest: ExtractManifest) -> Extract:
        """Make an extract the table's latest: manifest first, the pointer last."""
        write_whole(folder / _MANIFEST, manifest.model_dump_json().encode())
        write_whole(folder.parent / _LATEST, json.dumps({"extract": folder.name}).encode())
        return Extract(folder, manifest)

    def latest(self, asset_key: tuple[str, str]) -> Extract | None:
        """The table's last good extract, None where there is none.

        Raises:
            ExtractError: it is there but damaged.
        """
        pointer = self.table_folder(asset_key) / _LATEST
        if not pointer.exists():
            return None
        try:
            folder = pointer.parent / json.loads(pointer.read_bytes())["extract"]
            return _read(folder)
        except (OSError, ValueError, KeyError, ValidationError) as error:
            raise ExtractError(
                f"The latest extract of {'/'.join(asset_key)} is damaged"
                f" ({type(error).__name__}). Materialize that asset again."
            ) from None

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
        excluded since is in no file. Folders newer than the latest are left alone: another run may be
        writing one.
        """
        latest = self.latest(asset_key)
        if latest is None:
            return 0
        allowed = [old for old in self._older(asset_key) if _holds_no_more(old, latest)]
        kept = {old.folder for old in allowed[: keep - 1]}
        removed = [folder for folder in _older_folders(latest) if folder not in kept]
        for folder in removed:
            shutil.rmtree(folder, ignore_errors=True)
        return len(removed)

    def _older(self, asset_key: tuple[str, str]) -> Iterator[Extract]:
        """Committed extracts before the latest that are whole, the newest first."""
        latest = self.latest(asset_key)
        for folder in _older_folders(latest) if latest else ():
            with suppress(OSError, ValueError):
                yield _read(folder)


def _read(folder: Path) -> Extract:
    manifest = ExtractManifest.model_validate_json((folder / _MANIFEST).read_bytes())
    if (folder / _ROWS).stat().st_size != manifest.file_bytes:
        raise ValueError("rows.tsv has another size than its manifest says")
    return Extract(folder, manifest)


def _older_folders(latest: Extract) -> list[Path]:
    folders = (f for f in latest.folder.parent.iterdir() if f.is_dir())
    return sorted((f for f in folders if f.name < latest.folder.name), reverse=True)


def _holds_no_more(old: Extract, latest: Extract) -> bool:
    """Whether an extract treats every column that the latest knows as that one does."""
    excluded = {column.column for column in latest.manifest.table.excluded}
    treated = {prop.column: prop.treatment for prop in latest.manifest.table.properties}
    return all(
        prop.column not in excluded and treated.get(prop.column, prop.treatment) == prop.treatment
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


@contextmanager
def open_private(path: Path) -> Iterator[BinaryIO]:
    """A new file with mode 0600, flushed to the disk at the end."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb", buffering=WRITE_BYTES) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file so that a reader finds the old one or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        with open_private(temporary) as file:
            file.write(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def file_stamp() -> str:
    """This moment in UTC to the microsecond, sortable, fit for a file name."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S_%fZ")


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
