"""Folders for the files of one piece of work: what is being read, and what the join engine spills.

::

    <root>/<16 hex digits>.lock     held by the process that works; made first, removed last
          /<16 hex digits>/         mode 0700
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from c360_graph.data_folder import PRIVATE_FOLDER
from c360_graph.files import (
    is_regular,
    lock_of_the_dead,
    new_locked_file,
    private_folder,
)

_NAME = re.compile("[0-9a-f]{16}")
_LOCK = ".lock"


@contextmanager
def work_folder(root: Path) -> Iterator[Path]:
    """An empty folder below `root` that is removed with the block; those of dead processes go too."""
    private_folder(root)
    remove_dead_work(root)
    descriptor, lock = _new_lock(root)
    folder = lock.with_suffix("")
    try:
        folder.mkdir(mode=PRIVATE_FOLDER)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def existing_work_folder(root: Path, name: str) -> Path | None:
    """The work folder of another process by its path; None where `root` has no such folder."""
    with suppress(OSError, ValueError):
        folder = Path(name).resolve(strict=True)
        if folder.parent == root.resolve() and _NAME.fullmatch(folder.name) and folder.is_dir():
            return folder
    return None


def remove_dead_work(root: Path) -> int:
    """Remove the folders of processes that are gone; returns how many."""
    names = set()
    with suppress(OSError):
        names = {path.name.removesuffix(_LOCK) for path in root.iterdir()}
    return sum(_remove_if_dead(root / name) for name in sorted(names) if _NAME.fullmatch(name))


def _remove_if_dead(folder: Path) -> bool:
    lock = folder.with_suffix(_LOCK)
    if not is_regular(lock):
        # The lock is there before the folder and after it.
        return _remove(folder)
    with lock_of_the_dead(lock) as is_dead:
        if not is_dead:
            return False
        _remove(folder)
        if folder.exists():
            return False
        lock.unlink(missing_ok=True)
        return True


def _remove(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _new_lock(root: Path) -> tuple[int, Path]:
    while True:
        path = root / f"{secrets.token_hex(8)}{_LOCK}"
        descriptor = new_locked_file(path)
        if descriptor is not None:
            return descriptor, path
