"""Packages of npm, with the exact versions that a `package.json` names."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

# A lock file names the registry that it was made with, so there is none.
_OPTIONS = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")


class NodePackagesError(Exception):
    """Node.js or npm is missing, or npm cannot install."""


def install_node_packages(*, folder: Path, timeout_seconds: float = 300) -> Path:
    """Install what `package.json` of a folder names, and say where `node` is.

    Raises:
        NodePackagesError: a program is missing, or the packages cannot be installed.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing = " and ".join(
            name for name, found in (("node", node), ("npm", npm)) if found is None
        )
        raise NodePackagesError(
            f"{missing} not found. Node.js is needed: apt-get install nodejs npm"
        )
    try:
        done = subprocess.run(  # noqa: S603
            [npm, "install", *_OPTIONS],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise NodePackagesError(
            f"npm install took more than {timeout_seconds:g} seconds; is its registry reachable?"
        ) from error
    if done.returncode != 0:
        raise NodePackagesError(f"npm install failed:\n{(done.stdout + done.stderr)[-3_000:]}")
    return Path(node)
