"""What the grammars of join_condition and row_filter have in common."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

MOST_CHARACTERS = 4000
_MOST_SHOWN = 200


def conjuncts(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The parts that AND joins, in the order they are written."""
    # Left-deep, so walked by a loop: a hostile row could nest deeper than Python recurses.
    rights: list[exp.Expr] = []
    while isinstance(tree, exp.And):
        rights.append(tree.expression)
        tree = tree.this
    yield tree
    yield from reversed(rights)


def cited(text: str) -> str:
    """A text as a message has it: in quotes, and not at any length.

    >>> cited("a.id = b.id")
    "'a.id = b.id'"
    """
    return repr(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}...")


def cited_part(tree: exp.Expr) -> str:
    """A part of a condition as a message has it."""
    try:
        return cited(tree.sql("postgres"))
    except RecursionError:
        return "a part of it"
