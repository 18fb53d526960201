"""What a plan asks of a source: bounded, read only, and of use after a statement that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from c360_graph.errors import SourceError, SourceUnavailableError
from c360_graph.mapping.control_rows import (
    ControlRows,
    NodeLabelRow,
    RelationshipRow,
    SourceRow,
)
from c360_graph.mapping.resolve import resolve
from c360_graph.plan.model import PartnerSample, RowEstimate
from c360_graph.source.join_counts import PartnerSampling
from c360_graph.source.sampling import row_estimate
from c360_graph.source.snapshot import SourceSnapshot, open_snapshot
from c360_graph_tests.conftest import TestServers

SOURCE = SourceRow(source_id=1, source_name="shop_db", db_name="shop")


def test_a_statement_that_takes_too_long_or_writes_is_ended_and_the_next_answers(
    servers: TestServers, scratch_db: str
) -> None:
    with snapshot_of(servers, scratch_db) as snapshot:
        with pytest.raises(SourceError, match="shop_db refused: QueryCanceled"):
            snapshot.ask("SELECT pg_sleep(30)", seconds=1)
        with pytest.raises(SourceError, match="shop_db refused: ReadOnlySqlTransaction"):
            snapshot.ask("CREATE TABLE t (i int)")
        with pytest.raises(SourceError, match="shop_db refused: DivisionByZero"):
            snapshot.ask("SELECT 1 / 0")
        assert snapshot.ask("SELECT %s::int + 1", 1) == [(2,)]
        assert snapshot.ask("SELECT '%'") == [("%",)]
        assert snapshot.fetch("SHOW statement_timeout") == [("0",)]
        with pytest.raises(SourceUnavailableError, match="shop_db left: AdminShutdown"):
            snapshot.ask("SELECT pg_terminate_backend(pg_backend_pid())")


def test_rows_are_estimated_where_there_are_statistics_and_else_counted_up_to_a_bound(
    servers: TestServers, scratch_db: str
) -> None:
    with connect(servers, scratch_db) as connection:
        connection.execute("CREATE TABLE analysed AS SELECT i FROM generate_series(1, 300) AS i")
        connection.execute("CREATE TABLE fresh (i int) WITH (autovacuum_enabled = off)")
        connection.execute("INSERT INTO fresh VALUES (1), (2)")
        connection.execute("CREATE VIEW great AS SELECT i FROM generate_series(1, 100001) AS i")
        connection.execute(
            "CREATE VIEW broken AS SELECT 1 / i AS i FROM fresh WHERE 1 / (i - 1) > 0"
        )
        connection.execute("ANALYZE analysed")
    with snapshot_of(servers, scratch_db) as snapshot:
        catalog = snapshot.catalog(frozenset(["analysed", "fresh", "great", "broken"]))
        found = {table.table_name: row_estimate(snapshot, table) for table in catalog.tables}
    assert found == {
        "analysed": RowEstimate(rows=300, basis="estimate"),
        "fresh": RowEstimate(rows=2, basis="count"),
        "great": RowEstimate(rows=100_000, basis="at least"),
        "broken": RowEstimate(),
    }


def test_partners_are_found_by_the_value_whatever_its_type_and_in_any_table_of_a_label(
    servers: TestServers, scratch_db: str
) -> None:
    with connect(servers, scratch_db) as connection:
        connection.execute(
            'CREATE TABLE people (id int PRIMARY KEY, "to%ken" uuid);'
            "CREATE TABLE firms (id int PRIMARY KEY);"
            "CREATE TABLE orders (no int PRIMARY KEY, payer numeric(8,2), token text);"
            "INSERT INTO people VALUES (1, '77f7cea1-6636-563c-893e-df83b2858123'), (2, NULL);"
            "INSERT INTO firms VALUES (7);"
            "INSERT INTO orders VALUES"
            " (1, 1.00, '77f7cea1-6636-563c-893e-df83b2858123'), (2, 7, 'no uuid'), (3, 8, NULL),"
            " (4, 1, NULL), (5, NULL, NULL)"
        )
    with snapshot_of(servers, scratch_db) as snapshot:
        catalog = snapshot.catalog(frozenset(["people", "firms", "orders"]))
        mapping = resolve(rows(), {1: catalog})
        assert mapping.refusals == ()
        sampling = PartnerSampling({1: snapshot}, {1: catalog}, mapping.tables)
        assert [sampling.sample(relationship) for relationship in mapping.relationships] == [
            PartnerSample(sampled=4, matched=3),
            PartnerSample(sampled=2, matched=1),
        ]


def rows() -> ControlRows:
    labels = (("people", "Party"), ("firms", "Party"), ("orders", "Order"))
    joins = (("PAID", "party.id = o.payer"), ("MEANT", 'party."to%ken" = o.token'))
    return ControlRows(
        sources=(SOURCE,),
        labels=tuple(
            NodeLabelRow(mapping_id=n, source_id=1, table_name=name, node_label=label)
            for n, (name, label) in enumerate(labels, start=1)
        ),
        relationships=tuple(
            RelationshipRow(
                relationship_id=n,
                relationship_type=kind,
                from_label="Party",
                to_label="Order",
                join_condition=join,
                from_alias="party",
                to_alias="o",
            )
            for n, (kind, join) in enumerate(joins, start=1)
        ),
    )


def connect(servers: TestServers, database: str) -> psycopg.Connection:
    return servers.postgres.connect(database)


@contextmanager
def snapshot_of(servers: TestServers, database: str) -> Iterator[SourceSnapshot]:
    with open_snapshot(SOURCE, servers.credentials(database)) as snapshot:
        yield snapshot
