"""Which texts can be the name of a label or a relationship type."""

from __future__ import annotations

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
