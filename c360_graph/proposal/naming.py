"""Names of labels, relationship types and aliases, made from the words of the names of tables and columns.

Folded names have words, too: `passwordhash`, `NationalIDNumber` and `addressline1`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable
from functools import lru_cache
from itertools import chain, count

from sqlglot.dialects.postgres import Postgres

from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.names import reason_against_name

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD = re.compile(r"[\W_]+")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
# `if` is no word of PostgreSQL's and yet a statement to the parser.
_KEYWORDS: frozenset[str] = frozenset(Postgres.tokenizer_class.KEYWORDS) | {"IF"}

_IRREGULAR = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "data": "data",
    "media": "media",
    "indices": "index",
    "movies": "movie",
    "cookies": "cookie",
}
_UNCHANGED = ("ss", "us", "is", "as", "os", "ws", "series", "species", "sms", "dns", "gps")
# Endings of plurals with what stands there in the singular; the first that fits counts.
_PLURALS = (
    ("ouses", "ouse"),
    ("auses", "ause"),
    ("chases", "chase"),
    ("bases", "base"),
    ("cases", "case"),
    ("leases", "lease"),
    ("uses", "us"),
    ("sses", "ss"),
    ("shes", "sh"),
    ("ches", "ch"),
    ("xes", "x"),
    ("zzes", "zz"),
    ("analyses", "analysis"),
    ("diagnoses", "diagnosis"),
    ("heroes", "hero"),
    ("ies", "y"),
    ("s", ""),
)
_SHORTEST_PLURAL = 4
ROLE_ENDINGS = frozenset(["id", "ids", "key", "fk", "no", "nr", "num", "number", "code", "uuid"])
"""Last words of a column that refers to a row, which say nothing of what it refers to."""
_SOURCE_ENDINGS = frozenset(["db", "database", "prod"])
_MOST_INITIALS = 3


def words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case, cut at what is no letter or digit and in camelCase."""
    parts = (part for piece in _NO_WORD.split(name) for part in _CAMEL.split(piece))
    return tuple(part.lower() for part in parts if part)


def word_set(text: str) -> frozenset[str]:
    """Words written one after the other.

    >>> sorted(word_set("port shop"))
    ['port', 'shop']
    """
    return frozenset(text.split())


def singular(word: str) -> str:
    """The singular of an English word, itself where it is none in the plural."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < _SHORTEST_PLURAL or word.endswith(_UNCHANGED):
        return word
    for ending, other in _PLURALS:
        if word.endswith(ending):
            return word.removesuffix(ending) + other
    return word


def singular_words(name: str) -> tuple[str, ...]:
    """The words of a table's name, the last one in the singular."""
    found = words(name)
    return (*found[:-1], singular(found[-1])) if found else ()


def pascal_case(parts: Iterable[str]) -> str:
    """`('payment', 'method')` as `PaymentMethod`."""
    return "".join(part[:1].upper() + part[1:] for part in parts)


def upper_snake(parts: Iterable[str]) -> str:
    """`('payment', 'method')` as `PAYMENT_METHOD`."""
    return "_".join(part.upper() for part in parts)


def label_name(
    table_name: str, source: SourceRow, *, own: Container[str], others: Container[str]
) -> str:
    """A label for a table, unlike those that its source or others have (both casefolded).

    Where another source has it, the source's name goes before; where its own has it, the plural stays.
    """
    source_words = [word for word in words(source.source_name) if word not in _SOURCE_ENDINGS]
    base = pascal_case(singular_words(table_name)) or "Table"
    qualified = pascal_case(source_words) + base
    plural = pascal_case(words(table_name))
    ways_out = [qualified, plural] if base.casefold() in others else [plural, qualified]
    numbered = (f"{qualified}{number}" for number in count(2))
    candidates = chain((base, *ways_out), numbered)
    return next(
        name
        for name in candidates
        if name.casefold() not in own
        and name.casefold() not in others
        and not reason_against_name(name, what="node_label")
    )


def role_words(column: str) -> tuple[str, ...]:
    """What a referring column calls what it refers to: `billing_address_id` is a billing address."""
    found = words(column)
    while len(found) > 1 and found[-1] in ROLE_ENDINGS:
        found = found[:-1]
    return () if len(found) == 1 and found[0] in ROLE_ENDINGS else found


def alias_for(table_name: str, taken: Container[str]) -> str:
    """The table's initials, or those with a number where they are taken or mean something in SQL."""
    initials = "".join(word[0] for word in words(table_name) if _PLAIN.fullmatch(word[0]))
    initials = initials[:_MOST_INITIALS] or "t"
    candidates = chain((initials,), (f"{initials}{number}" for number in count(1)))
    return next(name for name in candidates if name not in taken and name.upper() not in _KEYWORDS)


def column_in_condition(name: str) -> str:
    """A column as join_condition writes it: quoted unless it is plain."""
    if _PLAIN.fullmatch(name) and name.upper() not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


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
