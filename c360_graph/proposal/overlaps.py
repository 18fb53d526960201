"""How far the values of two columns agree, and whether that makes a join of them; which country phone numbers are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.join_functions import Calls, around
from c360_graph.proposal.candidates import Candidate, fewest_values
from c360_graph.proposal.relationships import ProposedJoin

PROPOSED_SHARE = 0.5
MENTIONED_SHARE = 0.1


def _shown(functions: Calls) -> str:
    """The functions around any column: `lower(trim())`, `phone(…, 'DE')`."""
    return around(functions, "").replace("(, ", "(…, ")


class Overlap(Frozen):
    """How many of the reference's different sampled values the key's column has; found None: not known.

    `doubt` says why the agreement tells nothing of what the values stand for. With `functions` around
    both columns this is how they agree, and `as_written` the share without.
    """

    candidate: Candidate
    sampled: int
    found: int | None
    doubt: str | None = None
    functions: Calls = ()
    as_written: float = 0.0

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return (self.found or 0) / self.sampled if self.sampled else 0.0

    @property
    def has_values(self) -> bool:
        """Whether so many values were compared that their agreement could be no chance."""
        return self.sampled >= fewest_values(self.candidate)

    @property
    def agrees(self) -> bool:
        """Whether the two columns are worth a relationship."""
        return self.has_values and self.share >= PROPOSED_SHARE and self.doubt is None

    @property
    def agrees_by_chance(self) -> bool:
        """Whether values agree that tell nothing."""
        return self.share >= PROPOSED_SHARE and self.doubt is not None

    @property
    def is_inside(self) -> bool:
        """Whether both columns are of one source."""
        return self.candidate.is_inside

    def __str__(self) -> str:
        pair = f"{self.candidate.reference} = {self.candidate.key}"
        if self.found is None:
            return f"{pair}: the values could not be compared (refused, too slow or out of reach)"
        if self.functions:
            return (
                f"{pair}, {100 * self.as_written:.0f} % as written, {100 * self.share:.0f} % by"
                f" {_shown(self.functions)} of {self.sampled} sampled values"
            )
        return f"{pair}, {100 * self.share:.0f} % of {self.sampled} sampled values"

    def as_join(self) -> ProposedJoin:
        """The join that it comes to."""
        reference, key = self.candidate.reference, self.candidate.key
        told = "no foreign key says so" if self.is_inside else "across databases"
        return ProposedJoin(
            child=(reference.source, reference.table),
            parent=(key.source, key.table),
            pairs=((reference.column, key.column),),
            functions=self.functions,
            required=self.candidate.required,
            is_natural=self.candidate.is_natural,
            evidence=f"{told}: {self}",
        )


FEWEST_NUMBERS = 3
"""Different numbers with the code of one country."""


def most_common_country(texts: Iterable[str]) -> str | None:
    """The country of ISO 3166 that most numbers with a country code are of; None where it is not plain.

    >>> most_common_country(["+49 30 5550101", "0049 30 5550102", "030/5550103", "+49 30 5550104"])
    'DE'
    >>> most_common_country(["030/5550103"]) is None
    True
    """
    countries = Counter(_countries({*texts}))
    found = countries.most_common(1)
    if not found or found[0][1] < max(FEWEST_NUMBERS, countries.total() / 2):
        return None
    return found[0][0]


def _countries(texts: Iterable[str]) -> Iterator[str]:
    # Here, as it takes 20 MB, which most commands do without.
    import phonenumbers

    for text in texts:
        number = text.strip()
        if number.startswith("00"):
            number = f"+{number[2:]}"
        if not number.startswith("+"):
            continue
        try:
            country = phonenumbers.region_code_for_number(phonenumbers.parse(number))
        except phonenumbers.NumberParseException:
            continue
        # 001 is no country: numbers that can be called everywhere.
        if country is not None and country.isalpha():
            yield country
