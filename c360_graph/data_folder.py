"""The folder of extracts, scripts and reports: nobody else may look into it, and it may be full."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from c360_graph.errors import DataFolderError

PRIVATE_FOLDER = 0o700


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
