"""The words of column names, of folded ones too: `passwordhash`, `NationalIDNumber` and `addressline1`."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from c360_graph.proposal.naming import singular, word_set, words

_DIGITS = re.compile(r"(?<=\D)(?=\d)|(?<=\d)(?=\D)")
_SHORTEST_FOLDED = 5
_PARTS = word_set(
    # Secrets.
    "access activation answer api auth authorization backup bearer bcrypt client code credential crypt"
    " cvc cvv digest encrypted encryption hash hashed hmac jwt key login master mfa oauth otp pass"
    " passcode passphrase passwd password pin private pw pwd question recovery refresh remember reset salt"
    " secret security session sha share shared signing token totp webhook"
    # People, and how they are reached.
    " account acct addr address apartment bank bill billing birth birthday born building cell city"
    " contact customer date datetime day delivery dob email employee family fax first fore full given"
    " guest guardian holder home house last legal line maiden mail member middle mobile month mother"
    " name nick of office owner patient person phone place post postal postcode preferred primary"
    " recipient secondary ship shipping street student sur tel telephone time user work year zip"
    # Numbers by which they are known.
    " card cc credit debit driver iban id identification identity insurance ip licence license mac"
    " national no nr num number passport payer routing social sort ssn tax vat"
    # Where they are.
    " geo gps lat latitude lng location lon long longitude"
    # What only tells about one of these.
    " at class column confirmed count created domain enabled expires file has host is limit product"
    " sent setting status table type updated valid verified"
)
"""What a folded name is cut into, and only where nothing is left over."""
_WHOLE = word_set(
    "bypass passage passbook postcard postmark typecast homepage mailbox namesake placename timezone"
    " cardinal nickel nodate isolate isotope idle noon lateral latest longest longline"
)
"""Words that could be cut and are to stay whole."""
_ENDING = re.compile(
    r"(.+?)(password|passwd|passwort|email|username|surname|firstname|lastname|(?:email|ip)address"
    r"|phonenumber|cardnumber|birthdate|dateofbirth|postcode|zipcode)"
)
"""Endings that no other word has, whatever stands before them."""


def name_words(name: str) -> tuple[str, ...]:
    """The words of a name in the singular, without accents, digits apart.

    >>> name_words("nationalidnumber")
    ('national', 'id', 'number')
    >>> name_words("home_Addresses2")
    ('home', 'address', '2')
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    found: list[str] = []
    for word in words(plain):
        for part in _DIGITS.split(word.casefold()):
            found += _unfolded(part)
    return tuple(found)


@lru_cache(maxsize=10_000)
def _unfolded(word: str) -> tuple[str, ...]:
    alone = singular(word)
    if len(word) < _SHORTEST_FOLDED or word in _WHOLE or {word, alone} & _PARTS:
        return (alone,)
    whole = _fewest_parts(word)
    ending = None if whole else _ENDING.fullmatch(word)
    return (ending[1], *_unfolded(ending[2])) if ending else whole or (alone,)


def _fewest_parts(word: str) -> tuple[str, ...]:
    """The word as a row of as few parts as possible, () where something would be left over."""
    best: list[tuple[str, ...] | None] = [(), *(None for _ in word)]
    for end in range(1, len(word) + 1):
        for start in range(end):
            before, part = best[start], word[start:end]
            if before is None or not ({part, singular(part)} & _PARTS):
                continue
            here = best[end]
            if here is None or len(before) + 1 < len(here):
                best[end] = (*before, singular(part))
    return best[-1] or ()
