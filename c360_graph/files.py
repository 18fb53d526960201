"""Private files: written whole, locked while they are written, and removed when their writer died.

A file that is being written has a name of its own beside the one it will get, and its writer holds a lock
on it. The lock goes with the process, however that ends, so whoever gets it knows that the writer is dead.
A process id would not tell: ids are reused, and containers that share a volume have the same ones.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from c360_graph.data_folder import make_private_folder

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
