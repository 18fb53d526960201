"""What the functions of a join condition make of a text, where PostgreSQL does not compute them.

Each gives the same for every source. `lower` is Unicode's simple lower case, letter by letter, as
PostgreSQL's own collation `C.UTF-8` has it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache, partial
from hashlib import sha256

from c360_graph.mapping.join_functions import LONGEST_BYTES, Calls, country_of

Normaliser = Callable[[str], str | None]

MOST_KEPT = 100_000
"""Different texts whose phone numbers are kept; 10,000 to 20,000 are parsed a second."""

# Letters that no decomposition makes ASCII of.
_LETTERS = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O",
        "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "TH", "ł": "l", "Ł": "L",
        "ħ": "h", "Ħ": "H", "ı": "i", "ĸ": "k", "ŋ": "n", "Ŋ": "N", "ŧ": "t", "Ŧ": "T",
        "’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‐": "-", "‑": "-",
    }
)  # fmt: skip


def normaliser(calls: Calls) -> Normaliser:
    """What the calls make of a text, None where they come to nothing.

    Results of `phone` are kept.

    >>> normaliser(("lower", "unaccent_ascii"))("Núñez")
    'nunez'
    """
    steps = tuple(_step(call) for call in reversed(calls))

    def normalise(text: str) -> str | None:
        found: str | None = text
        for step in steps:
            found = step(found) if found is not None else None
        return None if found is None else _short(found)

    # Whatever else there is takes less time than to look a text up.
    is_slow = any(country_of(call) for call in calls)
    return lru_cache(maxsize=MOST_KEPT)(normalise) if is_slow else normalise


def _step(call: str) -> Normaliser:
    country = country_of(call)
    return partial(phone, country=country) if country else _STEPS[call]


def lower(text: str) -> str:
    """Each letter's own lower case.

    >>> lower("ΟΔΟΣ İ")
    'οδοσ i'
    """
    # str.lower looks at the letters around a sigma, and makes two characters of a capital i with a dot.
    return text.lower() if text.isascii() else "".join(letter.lower()[0] for letter in text)


def trim(text: str) -> str:
    """Without the blanks at its ends; only blanks, as PostgreSQL's trim."""
    return text.strip(" ")


def unaccent_ascii(text: str) -> str:
    """Letters without their accents; a letter that has no ASCII form stays as it is."""
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    plain = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return unicodedata.normalize("NFC", plain)


def digits(text: str) -> str | None:
    """The digits 0 to 9 alone; None where there is none."""
    return "".join(letter for letter in text if "0" <= letter <= "9") or None


def email(text: str) -> str | None:
    """In lower case and without blanks around it; None where nothing is left."""
    return lower(trim(text)) or None


def email_local(text: str) -> str | None:
    """As `email`, and without dots and +tag before the @.

    >>> email_local(" A.Nn+shop@X.example ")
    'ann@x.example'
    """
    whole = lower(trim(text))
    local, at, domain = whole.rpartition("@")
    short = local.split("+", 1)[0].replace(".", "")
    return (f"{short}{at}{domain}" if short else whole) or None


def phone(text: str, *, country: str) -> str | None:
    """A phone number in E.164, as it is called from abroad; None for what the country has not.

    >>> phone("030/5550101", country="DE")
    '+49305550101'
    """
    # Here, as it takes 20 MB, which most mappings do without.
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def has_phone_numbers(country: str) -> bool:
    """Whether a country of ISO 3166 is one that phone numbers are known of.

    >>> has_phone_numbers("GB"), has_phone_numbers("UK")
    (True, False)
    """
    import phonenumbers

    return country in phonenumbers.SUPPORTED_REGIONS


_STEPS: dict[str, Normaliser] = {
    "lower": lower,
    "trim": trim,
    "unaccent_ascii": unaccent_ascii,
    "digits": digits,
    "email": email,
    "email_local": email_local,
}


def _short(text: str) -> str:
    """As `join_forms` does in SQL: an index takes no long text."""
    if len(text) <= LONGEST_BYTES // 4:
        return text
    encoded = text.encode()
    return sha256(encoded).hexdigest() if len(encoded) > LONGEST_BYTES else text
