"""For every pair of types what the graph compares is equal where PostgreSQL's own `=` holds, or the row is refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from c360_graph.mapping.control_rows import RelationshipRow
from c360_graph.mapping.model import GraphMapping
from c360_graph.source.join_counts import join_counts
from c360_graph_tests.integration.equality.pairs import JOINED, PAIRS, PREPARATION, table_sql
from c360_graph_tests.integration.equality.two_tables import mapped_tables
from c360_graph_tests.integration.types.pieces import SourceDatabase


@pytest.fixture
def filled(source: SourceDatabase) -> SourceDatabase:
    source.execute(PREPARATION, *(table_sql(name, PAIRS) for name in ("l", "r")))
    return source


def resolved(source: SourceDatabase, names: Sequence[str]) -> GraphMapping:
    """A relationship by each column that both tables have, by the number of its place."""
    return mapped_tables(
        source,
        (
            RelationshipRow(
                relationship_id=number,
                relationship_type=name,
                from_label="L",
                to_label="R",
                join_condition=f'l."{name}" = r."{name}"',
            )
            for number, name in enumerate(names)
        ),
    )


def test_what_the_graph_compares_is_equal_where_postgresql_says_so(filled: SourceDatabase) -> None:
    mapping = resolved(filled, [pair.name for pair in PAIRS])
    assert [m.relationship_type for m in mapping.relationships] == [p.name for p in JOINED]
    by_graph = {}
    with filled.snapshot() as snapshot:
        for relationship in mapping.relationships:
            counts = join_counts(relationship, mapping.tables)
            pair = PAIRS[relationship.relationship_id]
            # PostgreSQL has no join of its own for those that are compared by their texts.
            assert (counts is None) == bool(pair.on)
            if counts is not None:
                by_graph[pair.name] = snapshot.fetch(counts.by_graph)[0][0]
                assert snapshot.fetch(counts.by_postgres)[0][0] == by_graph[pair.name]
    with filled.servers.postgres.connect(filled.database) as connection:
        connection.execute("SET search_path = public, ext")
        for pair in JOINED:
            statement = f"SELECT count(*) FROM l JOIN r ON {pair.condition}"
            ((count,),) = connection.execute(statement.encode())
            assert count, f"{pair.name} tries nothing"
            assert by_graph.get(pair.name, count) == count, pair.name


def test_what_cannot_be_compared_alike_is_refused_with_the_reason(filled: SourceDatabase) -> None:
    refused = {number: pair for number, pair in enumerate(PAIRS) if pair.refused}
    refusals = resolved(filled, [pair.name for pair in PAIRS]).refusals
    assert [refusal.row_id for refusal in refusals] == list(refused)
    for refusal in refusals:
        pair = refused[refusal.row_id]
        assert refusal.reason.startswith(f"src.public/l.{pair.name} (")
        assert pair.refused in refusal.reason


def test_local_times_of_a_zone_are_compared_as_the_moments_they_are_there(
    source: SourceDatabase,
) -> None:
    source.execute(
        "CREATE TABLE l (id int PRIMARY KEY, at timestamp)",
        "CREATE TABLE r (id int PRIMARY KEY, at timestamptz)",
        "INSERT INTO l VALUES (1, '2024-03-31 02:30'), (2, '2024-10-27 02:30'), (3, 'infinity'), (4, '2024-07-01 12:00')",
        "INSERT INTO r VALUES (1, '2024-03-31 01:30Z'), (2, '2024-10-27 01:30Z'), (3, 'infinity'), (4, '2024-07-01 10:00Z'),"
        " (5, '2024-07-01 12:00Z')",
    )
    zoned = source.within(time_zone="Europe/Berlin")
    mapping = resolved(zoned, ["at"])
    (relationship,) = mapping.relationships
    counts = join_counts(relationship, mapping.tables)
    assert counts is not None
    with zoned.snapshot() as snapshot:
        found = [snapshot.fetch(text)[0][0] for text in (counts.by_postgres, counts.by_graph)]
    with source.servers.postgres.connect(source.database) as connection:
        connection.execute("SET timezone = 'Europe/Berlin'")
        ((wanted,),) = connection.execute("SELECT count(*) FROM l JOIN r ON l.at = r.at")
    assert found == [wanted, wanted]
    assert wanted == 4
