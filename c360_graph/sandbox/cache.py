"""The per-user folder that keeps what is downloaded once, and locks between processes."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from c360_graph.errors import SandboxError

_LOCK_TIMEOUT_SECONDS = 900.0


def cache_folder() -> Path:
    """This user's cache folder (``XDG_CACHE_HOME``, where it is set); it may not exist yet."""
    return Path(platformdirs.user_cache_dir("c360_graph", appauthor=False))


@contextmanager
def exclusive(*, target: Path) -> Iterator[None]:
    """Hold ``target`` alone among all processes of this user while the block runs.

    The lock's file lies in the cache, so that a folder that is locked can be removed meanwhile.

    Raises:
        SandboxError: another process held ``target`` for 15 minutes.
    """
    digest = hashlib.sha256(str(target.resolve()).encode()).hexdigest()[:16]
    lock = cache_folder() / "locks" / f"{digest}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=_LOCK_TIMEOUT_SECONDS):
            yield
    except Timeout as error:
        raise SandboxError(
            f"Another process has been at work on {target} for {_LOCK_TIMEOUT_SECONDS:.0f} s. "
            "Wait for it or end it, then try again."
        ) from error
