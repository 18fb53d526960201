"""Which texts can be the name of a label or a relationship type, and which name was probably meant."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from heapq import nlargest

OWN_PREFIX = "_C360"
"""Labels of ours begin so; a mapping may not use them."""

MAX_LENGTH = 1_000

TABLE_PROPERTY = "_c360_table"
"""First part of the key of a label that several tables feed, so that their keys never collide."""

JOIN_PREFIX = "_c360_join_"
"""Begins the names of the properties that hold join forms."""


def is_kept_name(name: str) -> bool:
    """Whether a property's name is the loader's own: no column of a source may have it.

    >>> is_kept_name("_c360_table"), is_kept_name("email")
    (True, False)
    """
    return name == TABLE_PROPERTY or name.startswith(JOIN_PREFIX)


def reason_against_name(name: str, *, what: str) -> str | None:
    """Why a text cannot be a name, None where it can.

    >>> reason_against_name("Account", what="node_label") is None
    True
    >>> reason_against_name("", what="node_label")
    'node_label is empty'
    """
    if not name.strip():
        return f"{what} is empty"
    if "\x00" in name:
        return f"{what} holds a NUL character"
    if len(name) > MAX_LENGTH:
        return f"{what} is longer than {MAX_LENGTH} characters"
    if name.upper().startswith(OWN_PREFIX):
        return f"{what} {name!r} begins with {OWN_PREFIX}, which is kept for the loader's own nodes"
    return None


_NEAR_ENOUGH = 0.75
_COMPARED = 20
"""Names that are compared letter by letter, of however many: a comparison of all takes too long."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` where a known name is near, else nothing.

    >>> did_you_mean("acount_id", ["account_id", "email"])
    "; did you mean 'account_id'?"
    """
    near = _known(frozenset(known)).nearest(name)
    return f"; did you mean {near!r}?" if near is not None else ""


class _NamesByPairs:
    """Names by the pairs of letters in them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_folded = {name.casefold(): name for name in sorted(names)}
        self._having: dict[str, list[str]] = defaultdict(list)
        for folded in self._by_folded:
            for pair in _pairs(folded):
                self._having[pair].append(folded)

    def nearest(self, name: str) -> str | None:
        """The known name that is most like this one, None where none is near."""
        wanted = name.strip().casefold()
        shared = Counter(other for pair in _pairs(wanted) for other in self._having.get(pair, ()))
        likely = nlargest(_COMPARED, shared, key=lambda other: (shared[other], -len(other), other))
        near = get_close_matches(wanted, likely, n=1, cutoff=_NEAR_ENOUGH)
        return self._by_folded[near[0]] if near else None


@lru_cache(maxsize=16)
def _known(names: frozenset[str]) -> _NamesByPairs:
    return _NamesByPairs(names)


def _pairs(text: str) -> set[str]:
    """The pairs of neighbouring letters; a mark at both ends makes a name of one letter have some."""
    marked = f" {text} "
    return {marked[at : at + 2] for at in range(len(marked) - 1)}


def columns_meant(name: str, *, is_quoted: bool) -> tuple[str, ...]:
    """The columns that a name in a condition may mean, in the order they are tried.

    A name without quotes means its lower-case form first, as in PostgreSQL.

    >>> columns_meant("Email", is_quoted=False), columns_meant("Email", is_quoted=True)
    (('email', 'Email'), ('Email',))
    """
    return (name,) if is_quoted else tuple(dict.fromkeys((name.lower(), name)))


IS = "IS"
"""The type of the relationship from an entity to each of its records."""
POSSIBLY_SAME_AS = "POSSIBLY_SAME_AS"
"""The type of the relationship between two entities whose records are alike."""
SCORE_COLUMN = "score"
"""Its property: how probable it is that both are the same."""

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake_case(label: str) -> str:
    """A label as a name of columns and tables.

    >>> snake_case("LoyalCustomer")
    'loyal_customer'
    """
    words = re.sub(r"\W+", "_", _WORD_START.sub("_", label)).strip("_")
    return words.lower() or "entity"


def identity_name(label: str) -> str:
    """What the tables of an entity's label are shown under.

    >>> identity_name("Customer")
    'customer_identity'
    """
    return f"{snake_case(label)}_identity"
