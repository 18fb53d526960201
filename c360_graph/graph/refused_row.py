"""Finds the row for which the server refuses a batch, in transactions that are always rolled back."""

from __future__ import annotations

from contextlib import suppress

from c360_graph.cypher.quoting import identifier
from c360_graph.cypher.script_reader import Batch, Statement
from c360_graph.cypher.script_writer import NodesFacts
from c360_graph.graph.connection import ERRORS, Graph, Tag, outcome


def describe_refused_row(
    graph: Graph, statement: Statement, batch: Batch, *, tag: Tag
) -> str | None:
    """Which row it is, in words: by its key where the table has one, never by other values.

    None where no row can be made out: the server refuses only at the commit, or is gone.
    """
    with suppress(*ERRORS):
        number = _first_refused(graph, batch, tag)
        if number is not None:
            key = _key(graph, statement, batch.cut(number - 1, number))
            return f"row {number} of the batch" + (f", key {key}" if key else "")
    return None


def _first_refused(graph: Graph, batch: Batch, tag: Tag) -> int | None:
    """The number of the last row of the shortest beginning that is refused.

    Beginnings, not arbitrary halves: of two rows with one key the second is only refused with the
    first before it.
    """
    taken, refused = 0, batch.rows.count(batch.row_mark) + 1
    if not _is_refused(graph, batch, tag):
        return None
    while refused - taken > 1:
        middle = (taken + refused) // 2
        if _is_refused(graph, batch.cut(0, middle), tag):
            refused = middle
        else:
            taken = middle
    return refused


def _is_refused(graph: Graph, batch: Batch, tag: Tag) -> bool:
    try:
        with graph.transaction(tag) as transaction:
            transaction.run(batch.text, batch.parameters).consume()
            transaction.rollback()
    except ERRORS as error:
        if outcome(error) != "refused":
            raise
        return True
    return False


def _key(graph: Graph, statement: Statement, row: Batch) -> str | None:
    """The row's key as `name: value, ...`; None where there is none, or it is what cannot be read."""
    facts = statement.facts
    if not isinstance(facts, NodesFacts) or facts.match is None:
        return None
    key = facts.match.removeprefix(f"(n:{identifier(facts.label)} ").removesuffix(")")
    with suppress(*ERRORS):
        found = graph.fetch(f"{row.unwound} RETURN {key} AS key", rows=row.rows)
        return ", ".join(f"{name}: {value}" for name, value in found[0]["key"].items())
    return None
