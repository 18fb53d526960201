"""What entities, their tables and their relationships are called."""

from __future__ import annotations

import re

IS = "IS"
"""The type of the relationship from an entity to each of its records."""
POSSIBLY_SAME_AS = "POSSIBLY_SAME_AS"
"""The type of the relationship between two entities whose records are alike."""

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
