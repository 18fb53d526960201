"""Which script files are the pipeline's own: those it wrote, where it wrote them.

::

    <data dir>/scripts/graph_output_<UTC microseconds>_<log id>.cypher[.zst]
              /scripts.json     (other folders that scripts were written to; the script loaded last)

A row of `cypher_scripts` can name any path. A file is read or removed on behalf of a row only where it is
one of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from c360_graph.control.audit import ScriptLog
from c360_graph.files import (
    is_regular,
    locked_folder,
    private_folder,
    remove_dead_parts,
    write_whole,
)
from c360_graph.mapping.control_rows import Frozen

_NAME = re.compile(r"graph_output_[0-9]{8}T[0-9]{6}_[0-9]{6}Z_[0-9]+\.cypher(\.zst)?")
_MEMORY = "scripts.json"


class _Memory(Frozen):
    """What `scripts.json` says."""

    folders: tuple[str, ...] = ()
    loaded: str | None = None


class ScriptStore:
    """The scripts that a project with this data folder wrote."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.folder = data_dir / "scripts"

    @property
    def folders(self) -> tuple[Path, ...]:
        """The store's own folder, and others that scripts were written to."""
        return (self.folder, *(Path(folder) for folder in self._memory().folders))

    def remember_folder(self, folder: Path) -> None:
        """Call a folder the project's own, before the first script is written to it."""
        private_folder(folder)
        if not any(_is_same(folder, other) for other in self.folders):
            self._change(lambda old: {"folders": (*old.folders, str(folder.resolve()))})

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

    def remember_loaded(self, path: Path) -> None:
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


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder, whatever links, `..` or letter case they are written with."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False
