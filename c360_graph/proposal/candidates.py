"""Pairs of columns whose names say that one refers to the other, where no foreign key does, and what their values say.

Two tables whose keys are numbered from 1 have all their keys in common and nothing else. Values tell
something where others of their kind, which the one column does not have, are not in the other either.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from math import gcd, prod
from typing import Literal
from uuid import UUID

from c360_graph.mapping.catalog import CatalogColumn, CatalogTable, ColumnType
from c360_graph.mapping.control_rows import Frozen
from c360_graph.proposal.model import QualifiedColumn, SourceSchema
from c360_graph.proposal.naming import ROLE_ENDINGS, singular, singular_words, word_set, words
from c360_graph.proposal.personal_columns import ColumnFinding
from c360_graph.proposal.personal_names import IDENTIFYING, Kind

SAYS_LITTLE = ROLE_ENDINGS | {"name", "title", "slug", "status", "type", "label", "value", "key"}
"""A column of such words alone means something only together with its table's name."""
_TEXTS = frozenset(["text", "varchar", "bpchar", "citext", "name"])
_NUMBERS = frozenset(["int2", "int4", "int8"])
_ID_WORDS = frozenset(["id", "ids", "pk", "sk", "uuid", "guid", "oid", "key", "rowid", "serial"])
_ADDRESSES: frozenset[Kind] = frozenset(["e-mail address", "phone number"])

Family = Literal["text", "number", "uuid"]
Tables = Iterable[CatalogTable]
SchemaTables = tuple[SourceSchema, Tables]
Findings = Mapping[QualifiedColumn, ColumnFinding]
Keys = Callable[[SchemaTables], Iterator[tuple[CatalogTable, CatalogColumn]]]


class Candidate(Frozen):
    """A column whose name says that it refers to a key, of its own source or another."""

    reference: QualifiedColumn
    key: QualifiedColumn
    reference_type: ColumnType
    key_type: ColumnType
    required: bool = False
    kind: Kind | None = None
    """What personal data the columns hold: then no value is sent to another database to be compared."""

    @property
    def is_inside(self) -> bool:
        """Whether both columns are of one source."""
        return self.reference.source == self.key.source

    @property
    def is_natural(self) -> bool:
        """Whether the key means the same outside of its database: no number and no id."""
        return self.kind is not None or not is_id(self.key.column, self.key_type)

    @property
    def rank(self) -> int:
        """Low for what is likely to tell: personal data that identifies, texts, UUIDs, numbers."""
        if self.kind is not None:
            return 0
        family = family_of(self.key_type)
        return 1 if family == "text" and self.is_natural else 3 if family == "number" else 2


def candidates(own: SchemaTables, other: SchemaTables, findings: Findings) -> tuple[Candidate, ...]:
    """Pairs of columns whose names agree, or that hold addresses of one kind in two sources.

    Each pair comes once, the likeliest first; of equal ones those that the first source refers by come
    first. Both may be the same source.
    """
    found: dict[frozenset[QualifiedColumn], Candidate] = {}
    is_inside = own[0].source == other[0].source
    for keys in (_keys,) if is_inside else (_keys, partial(_addresses, findings=findings)):
        for referring, referred in ((own, other), (other, own)):
            for candidate in _one_way(referring, referred, keys, findings):
                found.setdefault(frozenset((candidate.reference, candidate.key)), candidate)
    by_name = sorted(found.values(), key=lambda candidate: candidate.rank)
    # They may be many, so that those whose names agree go first.
    further = () if is_inside else _of_one_kind(own, other, findings)
    by_kind = [c for c in further if frozenset((c.reference, c.key)) not in found]
    return (*by_name, *by_kind)


def shared_out(
    groups: Sequence[Sequence[Candidate]], *, most: int
) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
    """So many candidates, in turn from each group so that none starves another, and those left over."""
    in_turn = [
        candidate for turn in zip_longest(*groups) for candidate in turn if candidate is not None
    ]
    return tuple(in_turn[:most]), tuple(in_turn[most:])


def is_id(column: str, column_type: ColumnType) -> bool:
    """Whether a key is one that a database or an application made up: a number, a UUID, or called so."""
    return family_of(column_type) != "text" or bool(set(words(column)[-1:]) & _ID_WORDS)


def family_of(column_type: ColumnType) -> Family | None:
    """Types whose values can be equal; None where a join by them is not looked for."""
    # The type of an extension has the extension's schema before its name.
    base = column_type.base.rpartition(".")[2] if column_type.kind == "b" else column_type.base
    if base in _TEXTS:
        return "text"
    if base in _NUMBERS:
        return "number"
    return "uuid" if base == "uuid" else None


def full_name(column: QualifiedColumn) -> tuple[str, ...]:
    """The words of a column, after its table's where they say too little alone."""
    found = words(column.column)
    return found if set(found) - SAYS_LITTLE else (*singular_words(column.table), *found)


def _one_way(
    referring: SchemaTables, referred: SchemaTables, keys_of: Keys, findings: Findings
) -> Iterator[Candidate]:
    keys: dict[tuple[str, ...], list[tuple[QualifiedColumn, CatalogColumn]]] = defaultdict(list)
    for table, column in keys_of(referred):
        qualified = QualifiedColumn(referred[0].source.source_name, table.table_name, column.name)
        keys[full_name(qualified)].append((qualified, column))
    for table, column in _references(referring):
        reference = QualifiedColumn(referring[0].source.source_name, table.table_name, column.name)
        for part in _parts(full_name(reference)):
            for key, key_column in keys.get(part, ()):
                found = _candidate((reference, table, column), (key, key_column), findings)
                if found is not None:
                    yield found


def _candidate(
    referring: tuple[QualifiedColumn, CatalogTable, CatalogColumn],
    referred: tuple[QualifiedColumn, CatalogColumn],
    findings: Findings,
) -> Candidate | None:
    (reference, table, column), (key, key_column) = referring, referred
    if reference == key or not _alike(column.type, key_column.type):
        return None
    kinds = {findings[one].kind for one in (reference, key) if one in findings}
    # A person's name or address is no sign of who it is.
    if len(kinds) > 1 or not kinds <= IDENTIFYING:
        return None
    made_up = is_id(column.name, column.type) and is_id(key.column, key_column.type)
    if reference.source != key.source and made_up and not kinds and _is_key(table, column):
        # Both databases number their own rows.
        return None
    return Candidate(
        reference=reference,
        key=key,
        reference_type=column.type,
        key_type=key_column.type,
        required=not column.nullable,
        kind=next(iter(kinds), None),
    )


def _parts(name: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The words of a name that stand side by side, each such run once."""
    runs = (
        name[start:end] for start in range(len(name)) for end in range(start + 1, len(name) + 1)
    )
    return iter(dict.fromkeys(runs))


def _addresses(
    referred: SchemaTables, *, findings: Findings
) -> Iterator[tuple[CatalogTable, CatalogColumn]]:
    """Columns that tell a person though no key says so: somebody may be written down twice."""
    for table in referred[1]:
        for column in table.columns:
            qualified = QualifiedColumn(
                referred[0].source.source_name, table.table_name, column.name
            )
            finding = findings.get(qualified)
            if finding is not None and finding.kind in _ADDRESSES:
                yield table, column


def _of_one_kind(own: SchemaTables, other: SchemaTables, findings: Findings) -> Iterator[Candidate]:
    """Columns of e-mail addresses, or of phone numbers, in both: `mail` and `email`, `cell` and `mobile`."""
    theirs = [
        (QualifiedColumn(other[0].source.source_name, table.table_name, column.name), column)
        for table, column in _addresses(other, findings=findings)
    ]
    for table, column in _addresses(own, findings=findings):
        qualified = QualifiedColumn(own[0].source.source_name, table.table_name, column.name)
        for key, key_column in theirs:
            found = _candidate((qualified, table, column), (key, key_column), findings)
            if found is not None:
                yield found


def _keys(referred: SchemaTables) -> Iterator[tuple[CatalogTable, CatalogColumn]]:
    for table in referred[1]:
        yield from ((table, column) for column in table.columns if _is_key(table, column))


def _is_key(table: CatalogTable, column: CatalogColumn) -> bool:
    return any(key == (column.name,) for key in (table.primary_key, *table.unique_keys))


def _references(referring: SchemaTables) -> Iterator[tuple[CatalogTable, CatalogColumn]]:
    """Columns outside of foreign keys: what those refer to is a key of its own database, and asked itself."""
    bound = {(k.table_name, column) for k in referring[0].foreign_keys for column in k.columns}
    for table in referring[1]:
        for column in table.columns:
            if (table.table_name, column.name) not in bound:
                yield table, column


def _alike(one: ColumnType, other: ColumnType) -> bool:
    families = {family_of(one), family_of(other)}
    return None not in families and (len(families) == 1 or families == {"text", "uuid"})


FEWEST_IDENTIFYING = 3
FEWEST_NUMBERS = 5
FEWEST_TEXTS = 20
"""Different values; the agreement of fewer is chance."""

MOST_BY_CHANCE = 0.1
"""Share of values that the reference does not have and the key has all the same."""

_MOST_DECOYS = 100
_SHORTEST_MEAN = 4
_SPARSE = 1_000
"""Possible codes of a form for each one that is there."""

_LISTS = word_set(
    "category channel city class color colour continent country county currency date day department"
    " gender genre grade group hour industry kind language level locale mode month nation nationality"
    " period position postcode priority province quarter rank rating reason region role salutation"
    " season severity sex size stage state status step subject tag tier time timezone type unit week"
    " weekday year zip zone"
)
"""Things that have a list of their own in every database: equal words are no equal things."""
_NUMBER = re.compile(r"(\D*)(\d{1,30})(\D*)")
_ALPHABETS = ((str.isdigit, 10), (str.islower, 26), (str.isupper, 26))


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """Values that are numbers, or that differ from each other in one number alone."""

    numbers: tuple[int, ...]
    """Different ones in their order."""
    written: Callable[[int], str]

    @property
    def step(self) -> int:
        """What every difference between two of them is a multiple of."""
        return gcd(*(n - self.numbers[0] for n in self.numbers)) or 1

    @property
    def are_dense(self) -> bool:
        """Whether at least every second number between the lowest and the highest is there."""
        return (self.numbers[-1] - self.numbers[0]) // self.step < 2 * len(self.numbers)


@dataclass(frozen=True, kw_only=True)
class Decoys:
    """Values of the same form that the reference does not have: next to its own, and far between."""

    near: tuple[str, ...]
    between: tuple[str, ...]


def doubt_about_names(candidate: Candidate) -> str | None:
    """Why no values of columns with such names tell anything."""
    if candidate.is_inside or candidate.kind is not None:
        return None
    named = [word for word in full_name(candidate.key) if word not in SAYS_LITTLE - _LISTS]
    thing = singular(named[-1]) if named else ""
    return f"a list of {thing} values is in many databases" if thing in _LISTS else None


def doubt_about_values(candidate: Candidate, values: Sequence[str]) -> str | None:
    """Why these values of a reference tell nothing, though the key has them; None where they may."""
    if candidate.is_inside or candidate.kind is not None:
        return None
    numbered = as_numbered(values)
    if numbered is not None and numbered.are_dense:
        return "numbers without gaps are in many databases"
    if len(set(values)) < fewest_values(candidate):
        return "they are too few"
    return _doubt_about_texts(set(values)) if numbered is None else None


def as_numbered(values: Sequence[str]) -> Numbered | None:
    """Values as numbers; None where they are none. A UUID is a number of 128 bits."""
    if not values:
        return None
    for read, written in ((int, str), (_uuid_number, _uuid_text)):
        try:
            numbers = tuple(sorted({read(value) for value in values}))
        except ValueError:
            continue
        if read is not int or all(str(int(value)) == value for value in values):
            return Numbered(numbers=numbers, written=written)
    return _numbered_texts(values)


def decoys_for(numbered: Numbered) -> Decoys:
    """Values within the range of these that are not among them."""
    there, step = set(numbered.numbers), numbered.step
    low, high = numbered.numbers[0], numbered.numbers[-1]
    near = {n + far * step for n in numbered.numbers for far in (-1, 1)}
    steps = (high - low) // step
    between = {
        low + (steps * part // (_MOST_DECOYS + 1)) * step for part in range(1, _MOST_DECOYS + 1)
    }
    return Decoys(
        near=_some(numbered, (n for n in near if low <= n <= high and n not in there)),
        between=_some(numbered, (n for n in between if n not in there)),
    )


def doubt_by_chance(share: float) -> str | None:
    """Why numbers tell nothing where the key has this share of numbers that the reference has not."""
    if share <= MOST_BY_CHANCE:
        return None
    return f"{100 * share:.0f} % of the numbers between them are in the key too"


def fewest_values(candidate: Candidate) -> int:
    """How many different values have to agree."""
    if candidate.kind is not None or candidate.is_inside:
        return FEWEST_IDENTIFYING
    families = {family_of(candidate.reference_type), family_of(candidate.key_type)}
    if "uuid" in families:
        return FEWEST_IDENTIFYING
    return FEWEST_NUMBERS if "number" in families else FEWEST_TEXTS


def _some(numbered: Numbered, numbers: Iterable[int]) -> tuple[str, ...]:
    chosen = sorted(numbers)
    every = max(1, len(chosen) // _MOST_DECOYS)
    return tuple(numbered.written(n) for n in chosen[::every][:_MOST_DECOYS])


def _doubt_about_texts(values: set[str]) -> str | None:
    if sum(map(len, values)) < _SHORTEST_MEAN * len(values):
        return "codes as short as these are in many databases"
    if len({len(value) for value in values}) == 1 and _codes(values) < _SPARSE * len(values):
        return "most codes of this form are taken"
    return None


def _codes(values: set[str]) -> int:
    """How many texts there are with letters and digits where these have them."""
    return prod(_alphabet(set(letters)) for letters in zip(*values, strict=True))


def _alphabet(letters: set[str]) -> int:
    if len(letters) == 1:
        return 1
    return sum(size for is_of, size in _ALPHABETS if any(map(is_of, letters))) or len(letters)


def _numbered_texts(values: Sequence[str]) -> Numbered | None:
    """Texts such as `C0001` that have the same before and after their one number."""
    found = [_NUMBER.fullmatch(value) for value in values]
    matches = [match for match in found if match is not None]
    around = {(match[1], match[3]) for match in matches}
    if len(matches) < len(values) or len(around) != 1:
        return None
    ((before, after),) = around
    widths = {len(match[2]) for match in matches}
    width = widths.pop() if len(widths) == 1 else 1
    return Numbered(
        numbers=tuple(sorted({int(match[2]) for match in matches})),
        written=lambda number: f"{before}{number:0{width}}{after}",
    )


def _uuid_number(text: str) -> int:
    if len(text) != 36:
        raise ValueError
    return UUID(text).int


def _uuid_text(number: int) -> str:
    return str(UUID(int=number))
