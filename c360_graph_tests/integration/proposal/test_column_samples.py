"""What a proposal samples of a source."""

from __future__ import annotations

from c360_graph.mapping.control_rows import SourceRow
from c360_graph.source_db.column_samples import SAMPLED_ROWS, sample_columns
from c360_graph.source_db.snapshot import open_snapshot
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
