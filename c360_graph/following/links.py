"""Rows of junction tables that are no nodes: which of them a change concerns, read from their source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from c360_graph.cypher.copy_text import decode_value
from c360_graph.mapping.model import RelationshipEnd, RelationshipMapping, TableMapping
from c360_graph.source.key_reads import Key, RowsRead

ReadLinks = Callable[[TableMapping, tuple[str, ...], list[Key]], list[bytes]]
"""Reads the rows of a junction table that have one of the values in these columns."""


@dataclass(kw_only=True)
class JunctionRows:
    """Of one junction table and the mapping through it."""

    mapping: RelationshipMapping
    table: TableMapping
    rows: dict[bytes, None] = field(default_factory=dict)
    """Whole rows, all that join the pairs which are made anew."""
    gone: tuple[bytes, ...] = ()
    """Keys of rows that are no more."""

    def read_changed(self, read: RowsRead, reader: ReadLinks) -> None:
        """Rows that join what the changed ones do: a pair of nodes may be joined by several."""
        columns = self._columns(*self.mapping.sought)
        self.gone = read.gone
        keys = [_values(line, self._indexes(columns, self._names)) for line in read.rows]
        keys += [_values(line, self._indexes(columns, self.table.key)) for line in read.gone]
        self._add(columns, keys, reader)

    def read_of_end(
        self, end: RelationshipEnd, told: Iterable[Sequence[str | None]], reader: ReadLinks
    ) -> None:
        """Rows that refer to changed nodes of one end, given by the texts of its columns."""
        self._add(self._columns(end), [tuple(texts) for texts in told], reader)

    def _add(
        self, columns: tuple[str, ...], keys: Iterable[tuple[str | None, ...]], reader: ReadLinks
    ) -> None:
        wanted = [
            tuple(text for text in key if text is not None)
            for key in dict.fromkeys(keys)
            if None not in key
        ]
        if wanted:
            self.rows.update(dict.fromkeys(reader(self.table, columns, wanted)))

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(prop.column for prop in self.table.properties)

    @staticmethod
    def _columns(*ends: RelationshipEnd) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column for end in ends for _, column in end.pairs))

    @staticmethod
    def _indexes(columns: tuple[str, ...], names: tuple[str, ...]) -> list[int]:
        return [names.index(column) for column in columns]


def _values(line: bytes, indexes: list[int]) -> tuple[str | None, ...]:
    texts = line.decode().split("\t")
    return tuple(decode_value(texts[index]) for index in indexes)
