"""Which texts can be the name of a label or a relationship type, and which name was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

OWN_PREFIX = "_C360"
"""Labels of ours begin so; a mapping may not use them."""

MAX_LENGTH = 1_000


def reason_against_name(name: str, *, what: str) -> str | None:
    """Why a text cannot be a name, None where it can."""
    if not name.strip():
        return f"{what} is empty"
    if "\x00" in name:
        return f"{what} holds a NUL character"
    if len(name) > MAX_LENGTH:
        return f"{what} is longer than {MAX_LENGTH} characters"
    if name.upper().startswith(OWN_PREFIX):
        return f"{what} {name!r} begins with {OWN_PREFIX}, which is kept for the loader's own nodes"
    return None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` where a known name is near, else nothing."""
    by_folded = {other.casefold(): other for other in known}
    near = get_close_matches(name.strip().casefold(), by_folded, n=1, cutoff=0.75)
    return f"; did you mean {by_folded[near[0]]!r}?" if near else ""
