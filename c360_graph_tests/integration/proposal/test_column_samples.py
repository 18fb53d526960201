"""What a proposal samples of a source."""

from __future__ import annotations

import pytest

from c360_graph.mapping.control_rows import SourceRow
from c360_graph.proposal.candidates import Candidate
from c360_graph.proposal.model import QualifiedColumn
from c360_graph.source.references import measure_overlap
from c360_graph.source.sampling import SAMPLED_ROWS, sample_columns
from c360_graph.source.snapshot import open_snapshot
from c360_graph_tests.conftest import TestServers

ROWS = 200_000
SOURCE = SourceRow(source_id=1, source_name="shop_db", db_name="shop")


def test_a_large_table_is_sampled_from_its_first_rows_to_its_last(
    servers: TestServers, scratch_db: str
) -> None:
    with servers.postgres.connect(scratch_db) as connection:
        connection.execute(
            f"CREATE TABLE orders AS SELECT generate_series(0, {ROWS - 1}) AS no".encode()
        )
        connection.execute("ANALYZE orders")
    with open_snapshot(SOURCE, servers.credentials(scratch_db)) as snapshot:
        (orders,) = snapshot.catalog(frozenset(["orders"])).tables
        first, again = (sample_columns(snapshot, orders, ["no"]) for _ in range(2))
    assert first is not None
    assert first == again
    tenths = [10 * int(number) // ROWS for number in first["no"]]
    assert len(tenths) == SAMPLED_ROWS
    assert all(tenths.count(tenth) > SAMPLED_ROWS / 40 for tenth in range(10))


@pytest.mark.parametrize("personal", [True, False])
def test_values_that_a_join_finds_equal_agree_though_their_texts_differ(
    servers: TestServers, scratch_db: str, personal: bool
) -> None:
    with servers.postgres.connect(scratch_db) as connection:
        connection.execute(
            "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext;"
            " CREATE TABLE people (email ext.citext PRIMARY KEY, code varchar(9) UNIQUE);"
            " CREATE TABLE orders (email ext.citext, code char(9));"
            " INSERT INTO people VALUES ('Ann@x', 'A'), ('bob@x', 'B'), ('C@x', 'C');"
            " INSERT INTO orders VALUES ('ANN@X', 'A'), ('Bob@x', 'B'), ('c@x', 'C'), ('d@x', 'D')"
        )
    with open_snapshot(SOURCE, servers.credentials(scratch_db)) as snapshot:
        people, orders = snapshot.catalog(frozenset(["people", "orders"])).tables[::-1]
        shares = []
        for key, reference in zip(people.columns, orders.columns, strict=True):
            candidate = Candidate(
                reference=QualifiedColumn("shop_db", "orders", reference.name),
                key=QualifiedColumn("shop_db", "people", key.name),
                reference_type=reference.type,
                key_type=key.type,
                personal=personal,
            )
            overlap = measure_overlap(
                candidate, referring=(snapshot, orders), referred=(snapshot, people)
            )
            shares.append((overlap.sampled, overlap.found))
    assert shares == [(4, 3), (4, 3)]
