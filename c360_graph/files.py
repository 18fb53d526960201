"""Private files and folders: written whole, locked while they are written, and removed when their writer died.

A file that is being written has a name of its own beside the one it will get, and its writer holds a lock
on it. The lock goes with the process, however that ends, so whoever gets it knows that the writer is dead.
A process id would not tell: ids are reused, and containers that share a volume have the same ones.

A work folder has the files of one piece of work::

    <root>/<16 hex digits>.lock     held by the process that works; made first, removed last
          /<16 hex digits>/         mode 0700
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from c360_graph.errors import DataFolderError

PRIVATE_FOLDER = 0o700

PRIVATE_FILE = 0o600
WRITE_BYTES = 1 << 20

_LONGEST_PART = 200
_PARTS = re.compile(
    r"\..+\.[0-9a-f]{16}\.part"
    # As versions before named them.
    r"|\.(latest\.json|manifest\.json|mapping_snapshot\.json|.+\.html)\.[0-9]+"
    r"|graph_output_.+\.partial",
    re.DOTALL,
)

_NAME = re.compile("[0-9a-f]{16}")
_LOCK = ".lock"


def make_private_folder(path: Path, *, within: Path | None = None) -> None:
    """Make a folder, and those above it that are missing, with mode 0700 whatever the umask is.

    Args:
        path: the folder.
        within: the data folder; folders in it that others may enter, as an older version made them,
            are closed to them too.

    Raises:
        OSError: it cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    open_to_others = [
        folder
        for folder in (path, *path.parents)
        if within is not None
        and within in folder.parents
        and folder not in missing
        and stat.S_IMODE(folder.stat().st_mode) & ~PRIVATE_FOLDER
    ]
    for folder in reversed(missing):
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    for folder in (*missing, *open_to_others):
        folder.chmod(PRIVATE_FOLDER)


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Say in one sentence that a folder cannot be written.

    Raises:
        DataFolderError: the disk refuses what the block writes.
    """
    try:
        yield
    except OSError as error:
        where = Path(error.filename) if isinstance(error.filename, str) else folder
        raise DataFolderError(
            f"{where} cannot be written: {error.strerror or error}. Make room or grant the right to"
            " write there, or set C360_DATA_DIR to another folder."
        ) from None


def private_folder(path: Path) -> Path:
    """Make a folder, and those above it that are missing, with mode 0700."""
    make_private_folder(path)
    return path


@contextmanager
def open_private(path: Path) -> Iterator[BinaryIO]:
    """A new file with mode 0600, flushed to the disk at the end."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb", buffering=WRITE_BYTES) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A new file that replaces the old one when the block has ended; a reader never finds half of it.

    What a writer of the same file left behind when it was killed is removed.
    """
    _remove_dead(path.parent.glob(_glob_escaped(f".{_part_stem(path)}.") + "*"))
    descriptor, part = _open_part(path)
    try:
        with os.fdopen(descriptor, "wb", buffering=WRITE_BYTES) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file so that a reader finds the old one or the new one, never half of it."""
    with written_whole(path) as file:
        file.write(content)


def remove_dead_parts(folder: Path) -> int:
    """Remove what killed writers left in a folder; returns how many files that were."""
    with suppress(OSError):
        return _remove_dead(folder.iterdir())
    return 0


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a folder's own lock, which goes with the process; waits for whoever has it."""
    descriptor = os.open(private_folder(folder) / ".lock", os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def lock_of_the_dead(path: Path) -> Iterator[bool]:
    """Whether nobody holds a file's lock; it is held within the block.

    False too where the file system knows no locks: then nobody can tell.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        yield False
        return
    try:
        yield _locks(descriptor)
    finally:
        os.close(descriptor)


def new_locked_file(path: Path) -> int | None:
    """The descriptor of a new file, held by a lock; None where it is taken or was removed since."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    except FileExistsError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # In the moment before the lock somebody took the file for a dead writer's.
        os.close(descriptor)
        return None
    except OSError:
        return descriptor
    if os.fstat(descriptor).st_nlink:
        return descriptor
    os.close(descriptor)
    return None


def is_regular(path: Path) -> bool:
    """Whether a file is there and is no link, folder, pipe or device.

    >>> from pathlib import Path
    >>> is_regular(Path("no_such_file"))
    False
    """
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def file_stamp() -> str:
    """This moment in UTC to the microsecond, fit for a file name. Clocks are set back: no order rests
    on it."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S_%fZ")


def _open_part(path: Path) -> tuple[int, Path]:
    while True:
        part = path.with_name(f".{_part_stem(path)}.{secrets.token_hex(8)}.part")
        descriptor = new_locked_file(part)
        if descriptor is not None:
            return descriptor, part


def _part_stem(path: Path) -> str:
    if len(os.fsencode(path.name)) <= _LONGEST_PART:
        return path.name
    return sha256(os.fsencode(path.name)).hexdigest()[:32]


def _glob_escaped(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)


def _remove_dead(paths: Iterator[Path]) -> int:
    removed = 0
    for path in list(paths):
        if _PARTS.fullmatch(path.name) and is_regular(path):
            with lock_of_the_dead(path) as is_dead, suppress(OSError):
                if is_dead:
                    path.unlink()
                    removed += 1
    return removed


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


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
