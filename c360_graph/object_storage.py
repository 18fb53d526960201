"""Where extracts, scripts, reports and the mapping snapshot are kept: a folder, or a prefix of a bucket.

An object is written whole or not at all, and by one writer: its name is new, or the write names the
version that it replaces. Keys of the storage come from the environment and from nowhere else, and no
message repeats what the storage answered, which may quote them.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, cast
from urllib.parse import unquote, urlsplit

from c360_graph.errors import ObjectStorageError, SettingsError
from c360_graph.settings import Settings

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

PART_BYTES = 16 << 20
"""Of an upload and of what is read at once: an upload has 10,000 parts at most, so a file 160 GB."""
UPLOADS = 3
"""Parts of one file that are under way at a time; each takes PART_BYTES of memory."""
RETRIED_FOR = timedelta(minutes=1)
"""How long a request is tried again while the storage does not answer: as long as one to Dagster's storage."""
MOST_TRIES = 50
"""How often a small object is changed anew when others change it all the time."""

_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"\bstatus(?: code)?:? (\d{3})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Bucket:
    """A prefix of a bucket, and the folder for what has to lie on a local disk for a while."""

    uri: str
    """Without a slash at its end."""
    scratch: Path
    store: Any = field(repr=False, compare=False)
    """Of obstore; what it is told is relative to the prefix."""

    def file(self, name: str) -> ObjectFile:
        """An object, which need not exist; `name` has slashes between its parts."""
        return ObjectFile(self, name)

    def files(self, prefix: str) -> list[ObjectFile]:
        """Every object below a prefix that ends with a slash, in the order of names.

        Raises:
            ObjectStorageError: the storage cannot be reached or refuses.
        """
        with explained(f"{self.uri}/{prefix}"):
            found = [
                ObjectFile(self, meta["path"], changed=meta["last_modified"], size=meta["size"])
                for batch in self.store.list(prefix)
                for meta in batch
            ]
        return sorted(found, key=lambda file: file.key)


@dataclass(frozen=True)
class ObjectFile:
    """An object; has the part of pathlib's interface that scripts are handled with."""

    bucket: Bucket
    key: str
    changed: datetime | None = field(default=None, compare=False)
    """When the storage was given it, where it was listed."""
    size: int | None = field(default=None, compare=False)
    """In bytes, where it was listed."""

    def __str__(self) -> str:
        """The URI."""
        return f"{self.bucket.uri}/{self.key}"

    @property
    def name(self) -> str:
        """Behind the last slash."""
        return self.key.rpartition("/")[2]

    def as_uri(self) -> str:
        """As `str`."""
        return str(self)

    def resolve(self) -> ObjectFile:
        """Itself."""
        return self

    def exists(self) -> bool:
        """Whether it is there.

        Raises:
            ObjectStorageError: the storage cannot be reached or refuses.
        """
        with suppress(FileNotFoundError):
            self.head()
            return True
        return False

    def head(self) -> int:
        """Its size in bytes.

        Raises:
            FileNotFoundError: it is not there.
            ObjectStorageError: the storage cannot be reached or refuses.
        """
        with explained(str(self)):
            return int(self.bucket.store.head(self.key)["size"])

    def open(self, mode: str = "rb") -> BinaryIO:
        """Read it as a stream, the next part while this one is used.

        Raises:
            FileNotFoundError: it is not there.
            ObjectStorageError: the storage cannot be reached or refuses.
        """
        assert mode == "rb"
        return cast(BinaryIO, io.BufferedReader(ObjectReader(self, self.head()), 1 << 20))

    def read_bytes(self) -> bytes:
        """All of a small object; raises as `open`."""
        return self.read_version()[0]

    def read_version(self) -> tuple[bytes, str | None]:
        """All of a small object, and which version it is; raises as `open`."""
        with explained(str(self)):
            found = self.bucket.store.get(self.key)
            return bytes(found.bytes()), found.meta.get("e_tag")

    def read_range(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to and without `end`; raises as `open`."""
        with explained(str(self)):
            return bytes(self.bucket.store.get_range(self.key, start=start, end=end))

    def write_bytes(self, content: bytes) -> None:
        """Write a small object, in the place of what is there.

        Raises:
            ObjectStorageError: the storage cannot be reached or refuses.
        """
        with explained(str(self)):
            self.bucket.store.put(self.key, content)

    def change(self, change: Callable[[bytes | None], bytes | None]) -> None:
        """Replace a small object by what `change` makes of it, as if nobody else did at that time.

        `change` is given None where there is none, returns None to leave it as it is, and is called again
        when another one was faster.

        Raises:
            ObjectStorageError: the storage cannot be reached or refuses, or is changed all the time.
        """
        sent: bytes | None = None
        is_unanswered = False
        for _ in range(MOST_TRIES):
            old: bytes | None = None
            version: str | None = None
            with suppress(FileNotFoundError):
                old, version = self.read_version()
            if old is not None and old == sent:
                # It was taken, and the answer was lost.
                return
            sent = change(old)
            try:
                if sent is None or self._replace(sent, version, is_new=old is None):
                    return
            except ObjectStorageError:
                if is_unanswered:
                    raise
                is_unanswered = True
        raise ObjectStorageError(f"{self} is changed by others all the time. Try again.")

    def _replace(self, content: bytes, version: str | None, *, is_new: bool) -> bool:
        from obstore import exceptions

        mode: Any = "create" if is_new else {"e_tag": version}
        try:
            with explained(str(self)):
                self.bucket.store.put(self.key, content, mode=mode)
        except _OvertakenError:
            return False
        except exceptions.NotFoundError:  # pragma: no cover - removed since it was read
            return False
        return True

    @contextmanager
    def new_file(self) -> Iterator[ObjectWriter]:
        """Write it as a stream; it is there when the block has ended, and not if that fails.

        Raises:
            ObjectStorageError: the storage cannot be reached or refuses.
        """
        import obstore

        upload = obstore.open_writer(
            self.bucket.store, self.key, buffer_size=PART_BYTES, max_concurrency=UPLOADS
        )
        try:
            yield ObjectWriter(upload, str(self))
        except BaseException:
            # Ends the upload: the parts that are there are removed.
            with suppress(Exception):
                upload.__exit__(*sys.exc_info())
            raise
        with explained(str(self)):
            upload.close()

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove it; no error where it is gone."""
        with suppress(FileNotFoundError), explained(str(self)):
            self.bucket.store.delete(self.key)


DataLocation = Path | Bucket
"""Where files are kept."""
KeptFile = Path | ObjectFile
"""A file that is kept there."""


class ObjectWriter(io.RawIOBase):
    """A new object that is being written; knows how many bytes it has."""

    def __init__(self, upload: Any, uri: str) -> None:
        super().__init__()
        self._upload, self._uri = upload, uri
        self.size = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """How many bytes were written."""
        return self.size

    def write(self, data: ReadableBuffer, /) -> int:
        """Take bytes, and send a part when there are enough."""
        content = bytes(data)
        with explained(self._uri):
            self._upload.write(content)
        self.size += len(content)
        return len(content)


class ObjectReader(io.RawIOBase):
    """An object as a file that can be sought, read part by part, one part ahead.

    Not one long answer of the storage: whoever reads may be busy for minutes with what it has read, and the
    storage would end the connection.
    """

    def __init__(self, file: ObjectFile, size: int) -> None:
        super().__init__()
        self._file, self._size = file, size
        self._position = 0
        self._start, self._part = 0, b""
        self._next: tuple[int, Future[bytes]] | None = None
        self._threads: ThreadPoolExecutor | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go somewhere else; what is read next is fetched when it is."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer, as far as the part at hand goes."""
        if self._position >= self._size:
            return 0
        if not self._start <= self._position < self._start + len(self._part):
            self._fetch()
        view = memoryview(buffer).cast("B")
        begin = self._position - self._start
        data = self._part[begin : begin + len(view)]
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Read no further."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
        super().close()

    def _fetch(self) -> None:
        start = self._position
        if self._next is not None and self._next[0] == start:
            self._part = self._next[1].result()
        else:
            self._part = self._read(start)
        self._start, self._next = start, None
        if not self._part:
            raise ObjectStorageError(f"{self._file} is shorter than the storage said.")
        behind = start + len(self._part)
        if behind < self._size:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="c360-read")
            self._next = behind, self._threads.submit(self._read, behind)

    def _read(self, start: int) -> bytes:
        return self._file.read_range(start, min(start + PART_BYTES, self._size))


@contextmanager
def uploaded_whole(file: ObjectFile) -> Iterator[BinaryIO]:
    """A new object to write to as to any file; it is there when the block has ended, and not if that fails.

    Raises:
        ObjectStorageError: the storage cannot be reached or refuses.
    """
    with file.new_file() as upload, io.BufferedWriter(upload, 1 << 20) as out:
        yield cast(BinaryIO, out)


class _OvertakenError(Exception):
    """Another writer was faster."""


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Say in one sentence what the storage refuses; FileNotFoundError stays what it is.

    Raises:
        FileNotFoundError: there is no such object.
        ObjectStorageError: anything else.
    """
    from obstore import exceptions

    try:
        yield
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
        raise _OvertakenError from None
    except FileNotFoundError:
        raise FileNotFoundError(f"{uri} does not exist") from None
    except (exceptions.BaseError, OSError) as error:
        _refused(uri, error)


def _refused(uri: str, error: Exception) -> NoReturn:
    said = str(error)
    reasons = [*_CODE.findall(said)[:1], *(f"HTTP {code}" for code in _STATUS.findall(said)[:1])]
    if "error sending request" in said:
        reasons.append(f"no answer within {RETRIED_FOR.total_seconds():.0f} s")
    raise ObjectStorageError(
        f"{uri} cannot be read or written: {', '.join((type(error).__name__, *reasons))}. Is the storage"
        " reachable, does the bucket exist, and may the keys of the environment use it?"
    ) from None


def data_location(settings: Settings) -> DataLocation:
    """Where the project keeps its files.

    Raises:
        SettingsError: C360_DATA_URI needs a package that is not installed, or cannot be used.
    """
    uri = settings.c360_data_uri
    if uri is None:
        return settings.c360_data_dir
    if uri.startswith("file:"):
        return Path(unquote(urlsplit(uri).path))
    return open_bucket(uri.rstrip("/"), settings.c360_data_dir)


def open_bucket(uri: str, scratch: Path) -> Bucket:
    """A prefix of a bucket; nothing is asked of the storage yet.

    Raises:
        SettingsError: a package is not installed, or the URI or the environment cannot be used.
    """
    # A process that was forked needs connections of its own.
    return Bucket(uri, scratch, _opened(uri, os.getpid()))


@lru_cache(maxsize=16)
def _opened(uri: str, _process: int) -> Any:
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError:
        raise SettingsError(
            f"{uri} needs a package that is not installed: pip install 'c360-graph[object-storage]'."
        ) from None
    try:
        return from_url(
            uri,
            # The number of tries that obstore makes by itself is used up within two seconds.
            retry_config={
                "max_retries": int(RETRIED_FOR.total_seconds()) * 10,
                "retry_timeout": RETRIED_FOR,
                "backoff": {"max_backoff": timedelta(seconds=2)},
            },
        )
    except (BaseError, ValueError) as error:
        raise SettingsError(
            f"{uri} cannot be opened ({type(error).__name__}). Is it a bucket, with a prefix behind it,"
            " and are the variables of the storage right?"
        ) from None


def kept_file(text: str, location: DataLocation) -> KeptFile:
    """The file that a path or a URI names, in the location itself or anywhere else.

    >>> kept_file("a/script.cypher", Path("data"))
    PosixPath('a/script.cypher')

    Raises:
        SettingsError: the URI cannot be used.
    """
    scheme, mark, _ = text.partition("://")
    if not mark:
        return Path(text)
    if scheme == "file":
        return Path(unquote(urlsplit(text).path))
    if isinstance(location, Bucket) and text.startswith(f"{location.uri}/"):
        return location.file(text.removeprefix(f"{location.uri}/"))
    folder, _, name = text.rpartition("/")
    scratch = location.scratch if isinstance(location, Bucket) else location
    return open_bucket(folder, scratch).file(name)
