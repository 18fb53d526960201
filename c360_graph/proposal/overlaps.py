"""Joins that no foreign key tells of, above all across sources: names agree, and then values do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from c360_graph.mapping.catalog import CatalogColumn, CatalogTable, ColumnType
from c360_graph.mapping.control_rows import Frozen
from c360_graph.proposal.joins import Join
from c360_graph.proposal.naming import ROLE_ENDINGS, singular_words, words
from c360_graph.proposal.schema import ColumnPlace, SourceSchema

PROPOSED_SHARE = 0.5
MENTIONED_SHARE = 0.1
FEWEST_VALUES = 3
"""Different values; the agreement of fewer is chance."""

_SAYS_LITTLE = ROLE_ENDINGS | {"name", "title", "slug", "status", "type", "label", "value", "key"}
"""A column of such words alone means something only together with its table's name."""
_TEXTS = frozenset(["text", "varchar", "bpchar", "citext"])
_NUMBERS = frozenset(["int2", "int4", "int8"])

Tables = Iterable[CatalogTable]


class Candidate(Frozen):
    """A column whose name says that it refers to a key, of its own source or another."""

    reference: ColumnPlace
    key: ColumnPlace
    reference_type: ColumnType
    key_type: ColumnType
    required: bool = False
    personal: bool = False
    """Whether its values may not leave their databases, not even to be compared."""


class Overlap(Frozen):
    """How many of the reference's different sampled values the key's column has; found None: not known."""

    candidate: Candidate
    sampled: int
    found: int | None

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return (self.found or 0) / self.sampled if self.sampled else 0.0

    @property
    def agrees(self) -> bool:
        """Whether the two columns are worth a relationship."""
        return self.sampled >= FEWEST_VALUES and self.share >= PROPOSED_SHARE

    @property
    def is_inside(self) -> bool:
        """Whether both columns are of one source."""
        return self.candidate.reference.source == self.candidate.key.source

    def __str__(self) -> str:
        pair = f"{self.candidate.reference} = {self.candidate.key}"
        if self.found is None:
            return f"{pair}: the values could not be compared (refused, too slow or out of reach)"
        return f"{pair}, {100 * self.share:.0f} % of {self.sampled} sampled values"

    def as_join(self) -> Join:
        """The join that it comes to."""
        reference, key = self.candidate.reference, self.candidate.key
        told = "no foreign key says so" if self.is_inside else "across databases"
        return Join(
            child=(reference.source, reference.table),
            parent=(key.source, key.table),
            pairs=((reference.column, key.column),),
            required=self.candidate.required,
            evidence=f"{told}: {self}",
        )


def candidates(
    own: tuple[SourceSchema, Tables],
    other: tuple[SourceSchema, Tables],
    personal: frozenset[ColumnPlace],
) -> tuple[Candidate, ...]:
    """Pairs of columns whose names agree, each pair once; the first source's refer first.

    Both may be the same source.
    """
    found: dict[frozenset[ColumnPlace], Candidate] = {}
    for referring, referred in ((own, other), (other, own)):
        for candidate in _one_way(referring, referred, personal):
            found.setdefault(frozenset((candidate.reference, candidate.key)), candidate)
    return tuple(found.values())


def _one_way(
    referring: tuple[SourceSchema, Tables],
    referred: tuple[SourceSchema, Tables],
    personal: frozenset[ColumnPlace],
) -> Iterator[Candidate]:
    keys = []
    for table, column in _keys(referred):
        place = ColumnPlace(referred[0].source.source_name, table.table_name, column.name)
        keys.append((place, column, _full_name(place)))
    for table, column in _references(referring):
        reference = ColumnPlace(referring[0].source.source_name, table.table_name, column.name)
        text = _full_name(reference)
        for key, key_column, wanted in keys:
            if (
                reference != key
                and _alike(column.type, key_column.type)
                and _stand_together(wanted, text)
            ):
                yield Candidate(
                    reference=reference,
                    key=key,
                    reference_type=column.type,
                    key_type=key_column.type,
                    required=not column.nullable,
                    personal=bool({reference, key} & personal),
                )


def _keys(referred: tuple[SourceSchema, Tables]) -> Iterator[tuple[CatalogTable, CatalogColumn]]:
    for table in referred[1]:
        alone = {key[0] for key in (table.primary_key, *table.unique_keys) if len(key) == 1}
        yield from ((table, column) for column in table.columns if column.name in alone)


def _references(
    referring: tuple[SourceSchema, Tables],
) -> Iterator[tuple[CatalogTable, CatalogColumn]]:
    """Columns outside of foreign keys: what those refer to is a key of its own database, and asked itself."""
    bound = {(k.table_name, column) for k in referring[0].foreign_keys for column in k.columns}
    for table in referring[1]:
        for column in table.columns:
            if (table.table_name, column.name) not in bound:
                yield table, column


def _alike(one: ColumnType, other: ColumnType) -> bool:
    families = {_family(one), _family(other)}
    return None not in families and (len(families) == 1 or families == {"text", "uuid"})


def _family(column_type: ColumnType) -> str | None:
    base = column_type.base
    if base in _TEXTS:
        return "text"
    if base in _NUMBERS:
        return "number"
    return "uuid" if base == "uuid" else None


def _stand_together(wanted: tuple[str, ...], text: tuple[str, ...]) -> bool:
    """Whether the words of the key's full name stand side by side in the reference's."""
    length = len(wanted)
    return length > 0 and any(
        text[at : at + length] == wanted for at in range(len(text) - length + 1)
    )


def _full_name(place: ColumnPlace) -> tuple[str, ...]:
    found = words(place.column)
    return found if set(found) - _SAYS_LITTLE else (*singular_words(place.table), *found)
