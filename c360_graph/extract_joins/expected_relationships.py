"""What the relationships must be, counted from the extracts alone: no source and no graph is asked."""

from __future__ import annotations

from dataclasses import dataclass

from c360_graph.errors import ExtractError
from c360_graph.extract_joins.engine import JoinEngine, join_engine
from c360_graph.extract_joins.extract_sql import file_rows
from c360_graph.extract_joins.graph_input import GraphParts
from c360_graph.extracts import Extract
from c360_graph.mapping.model import RelationshipMapping
from c360_graph.object_extracts import Extracts
from c360_graph.sql_quoting import quoted, sql_literal

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
    with store.work_folder() as work, join_engine(work) as engine:
        return tuple(
            _expect(engine, mapping, parts, sample_rows) for mapping in parts.relationships
        )


def _expect(
    engine: JoinEngine, mapping: RelationshipMapping, parts: GraphParts, sample_rows: int
) -> Expectation:
    matches = _matches(mapping, parts)
    try:
        ((total, orphans, ambiguous),) = engine.rows(
            f"SELECT coalesce(sum(found), 0)::bigint, count(*) FILTER (found = 0),"
            f" count(*) FILTER (found > 1) FROM ({matches})",
        )
        return Expectation(
            mapping=mapping,
            relationships=total,
            orphans=orphans,
            orphan_sample=_sample(engine, matches, "found = 0", sample_rows) if orphans else (),
            ambiguous=ambiguous,
            ambiguous_sample=_sample(engine, matches, "found > 1", sample_rows)
            if ambiguous
            else (),
        )
    except ExtractError as error:
        raise ExtractError(
            f"The extracts of {mapping.row} cannot be joined: {error}. Materialize its tables again."
        ) from None


def _matches(mapping: RelationshipMapping, parts: GraphParts) -> str:
    """SQL: one row for each driving row whose references are not NULL: its key, how many it found."""
    driving = parts.extracts_of(parts.index.driving(mapping))
    sides = [(parts.extracts_of(parts.index.at(end)), end.pairs) for end in mapping.sought]
    columns = tuple(dict.fromkeys(column for _, pairs in sides for _, column in pairs))
    found = " * ".join(f"coalesce(s{i}.n, 0)" for i in range(len(sides)))
    joins = " ".join(
        f"LEFT JOIN ({_counted(tables, pairs)}) AS s{i} ON "
        + " AND ".join(f"s{i}.j{n} = d.{quoted(column)}" for n, (_, column) in enumerate(pairs))
        for i, (tables, pairs) in enumerate(sides)
    )
    present = " AND ".join(f"d.{quoted(column)} IS NOT NULL" for column in columns)
    rows = _rows(driving, columns)
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
    return tuple(str(key)[:200] for (key,) in rows)
