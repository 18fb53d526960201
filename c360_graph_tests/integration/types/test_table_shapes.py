"""Tables of unusual shape and kind: wide, empty, partitioned, foreign, with huge rows."""

from __future__ import annotations

from c360_graph.cypher.copy_text import MAX_BATCH_BYTES, blocks
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.cypher_shell import load_by_cypher_shell
from c360_graph_tests.integration.types.pieces import (
    SourceDatabase,
    load,
    rule,
)


def test_tables_of_every_shape_and_kind_become_nodes(
    source: SourceDatabase, graph: Graph, servers: TestServers
) -> None:
    wide = ", ".join(f"c{i} {('int', 'text', 'timestamptz')[i % 3]}" for i in range(1_600))
    postgres = servers.postgres
    source.execute(
        f"CREATE TABLE wide ({wide})",
        "INSERT INTO wide (c0, c1, c2, c1597, c1599) VALUES (1, 'x', '2024-01-01Z', 2, 3)",
        "INSERT INTO wide DEFAULT VALUES",
        "CREATE TABLE one AS SELECT 1 AS only",
        "CREATE TABLE nothing ()",
        "INSERT INTO nothing DEFAULT VALUES",
        "INSERT INTO nothing DEFAULT VALUES",
        "CREATE TABLE secret AS SELECT i AS a, 'x' || i AS b FROM generate_series(1, 3) i",
        "CREATE TABLE no_rows (id int PRIMARY KEY, name text)",
        "CREATE TABLE parted (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        "CREATE TABLE parted_2 PARTITION OF parted DEFAULT",
        "INSERT INTO parted VALUES (1, '2024-05-05'), (1, '2025-05-05'), (2, '2023-05-05')",
        "CREATE VIEW seen AS SELECT id * 10 AS ten_times, at FROM parted",
        "CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS how_many FROM parted",
        "CREATE EXTENSION postgres_fdw",
        "CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS"
        f" (host '{postgres.host}', port '{postgres.port}', dbname '{source.database}')",
        f"CREATE USER MAPPING FOR CURRENT_USER SERVER here OPTIONS (user '{postgres.user}', password '{postgres.password}')",
        "CREATE FOREIGN TABLE afar (id int NOT NULL, name text NOT NULL) SERVER here OPTIONS (table_name 'nullable')",
        "CREATE TABLE nullable (id int, name text)",
        "INSERT INTO nullable VALUES (1, 'a'), (NULL, NULL)",
    )
    names = ("wide", "one", "nothing", "no_rows", "parted", "parted_1", "seen", "kept", "afar")
    hidden = (rule("secret", "a", "exclude"), rule("secret", "b", "exclude"))
    extracts = [source.extract(name) for name in names] + [source.extract("secret", rules=hidden)]
    load(graph, source.script(*extracts))
    found = graph.rows(
        "MATCH (n) WHERE NOT n:_C360Load RETURN labels(n)[0] AS label, count(*) AS rows, sum(size(keys(n))) AS properties"
    )
    assert {row["label"]: (row["rows"], row["properties"]) for row in found} == {
        "wide": (2, 5),
        "one": (1, 1),
        "nothing": (2, 0),
        "secret": (3, 0),
        "parted": (3, 6),
        "parted_1": (1, 2),
        "seen": (3, 6),
        "kept": (1, 1),
        "afar": (2, 2),
    }
    assert graph.rows(
        "MATCH (n:wide) WHERE n.c0 = 1 RETURN n.c1 AS a, toString(n.c2) AS b, n.c1599 AS c"
    ) == [{"a": "x", "b": "2024-01-01T00:00:00Z", "c": 3}]


def test_a_view_over_functions_of_the_source_finds_them_as_its_role_does(
    source: SourceDatabase, graph: Graph
) -> None:
    source.execute(
        "CREATE TABLE rates (id int, rate numeric(5, 2))",
        "INSERT INTO rates VALUES (1, 1.5)",
        "CREATE FUNCTION rate_of(int) RETURNS numeric LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN (SELECT rate FROM rates WHERE id = $1); END $$",
        "CREATE VIEW v AS SELECT rate_of(1) AS rate",
    )
    load(graph, source.script(source.extract("v")))
    assert graph.rows("MATCH (n:v) RETURN n.rate AS rate") == [{"rate": "1.50"}]


def test_huge_rows_are_batches_of_their_own_and_a_batch_ends_before_1_mb(
    source: SourceDatabase, graph: Graph, servers: TestServers
) -> None:
    source.execute(
        "CREATE TABLE t (id int PRIMARY KEY, body text, bytes bytea)",
        # 5 MB that must be decoded, 5 MB that must not, then rows of a quarter MB between small ones.
        r"INSERT INTO t VALUES (1, repeat(E'line\n\t\\', 700000)), (2, repeat('x''y', 1700000))",
        "INSERT INTO t SELECT i, repeat('é', CASE WHEN i % 2 = 0 THEN 120000 ELSE 3 END) FROM generate_series(3, 20) i",
        "INSERT INTO t SELECT i, NULL, decode(repeat('ff', 1000000), 'hex') FROM generate_series(21, 22) i",
    )
    extract = source.extract("t")
    with extract.open() as file:
        cut = [(rows, len(block)) for rows, block in blocks(file)]
    assert sum(rows for rows, _ in cut) == 22
    assert all(rows == 1 or size <= MAX_BATCH_BYTES for rows, size in cut)
    assert [rows for rows, _ in cut][:2] == [1, 1]
    assert len(cut) <= 7
    script = source.script(extract)
    expected = source.rows(
        "SELECT id, length(body), md5(body), octet_length(bytes) FROM t ORDER BY id"
    )
    for client in (lambda: load(graph, script), lambda: load_by_cypher_shell(servers, script)):
        graph.rows("MATCH (n) DETACH DELETE n")
        client()
        assert graph.rows("MATCH (n:t) RETURN count(n) AS n") == [{"n": 22}]
        bodies = graph.rows("MATCH (n:t) WHERE n.id < 4 RETURN n.body AS body ORDER BY n.id")
        assert [row["body"] for row in bodies] == ["line\n\t\\" * 700_000, "x'y" * 1_700_000, "ééé"]
        sizes = graph.rows(
            "MATCH (n:t) RETURN n.id AS id, size(n.body) AS body, size(n.bytes) AS bytes ORDER BY id"
        )
        assert [(row["id"], row["body"]) for row in sizes] == [row[:2] for row in expected]
        assert [row["bytes"] for row in sizes[-2:]] == [1_333_336, 1_333_336]
