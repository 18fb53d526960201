"""What the relationships must be, counted from the extracts alone: no source and no graph is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from heapq import nsmallest
from math import prod

from c360_graph.errors import ExtractError
from c360_graph.extract_joins.engine import JoinEngine, join_engine
from c360_graph.extract_joins.extract_sql import file_rows
from c360_graph.extract_joins.graph_input import GraphParts
from c360_graph.extracts import Extract
from c360_graph.mapping.model import RelationshipMapping
from c360_graph.object_extracts import Extracts
from c360_graph.sql_quoting import quoted, sql_literal

SMALL_ROWS = 2_000
MOST_SHOWN = 200
"""Characters of a key."""

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What one mapping's join gives.

    `orphans` are driving rows whose reference is there but finds nothing, `ambiguous` those that
    find more than one partner; each with a few keys as a sample, where keys are asked for.
    """

    mapping: RelationshipMapping
    relationships: int
    orphans: int
    orphan_sample: tuple[str, ...]
    ambiguous: int
    ambiguous_sample: tuple[str, ...]


def expected_relationships(
    parts: GraphParts, *, store: Extracts, sample_rows: int
) -> tuple[Expectation, ...]:
    """Join the extracts as each mapping says; `sample_rows` is the most keys of each sample.

    Raises:
        ExtractError: an extract cannot be read.
    """
    with ExitStack() as stack:

        def start() -> JoinEngine:
            return stack.enter_context(join_engine(stack.enter_context(store.work_folder())))

        engine = cache(start)
        return tuple(
            _expect(_Join(mapping, parts), engine, sample_rows) for mapping in parts.relationships
        )


class _Join:
    """The extracts of a mapping: of the rows that drive it, and of each side that is looked up, with its pairs."""

    def __init__(self, mapping: RelationshipMapping, parts: GraphParts) -> None:
        self.mapping = mapping
        self.driving = parts.extracts_of(parts.index.driving(mapping))
        self.sought = [
            (parts.extracts_of(parts.index.at(end)), end.pairs) for end in mapping.sought
        ]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the driving rows that are compared."""
        return tuple(dict.fromkeys(column for _, pairs in self.sought for _, column in pairs))

    @property
    def is_small(self) -> bool:
        """Whether all its rows are joined here in less time than the engine takes to plan the join."""
        extracts = (*self.driving, *(extract for some, _ in self.sought for extract in some))
        return sum(extract.manifest.rows for extract in extracts) <= SMALL_ROWS


def _expect(join: _Join, engine: Callable[[], JoinEngine], sample_rows: int) -> Expectation:
    try:
        if join.is_small:
            return _expect_small(join, sample_rows)
        return _expect_by_engine(join, engine(), sample_rows)
    except (ExtractError, OSError, ValueError) as error:
        raise ExtractError(
            f"The extracts of {join.mapping.row} cannot be joined: {error}. Materialize its tables again."
        ) from None


def _expect_small(join: _Join, sample_rows: int) -> Expectation:
    """The same as by the engine, in this process."""
    sides = [
        (
            Counter(
                values
                for _, values in _read_rows(tables, tuple(own for own, _ in pairs))
                if None not in values
            ),
            [join.columns.index(column) for _, column in pairs],
        )
        for tables, pairs in join.sought
    ]
    found = [
        (key, prod(counts[tuple(values[i] for i in where)] for counts, where in sides))
        for key, values in _read_rows(join.driving, join.columns)
        if None not in values
    ]
    orphans = [key for key, count in found if count == 0]
    ambiguous = [key for key, count in found if count > 1]
    return Expectation(
        mapping=join.mapping,
        relationships=sum(count for _, count in found),
        orphans=len(orphans),
        orphan_sample=_shown(nsmallest(sample_rows, orphans)),
        ambiguous=len(ambiguous),
        ambiguous_sample=_shown(nsmallest(sample_rows, ambiguous)),
    )


def _read_rows(
    tables: list[Extract], columns: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str | None, ...]]]:
    """As `_rows`: a key to show, and the columns."""
    for extract in tables:
        table = extract.manifest.table
        positions = {prop.column: i for i, prop in enumerate(table.properties)}
        key = [positions[column] for column in table.key or ()] or [0]
        with extract.open() as file:
            for line in file:
                fields = [
                    None if field == "\\N" else field
                    for field in line.decode().rstrip("\n").split("\t")
                ]
                if len(fields) != len(table.properties):
                    raise ExtractError(
                        f"a line of {table.qualified_name} has {len(fields)} values instead of"
                        f" {len(table.properties)}"
                    )
                shown = ", ".join(value for i in key if (value := fields[i]) is not None)
                yield (
                    f"{table.qualified_name} {shown}",
                    tuple(
                        fields[positions[column]] if column in positions else None
                        for column in columns
                    ),
                )


def _shown(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(key[:MOST_SHOWN] for key in keys)


def _expect_by_engine(join: _Join, engine: JoinEngine, sample_rows: int) -> Expectation:
    matches = _matches(join)
    ((total, orphans, ambiguous),) = engine.rows(
        f"SELECT coalesce(sum(found), 0)::bigint, count(*) FILTER (found = 0),"
        f" count(*) FILTER (found > 1) FROM ({matches})",
    )
    return Expectation(
        mapping=join.mapping,
        relationships=total,
        orphans=orphans,
        orphan_sample=_sample(engine, matches, "found = 0", sample_rows) if orphans else (),
        ambiguous=ambiguous,
        ambiguous_sample=_sample(engine, matches, "found > 1", sample_rows) if ambiguous else (),
    )


def _matches(join: _Join) -> str:
    """SQL: one row for each driving row whose references are not NULL: its key, how many it found."""
    sides, columns = join.sought, join.columns
    found = " * ".join(f"coalesce(s{i}.n, 0)" for i in range(len(sides)))
    joins = " ".join(
        f"LEFT JOIN ({_counted(tables, pairs)}) AS s{i} ON "
        + " AND ".join(f"s{i}.j{n} = d.{quoted(column)}" for n, (_, column) in enumerate(pairs))
        for i, (tables, pairs) in enumerate(sides)
    )
    present = " AND ".join(f"d.{quoted(column)} IS NOT NULL" for column in columns)
    rows = _rows(join.driving, columns)
    return f"SELECT d._key, {found} AS found FROM ({rows}) AS d {joins} WHERE {present}"


def _counted(tables: list[Extract], pairs: Pairs) -> str:
    """How many rows of the sought side have each combination of the joined columns."""
    sought = tuple(column for column, _ in pairs)
    chosen = ", ".join(f"{quoted(column)} AS j{n}" for n, column in enumerate(sought))
    grouped = ", ".join(f"j{n}" for n in range(len(sought)))
    rows = _rows(tables, tuple(dict.fromkeys(sought)))
    return (
        f"SELECT {grouped}, count(*) AS n FROM (SELECT {chosen} FROM ({rows})) GROUP BY {grouped}"
    )


def _rows(tables: list[Extract], columns: tuple[str, ...]) -> str:
    """The rows of all tables of a side: a key to show, and the columns, NULL where a table has none."""
    return " UNION ALL ".join(_table_rows(extract, columns) for extract in tables)


def _table_rows(extract: Extract, columns: tuple[str, ...]) -> str:
    table = extract.manifest.table
    positions = {prop.column: f"c{i}" for i, prop in enumerate(table.properties)}

    def value(column: str) -> str:
        # Columns that are joined have equal texts where they are equal.
        return f"{positions.get(column, 'NULL')} AS {quoted(column)}"

    key = [positions[column] for column in table.key or ()] or list(positions.values())[:1]
    shown = (
        f"{sql_literal(table.qualified_name + ' ')} || concat_ws(', ', {', '.join(key)}) AS _key"
    )
    return f"SELECT {', '.join([shown, *map(value, columns)])} FROM {file_rows(extract)}"


def _sample(engine: JoinEngine, matches: str, which: str, most: int) -> tuple[str, ...]:
    rows = engine.rows(f"SELECT _key FROM ({matches}) WHERE {which} ORDER BY _key LIMIT {most}")
    return _shown(str(key) for (key,) in rows)
