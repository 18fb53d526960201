"""Files of scripts, plain or compressed, and which of them are the pipeline's own: those it wrote, where it wrote them.

::

    <data dir>/scripts/graph_output_<UTC microseconds>_<log id>.cypher[.zst]
              /scripts.json     (other folders that scripts were written to; the script loaded last)

A row of `cypher_scripts` can name any path. A file is read or removed on behalf of a row only where it is
one of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from backports import zstd

from c360_graph.control.audit import ScriptLog
from c360_graph.errors import ScriptError, SettingsError
from c360_graph.files import (
    is_regular,
    locked_folder,
    private_folder,
    remove_dead_parts,
    write_whole,
    written_whole,
)
from c360_graph.mapping.control_rows import Frozen
from c360_graph.object_storage import Bucket, DataLocation, KeptFile, ObjectFile, uploaded_whole

PLAIN, COMPRESSED = ".cypher", ".cypher.zst"

_MAGIC = b"\x28\xb5\x2f\xfd"
"""A zstd frame begins so, and no text does: 0xFD is in no UTF-8."""
# Measured on 146 MB: level 1 54 MB in 1.0 s, level 2 53 MB in 0.9 s, level 3 52 MB in 2.0 s.
_OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: 2,
    zstd.CompressionParameter.checksum_flag: 1,
}

_NAME = re.compile(r"graph_output_[0-9]{8}T[0-9]{6}_[0-9]{6}Z_[0-9]+\.cypher(\.zst)?")
_SCRIPTS, _MEMORY = "scripts", "scripts.json"


@contextmanager
def open_script(path: KeptFile) -> Iterator[BinaryIO]:
    """A script's text from its beginning, as a stream.

    Raises:
        ScriptError: it is compressed, and cut short or damaged; while it is read.
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        is_compressed = file.read(len(_MAGIC)) == _MAGIC
        file.seek(0)
        if not is_compressed:
            yield file
            return
        try:
            with zstd.ZstdFile(file) as text:
                yield cast(BinaryIO, text)
        except (zstd.ZstdError, EOFError):
            raise ScriptError(
                "the compressed script is cut short or damaged; write it again"
            ) from None


@contextmanager
def new_script(
    path: KeptFile, *, compressed: bool, ready: Callable[[int], None] = lambda size: None
) -> Iterator[BinaryIO]:
    """A new file with mode 0600 for a script's text, whole or absent; zstdcat gives it back.

    Args:
        path: of the script.
        compressed: whether it is written as zstd.
        ready: told the size in bytes when all is written, before the file has its name.

    Raises:
        OSError: the disk refuses.
        ObjectStorageError: the storage refuses.
    """
    with written_whole(path) if isinstance(path, Path) else uploaded_whole(path) as file:
        if compressed:
            with zstd.ZstdFile(file, "w", options=_OPTIONS) as text:
                yield cast(BinaryIO, text)
        else:
            yield file
        ready(file.tell())


class _Memory(Frozen):
    """What `scripts.json` says."""

    folders: tuple[str, ...] = ()
    loaded: str | None = None


class ScriptStore:
    """The scripts that a project with this data folder wrote."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.folder = data_dir / _SCRIPTS

    @property
    def folders(self) -> tuple[Path, ...]:
        """The store's own folder, and others that scripts were written to."""
        return (self.folder, *(Path(folder) for folder in self._memory().folders))

    def remember_folder(self, folder: Path) -> None:
        """Call a folder the project's own, before the first script is written to it."""
        private_folder(folder)
        if not any(_is_same(folder, other) for other in self.folders):
            self._change(lambda old: {"folders": (*old.folders, str(folder.resolve()))})

    def path_for(self, name: str, *, folder: str | None = None) -> Path:
        """Where a new script goes."""
        return ((Path(folder) if folder else self.folder) / name).resolve()

    def prepare(self, path: KeptFile) -> None:
        """Make the folder of a new script, and call it the project's own."""
        assert isinstance(path, Path)
        self.remember_folder(path.parent)

    def own_files(self, scripts: Iterable[ScriptLog]) -> list[tuple[ScriptLog, KeptFile]]:
        """Rows with the files that they name, where these are there and are scripts of the project's own."""
        return [(s, path) for s in scripts if (path := self.own_file(s)) is not None]

    def own_file(self, script: ScriptLog) -> Path | None:
        """The file that a row names; None where it is gone, or no script of the project's own."""
        path = Path(script.file_path)
        return path if script.script_name == path.name and self.is_own(path) else None

    def is_own(self, path: Path) -> bool:
        """Whether a path leads to a regular file that is named as a script, in a folder of scripts."""
        return (
            bool(_NAME.fullmatch(path.name))
            and path.is_absolute()
            and is_regular(path)
            and any(_is_same(path.parent, folder) for folder in self.folders)
        )

    def files(self) -> Iterator[Path]:
        """Every script in the project's folders, registered or not."""
        for folder in self.folders:
            with suppress(OSError):
                yield from sorted(
                    p.resolve() for p in folder.iterdir() if self.is_own(p.absolute())
                )

    @property
    def loaded(self) -> str | None:
        """The path of the script that was loaded last, as far as this data folder knows."""
        return self._memory().loaded

    def remember_loaded(self, path: KeptFile) -> None:
        """Note which script was loaded last: times tell no order where a clock was wrong."""
        private_folder(self._data_dir)
        self._change(lambda old: {"loaded": str(path)})

    def remove_leftovers(self) -> int:
        """Remove scripts that a killed process had not finished; returns how many."""
        return sum(remove_dead_parts(folder) for folder in self.folders)

    def _memory(self) -> _Memory:
        with suppress(OSError, ValueError):
            return _Memory.model_validate_json((self._data_dir / _MEMORY).read_bytes())
        return _Memory()

    def _change(self, change: Callable[[_Memory], dict[str, object]]) -> None:
        with locked_folder(self._data_dir):
            old = self._memory()
            new = old.model_copy(update=change(old))
            write_whole(self._data_dir / _MEMORY, new.model_dump_json().encode())


class ObjectScriptStore:
    """The scripts below a prefix of a bucket; each method does what that of `ScriptStore` does."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.folder = f"{bucket.uri}/{_SCRIPTS}"

    def path_for(self, name: str, *, folder: str | None = None) -> ObjectFile:
        """The object of a new script.

        Raises:
            SettingsError: another folder is asked for.
        """
        if folder:
            raise SettingsError(
                "Scripts are kept at C360_DATA_URI, so `output_folder` of cypher_script cannot be used. Remove"
                " it from the run's config, or unset C360_DATA_URI."
            )
        return self._bucket.file(f"{_SCRIPTS}/{name}")

    def prepare(self, path: KeptFile) -> None:
        """A bucket needs no folders."""

    def own_files(self, scripts: Iterable[ScriptLog]) -> list[tuple[ScriptLog, KeptFile]]:
        """Rows with the objects that they name."""
        there = {str(file): file for file in self.files()}
        return [(s, there[s.file_path]) for s in scripts if s.file_path in there]

    def own_file(self, script: ScriptLog) -> ObjectFile | None:
        """The object that a row names."""
        return next((file for file in self.files() if str(file) == script.file_path), None)

    def files(self) -> Iterator[ObjectFile]:
        """Every script, registered or not."""
        for file in self._bucket.files(f"{_SCRIPTS}/"):
            if _NAME.fullmatch(file.key.removeprefix(f"{_SCRIPTS}/")):
                yield file

    @property
    def loaded(self) -> str | None:
        """The URI of the script that was loaded last."""
        with suppress(FileNotFoundError, ValueError):
            return _Memory.model_validate_json(self._memory.read_bytes()).loaded
        return None

    def remember_loaded(self, path: KeptFile) -> None:
        """Note which script was loaded last."""
        content = _Memory(loaded=str(path)).model_dump_json().encode()
        self._memory.change(lambda _: content)

    def remove_leftovers(self) -> int:
        """An upload that was not finished is no object."""
        return 0

    @property
    def _memory(self) -> ObjectFile:
        return self._bucket.file(_MEMORY)


Scripts = ScriptStore | ObjectScriptStore
"""The scripts of a location."""


def script_store(location: DataLocation) -> Scripts:
    """The scripts of a location."""
    return ScriptStore(location) if isinstance(location, Path) else ObjectScriptStore(location)


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder, whatever links, `..` or letter case they are written with."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False
