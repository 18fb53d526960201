"""Counts of a graph from its count store, held against what a script should have made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any, TypeVar

from c360_graph.cypher.counts_and_deletes import (
    MOST_COUNTED,
    count_labels,
    count_pattern_ends,
    count_patterns,
    count_patterns_of_types,
    count_types,
)
from c360_graph.errors import CountMismatchError, GraphError, GraphUnavailableError
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
    # The count store serves both labels and types.
    ask = cache(ask)
    labels = ask("CALL db.labels() YIELD label AS name RETURN name ORDER BY name")
    types = ask(
        "CALL db.relationshipTypes() YIELD relationshipType AS name RETURN name ORDER BY name"
    )
    names = [row["name"] for row in labels if not row["name"].startswith(OWN_PREFIX)]
    nodes = count_by_label(ask, names)
    relationships = count_by_type(ask, [row["name"] for row in types])
    return (
        {label: count for label, count in nodes.items() if count},
        {kind: count for kind, count in relationships.items() if count},
    )


@dataclass(frozen=True, kw_only=True)
class CountStore:
    """All that the server's count store has, read at once: a count of zero may be missing.

    A key of `relationships` is a pattern, or has None in place of a label that may be any.
    """

    nodes: Mapping[str, int]
    relationships: Mapping[tuple[str, str | None, str | None], int]


def read_count_store(ask: Ask) -> CountStore | None:
    """The whole count store; None where the server does not show it to everybody.

    Raises:
        GraphError: the server cannot be reached.
    """
    try:
        data = ask(_COUNT_STORE)[0]["data"]
    except GraphUnavailableError:
        raise
    except GraphError:
        return None
    return CountStore(
        nodes={row["label"]: row["count"] for row in data["nodes"] if "label" in row},
        relationships={
            (row["relationshipType"], row.get("startLabel"), row.get("endLabel")): row["count"]
            for row in data["relationships"]
            if "relationshipType" in row
        },
    )


_COUNT_STORE = "CALL db.stats.retrieve('GRAPH COUNTS') YIELD data RETURN data"


def _store_for(ask: Ask, names: Sequence[object]) -> CountStore | None:
    """The count store where so many are counted that reading all of it is quicker than planning statements.

    1,900 patterns took some 300 statements of 50 counts, each planned for up to a second, and this takes one.
    """
    return read_count_store(ask) if len(names) > MOST_COUNTED else None


def count_by_label(ask: Ask, labels: Sequence[str]) -> dict[str, int]:
    """How many nodes each label has.

    >>> count_by_label(lambda statement: [{"counts": [3, 2]}], ["Account", "Plan"])
    {'Account': 3, 'Plan': 2}
    """
    store = _store_for(ask, labels)
    if store is not None:
        return {label: store.nodes.get(label, 0) for label in labels}
    counts = (count for (count,) in _asked(ask, labels, count_labels))
    return dict(zip(labels, counts, strict=True))


def count_by_type(ask: Ask, types: Sequence[str]) -> dict[str, int]:
    """How many relationships of each type there are.

    >>> count_by_type(lambda statement: [{"counts": [5]}], ["WATCHED"])
    {'WATCHED': 5}
    """
    store = _store_for(ask, types)
    if store is not None:
        return {kind: store.relationships.get((kind, None, None), 0) for kind in types}
    counts = (count for (count,) in _asked(ask, types, count_types))
    return dict(zip(types, counts, strict=True))


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
    of_types: dict[str, int] = {}
    for pattern, (starting, ending, every) in _pattern_ends(ask, patterns):
        of_types[pattern[0]] = every
        fewer, more = sorted((starting, ending))
        if fewer == 0 or more == every:
            found[pattern] = fewer
    others = [pattern for pattern in patterns if pattern not in found]
    if len(others) > FEW_PATTERNS:
        found |= _count_small_types(ask, others, of_types)
        others = [pattern for pattern in others if pattern not in found]
    for pattern, (count,) in zip(others, _asked(ask, others, count_patterns), strict=True):
        found[pattern] = count
    return found


FEW_PATTERNS = 10
"""So many are counted each by itself."""
SMALL_TYPE = 20_000
"""Relationships of a type that are read in less time than the server takes to plan the count of its patterns."""


def _count_small_types(
    ask: Ask, patterns: Sequence[RelationshipPattern], of_types: Mapping[str, int]
) -> dict[RelationshipPattern, int]:
    """The patterns of types that have few relationships, which are read once."""
    wanted = [pattern for pattern in patterns if of_types[pattern[0]] <= SMALL_TYPE]
    small = [*dict.fromkeys(kind for kind, _, _ in wanted)]
    found = dict.fromkeys(wanted, 0)
    for start in range(0, len(small), MOST_COUNTED):
        for row in ask(count_patterns_of_types(small[start : start + MOST_COUNTED])):
            for ends in product(row["starts"], row["ends"]):
                pattern = (row["type"], *ends)
                if pattern in found:
                    found[pattern] += row["count"]
    return found


def _pattern_ends(
    ask: Ask, patterns: Sequence[RelationshipPattern]
) -> Iterator[tuple[RelationshipPattern, Sequence[int]]]:
    """For each pattern what `count_pattern_ends` counts."""
    store = _store_for(ask, patterns)
    if store is None:
        ends = _asked(ask, patterns, count_pattern_ends, width=3)
        yield from zip(patterns, ends, strict=True)
        return
    for pattern in patterns:
        kind, start, end = pattern
        sides = ((kind, start, None), (kind, None, end), (kind, None, None))
        yield pattern, [store.relationships.get(side, 0) for side in sides]


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
