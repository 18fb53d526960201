"""Where reports lie, and which are kept.

::

    <data dir>/reports/customer_360_<number>_<UTC microseconds>.html
                      /latest.html        (a link to the newest)

The number counts reports, so that their order does not rest on a clock.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from c360_graph.errors import ScriptError
from c360_graph.files import (
    file_stamp,
    is_regular,
    locked_folder,
    private_folder,
    remove_dead_parts,
    write_whole,
)
from c360_graph.object_storage import Bucket, DataLocation, KeptFile, ObjectFile

LATEST = "latest.html"

_REPORTS, _PREFIX = "reports", "customer_360_"
_NAME = re.compile(r"customer_360_(?:([0-9]+)_)?[0-9]{8}T[0-9]{6}_[0-9]{6}Z\.html")
_HEAD_BYTES = 4096
_RULES = re.compile(r'<meta name="c360-rules" content="([^"]*)">')


class ReportStore:
    """The reports under one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = (data_dir / _REPORTS).resolve()

    @property
    def latest(self) -> Path:
        """The link to the newest report."""
        return self.folder / LATEST

    def write(self, html: str) -> Path:
        """Write a report, whole or not at all, and let `latest.html` lead to it.

        Raises:
            ScriptError: the folder cannot be written.
        """
        path = self.folder / f"{_PREFIX}{file_stamp()}.html"
        try:
            private_folder(self.folder)
            with locked_folder(self.folder):
                number = max(map(_number, self._reports()), default=0) + 1
                path = self.folder / f"{_PREFIX}{number:06}_{file_stamp()}.html"
                write_whole(path, html.encode())
                self._remove_links()
                link = self.folder / f".{LATEST}.{path.stem}"
                link.symlink_to(path.name)
                link.replace(self.latest)
        except OSError as error:
            raise ScriptError(f"The report {path} cannot be written: {error.strerror}.") from None
        return path

    def prune(self, *, keep: int, rules: str) -> int:
        """Remove all but the newest `keep`; returns how many were removed.

        A report made under other exclusion rules goes too: it may hold what no file may hold now.
        """
        there = sorted(self._reports(), key=lambda path: (_number(path), path.name), reverse=True)
        allowed = [path for path in there if _rules_of(path) == rules]
        return _remove(path for path in there if path not in allowed[:keep])

    def purge(self, *, rules: str) -> int:
        """Remove every report made under other exclusion rules; returns how many were removed."""
        return _remove(path for path in self._reports() if _rules_of(path) != rules)

    def remove_leftovers(self) -> int:
        """Remove what a killed process had not finished."""
        if not self.folder.is_dir():
            return 0
        with locked_folder(self.folder):
            return remove_dead_parts(self.folder) + self._remove_links()

    def _reports(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [p for p in self.folder.iterdir() if _NAME.fullmatch(p.name) and is_regular(p)]

    def _remove_links(self) -> int:
        """Links to a report that never became `latest.html`; whoever makes one holds the lock."""
        links = [p for p in self.folder.glob(f".{LATEST}.*") if p.is_symlink()]
        return _remove(links)


class ObjectReportStore:
    """The reports below a prefix of a bucket; each method does what that of `ReportStore` does."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    @property
    def latest(self) -> ObjectFile:
        """A copy of the newest report: a bucket has no links."""
        return self._bucket.file(f"{_REPORTS}/{LATEST}")

    def write(self, html: str) -> ObjectFile:
        """Write a report, and the copy of it.

        Raises:
            ObjectStorageError: the storage cannot be reached or refuses.
        """
        number = max(map(_number, self._reports()), default=0) + 1
        file = self._bucket.file(f"{_REPORTS}/{_PREFIX}{number:06}_{file_stamp()}.html")
        for each in (file, self.latest):
            each.write_bytes(html.encode())
        return file

    def prune(self, *, keep: int, rules: str) -> int:
        """Remove all but the newest `keep`, and those made under other exclusion rules."""
        there = sorted(self._reports(), key=lambda file: (_number(file), file.name), reverse=True)
        allowed = [file for file in there if _rules_of(file) == rules]
        return _remove(file for file in there if file not in allowed[:keep])

    def purge(self, *, rules: str) -> int:
        """Remove every report made under other exclusion rules; returns how many were removed."""
        if self.latest.exists() and _rules_of(self.latest) != rules:
            self.latest.unlink()
        return _remove(file for file in self._reports() if _rules_of(file) != rules)

    def remove_leftovers(self) -> int:
        """An upload that was not finished is no object."""
        return 0

    def _reports(self) -> list[ObjectFile]:
        return [f for f in self._bucket.files(f"{_REPORTS}/") if _NAME.fullmatch(f.name)]


Reports = ReportStore | ObjectReportStore
"""The reports of a location."""


def report_store(location: DataLocation) -> Reports:
    """The reports of a location."""
    return ReportStore(location) if isinstance(location, Path) else ObjectReportStore(location)


def _number(path: KeptFile) -> int:
    """Which report it is; 0 for one of a version that did not count."""
    found = _NAME.fullmatch(path.name)
    return int(found[1]) if found and found[1] else 0


def _remove(paths: Iterable[KeptFile]) -> int:
    removed = 0
    for path in list(paths):
        with contextlib.suppress(OSError):
            path.unlink()
            removed += 1
    return removed


def is_page(path: Path) -> bool:
    """Whether a file is a page that was written here, and may be written anew."""
    return _rules_of(path) is not None


def _rules_of(path: KeptFile) -> str | None:
    with contextlib.suppress(OSError), path.open("rb") as file:
        found = _RULES.search(file.read(_HEAD_BYTES).decode(errors="replace"))
        return found[1] if found else None
    return None
