"""Whether values that two columns have in common say that they mean the same things.

Two tables whose keys are numbered from 1 have all their keys in common and nothing else. Values tell
something where others of their kind, which the one column does not have, are not in the other either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import gcd, prod
from uuid import UUID

from c360_graph.proposal.candidates import SAYS_LITTLE, Candidate, family_of, full_name
from c360_graph.proposal.naming import singular, word_set

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
