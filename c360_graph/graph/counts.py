"""Counts of a graph from its count store, held against what a script should have made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from c360_graph.cypher.counts_and_deletes import (
    MOST_COUNTED,
    count_labels,
    count_pattern_ends,
    count_patterns,
    count_types,
)
from c360_graph.errors import CountMismatchError
from c360_graph.graph.connection import Graph
from c360_graph.mapping.graph_manifest import RelationshipPattern
from c360_graph.mapping.names import OWN_PREFIX

T = TypeVar("T")

Ask = Callable[[str], list[dict[str, Any]]]
"""Sends a statement that only reads, and gives its records."""


def graph_counts(graph: Graph) -> tuple[dict[str, int], dict[str, int]]:
    """Nodes by label and relationships by type, as the count store has them; none that is zero.

    The loader's own nodes are not counted.
    """
    return count_graph(graph.rows)


def count_graph(
    ask: Ask,
) -> tuple[dict[str, int], dict[str, int]]:
    """As `graph_counts`, by whatever way the caller asks."""
    labels = ask("CALL db.labels() YIELD label AS name RETURN name ORDER BY name")
    types = ask(
        "CALL db.relationshipTypes() YIELD relationshipType AS name RETURN name ORDER BY name"
    )
    names = [row["name"] for row in labels if not row["name"].startswith(OWN_PREFIX)]
    nodes = count_by_name(ask, names, count_labels)
    relationships = count_by_name(ask, [row["name"] for row in types], count_types)
    return (
        {label: count for label, count in nodes.items() if count},
        {kind: count for kind, count in relationships.items() if count},
    )


def count_by_name(
    ask: Ask,
    names: Sequence[str],
    statement: Callable[[Sequence[str]], str],
) -> dict[str, int]:
    """How many there are by name, asked for many names at a time.

    >>> def ask(statement):
    ...     return [{"counts": [3, 2]}]
    >>> count_by_name(ask, ["Account", "Plan"], count_labels)
    {'Account': 3, 'Plan': 2}
    """
    counts = (count for (count,) in _asked(ask, names, statement))
    return dict(zip(names, counts, strict=True))


def count_by_pattern(
    ask: Ask, patterns: Sequence[RelationshipPattern]
) -> dict[RelationshipPattern, int]:
    """Relationships of each type between two labels, asked for many patterns at a time.

    Where all relationships of the type start at the one label or end at the other, the count store has
    the number; only the other patterns cost the server a look at their relationships.

    >>> def ask(statement):
    ...     return [{"counts": [5, 7, 7]}]
    >>> count_by_pattern(ask, [("WATCHED", "Account", "PlayEvent")])
    {('WATCHED', 'Account', 'PlayEvent'): 5}
    """
    found: dict[RelationshipPattern, int] = {}
    ends = _asked(ask, patterns, count_pattern_ends, width=3)
    for pattern, (starting, ending, every) in zip(patterns, ends, strict=True):
        fewer, more = sorted((starting, ending))
        if fewer == 0 or more == every:
            found[pattern] = fewer
    others = [pattern for pattern in patterns if pattern not in found]
    for pattern, (count,) in zip(others, _asked(ask, others, count_patterns), strict=True):
        found[pattern] = count
    return found


def _asked(
    ask: Ask, items: Sequence[T], statement: Callable[[Sequence[T]], str], *, width: int = 1
) -> Iterator[Sequence[int]]:
    """The numbers of each item, of which a statement gives ``width``."""
    most = MOST_COUNTED // width
    for start in range(0, len(items), most):
        some = items[start : start + most]
        counts = ask(statement(some))[0]["counts"]
        for first in range(0, len(counts), width):
            yield counts[first : first + width]


def check_counts(nodes: Mapping[str, int], rows: Mapping[str, int]) -> None:
    """Hold the nodes of a graph against how many rows each label was made from.

    Raises:
        CountMismatchError: a label has other counts.
    """
    _refuse(
        f"{label}: {count:,} nodes for {wanted:,} rows"
        for label, count, wanted in _different(nodes, rows)
    )


def check_made(relationships: Mapping[str, int], made: Mapping[str, int]) -> None:
    """Hold the relationships of a graph against how many of each type a load or an import made.

    Raises:
        CountMismatchError: a type has other counts.
    """
    _refuse(
        f"{kind}: {count:,} relationships where {wanted:,} were made"
        for kind, count, wanted in _different(relationships, made)
    )


def _different(
    found: Mapping[str, int], wanted: Mapping[str, int]
) -> Iterator[tuple[str, int, int]]:
    """Each name with how many were found and how many were wanted, where these differ."""
    for name, count in wanted.items():
        if found.get(name, 0) != count:
            yield name, found.get(name, 0), count


def _refuse(wrong: Iterable[str]) -> None:
    said = "; ".join(wrong)
    if said:
        raise CountMismatchError(
            f"The graph does not hold what was extracted: {said}. Did something else write"
            " to it? Load again with clear_database."
        )
