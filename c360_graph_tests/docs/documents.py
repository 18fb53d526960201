"""Which documents there are, and a run of one of them from its beginning."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from c360_graph_tests.conftest import REPOSITORY
from c360_graph_tests.docs.place import new_place
from c360_graph_tests.docs.running import Outcome, run_document


def document_names() -> list[str]:
    """Every document, by its path in the project."""
    found = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    return sorted(str(path.relative_to(REPOSITORY)) for path in found)


def read_document(name: str) -> str:
    """A document's text."""
    return (REPOSITORY / name).read_text(encoding="utf-8")


def check_document(name: str) -> Iterator[Outcome]:
    """Run a document as a reader does who begins with it, in a place of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="c360_docs_") as folder,
        new_place(Path(folder) / "c360_graph") as place,
    ):
        yield from run_document(name, read_document(name), place)
