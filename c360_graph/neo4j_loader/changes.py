"""What is known to have changed since the load whose extracts a graph holds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from c360_graph.cypher.links import LinkTables
from c360_graph.cypher.script import TableExtract
from c360_graph.mapping.model import RelationshipMapping


@dataclass(frozen=True, kw_only=True)
class RowChanges:
    """Rows of a table: `there` are new or other than before, `gone` are there no more, as they were."""

    there: TableExtract
    gone: TableExtract


@dataclass(frozen=True, kw_only=True)
class Links:
    """Rows of links in COPY's text form; those to remove have how many as a last column."""

    count: int
    open: Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, kw_only=True)
class LinkChanges:
    """Relationships of a mapping that the extracts make now and did not, and the other way round."""

    tables: LinkTables
    added: Links
    removed: Links


class Changes(Protocol):
    """Compares the extracts of now with those that a graph holds, named by their digests.

    None means that it is not known: then everything is compared with the graph itself.
    """

    def rows_before(self, place: str) -> int | None:
        """Rows of the extract of a table (`source/table`) that the graph holds."""

    def of_table(self, place: str) -> RowChanges | None:
        """Of a table with a key."""

    def of_mapping(self, mapping: RelationshipMapping) -> LinkChanges | None:
        """Of a mapping that is the same as before, and the only one of its type between its labels."""
