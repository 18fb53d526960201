"""Which country phone numbers without a country code are of, by others beside them that have one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

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
