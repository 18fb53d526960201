"""The file that says how a sandbox's servers are reached, and the link that the settings read it by.

The file lies in the sandbox's folder and has only the lines that were written here; lines that
somebody added are kept. `.env` is the user's and is never touched.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from c360_graph.errors import SandboxError

FILE_NAME = "sandbox.env"
_HEAD = "# How the servers of `c360 sandbox up` are reached. Put settings of your own into .env."


def write_environment(*, folder: Path, environment: Mapping[str, str]) -> Path:
    """Write the lines of an environment; they replace those written before.

    Raises:
        SandboxError: the file cannot be written.
    """
    path = folder.resolve() / FILE_NAME
    lines = [_signed(f"{name}='{value}'") for name, value in environment.items()]
    try:
        _write_private(path, [_HEAD, *lines, *_lines_of_others(path)])
    except OSError as error:
        raise SandboxError(f"{path} cannot be written: {error.strerror}.") from None
    return path


def remove_environment(*, folder: Path) -> None:
    """Remove the lines that were written here, and the file once it holds nothing else."""
    path = folder.resolve() / FILE_NAME
    if not path.is_file():
        return
    others = _lines_of_others(path)
    if any(line.strip() for line in others):
        _write_private(path, others)
    elif _HEAD in path.read_text(encoding="utf-8").splitlines():
        path.unlink()


def link(*, target: Path, name: Path) -> bool:
    """Let `name` lead to a sandbox's file; False where somebody else has a file of that name.

    A link to another sandbox's file is replaced.

    Raises:
        OSError: the folder cannot be written.
    """
    if os.path.lexists(name) and not _leads_to_a_sandbox(name):
        return False
    temporary = name.with_name(f"{name.name}.{os.getpid()}")
    temporary.symlink_to(target)
    temporary.replace(name)
    return True


def unlink(*, folder: Path, name: Path) -> None:
    """Remove the link to a folder's file once that is gone."""
    target = folder.resolve() / FILE_NAME
    if name.is_symlink() and name.readlink() == target and not target.exists():
        name.unlink()


def _leads_to_a_sandbox(name: Path) -> bool:
    return name.is_symlink() and name.readlink().name == FILE_NAME


def _signed(line: str) -> str:
    """A line with a digest of itself, by which one that somebody changed is told apart."""
    return f"{line} # c360:{sha256(line.encode()).hexdigest()[:12]}"


def _lines_of_others(path: Path) -> list[str]:
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        line for line in lines if line != _HEAD and line != _signed(line.rpartition(" # c360:")[0])
    ]


def _write_private(path: Path, lines: list[str]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    temporary.replace(path)
