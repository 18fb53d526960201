"""Where reports lie, and which are kept.

::

    <data dir>/reports/customer_360_<UTC microseconds>.html
                      /latest.html        (a link to the newest)
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from c360_graph.data_folder import make_private_folder
from c360_graph.errors import ScriptError
from c360_graph.extracts import file_stamp, write_whole

LATEST = "latest.html"

_PREFIX = "customer_360_"
_NAME = re.compile(rf"{_PREFIX}\d{{8}}T\d{{6}}_\d{{6}}Z\.html")
_HEAD_CHARACTERS = 4096
_RULES = re.compile(r'<meta name="c360-rules" content="([^"]*)">')


class ReportStore:
    """The reports under one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = (data_dir / "reports").resolve()

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
            make_private_folder(self.folder, within=self.folder.parent)
            write_whole(path, html.encode())
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
        found = self.folder.glob(f"{_PREFIX}*.html")
        there = sorted((path for path in found if _NAME.fullmatch(path.name)), reverse=True)
        allowed = [path for path in there if _rules_of(path) == rules]
        removed = [path for path in there if path not in allowed[:keep]]
        for path in removed:
            with contextlib.suppress(OSError):
                path.unlink()
        return len(removed)


def is_page(path: Path) -> bool:
    """Whether a file is a page that was written here, and may be written anew."""
    return _rules_of(path) is not None


def _rules_of(path: Path) -> str | None:
    with contextlib.suppress(OSError, UnicodeDecodeError), path.open(encoding="utf-8") as file:
        found = _RULES.search(file.read(_HEAD_CHARACTERS))
        return found[1] if found else None
    return None
