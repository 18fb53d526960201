"""Folders that a server of the sandbox is made in: marked, so that nobody else's is ever removed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NoReturn

from c360_graph.errors import SandboxError

_MARK = ".c360_sandbox"


def make(folder: Path, *, sandbox: Path) -> None:
    """Make an empty folder of mode 0700 for a server of a sandbox; it replaces an earlier one.

    Raises:
        SandboxError: there is a folder that holds something and was not made here.
    """
    refuse_of_others(folder, sandbox=sandbox)
    shutil.rmtree(folder, ignore_errors=True)
    sandbox.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    mark(folder, sandbox=sandbox)


def mark(folder: Path, *, sandbox: Path) -> None:
    """Note in a folder that it belongs to a server of this sandbox."""
    (folder / _MARK).write_text(f"{sandbox.resolve()}\n", encoding="utf-8")


def refuse_of_others(folder: Path, *, sandbox: Path) -> None:
    """Make sure that a folder may be taken: it is empty, or is marked as this sandbox's.

    Raises:
        SandboxError: it may be somebody's data.
    """
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not is_empty and _owner(folder) != str(sandbox.resolve()):
        _refuse(folder, sandbox)


def refuse_recorded_of_others(folder: Path, *, sandbox: Path, elsewhere: str = "") -> None:
    """Make sure that a folder that a sandbox's state names may be removed.

    It lies in the sandbox's folder, or is called `elsewhere...`, and no mark says that it belongs to
    another sandbox, as in the copy of a sandbox's folder.

    Raises:
        SandboxError: it may be somebody's data.
    """
    if not folder.exists():
        return
    is_own = folder.parent.resolve() == sandbox.resolve() or (
        elsewhere and folder.name.startswith(elsewhere)
    )
    if not is_own or _owner(folder) not in (None, str(sandbox.resolve())):
        _refuse(folder, sandbox)


def _owner(folder: Path) -> str | None:
    try:
        return (folder / _MARK).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _refuse(folder: Path, sandbox: Path) -> NoReturn:
    raise SandboxError(
        f"{folder} was not made by the sandbox in {sandbox}, so it is left as it is. Use another"
        " --folder, or remove it yourself if nobody needs what it holds."
    )
