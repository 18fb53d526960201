"""What a foreign statement returns, whatever its values are."""

from __future__ import annotations

import pytest

from c360_graph.errors import GraphError
from c360_graph.graph.connection import Graph
from c360_graph.graph.read_only import read, refuse_beyond_reading
from c360_graph.graph.row_count import RowCount
from c360_graph_tests.conftest import TestServers


@pytest.mark.parametrize(
    ("value", "first", "second"),
    [
        ("[n, n]", "(1, 1)", "(2, 2)"),
        ("{n: n}", "{'n': 1}", "{'n': 2}"),
        ("[{n: n}]", "({'n': 1},)", "({'n': 2},)"),
        ("nodes(p)", "({'n': 1}, {})", "({'n': 2}, {})"),
        ("p", "({'n': 1}, 'OF', {})", "({'n': 2}, 'OF', {})"),
    ],
)
def test_rows_are_counted_by_values_of_any_type(
    graph: Graph, value: str, first: str, second: str
) -> None:
    graph.run(b"UNWIND [1, 2] AS n CREATE ({n: n})-[:OF]->()", tag={})
    statement = f"UNWIND [1, 2, 1] AS n MATCH p = ({{n: n}})-->() RETURN {value} AS v"
    reading = read(graph, statement, {}, timeout_seconds=10, keep=5, tally_by="v")
    counted = {str(key): rows for key, rows in reading.tally}
    assert counted == {first: 2, second: 1}


@pytest.mark.parametrize(
    ("statement", "used"),
    [
        ("LOAD CSV FROM 'file:///etc/passwd' AS line RETURN line", "LOAD CSV"),
        ("// a comment\n/* LOAD */ load\n  csv FROM 'file:///x' AS line RETURN line", "LOAD CSV"),
        ("CYPHER 5 \\u004cOAD CSV FROM 'file:///x' AS line RETURN line", "LOAD CSV"),
        ("MATCH (n) CALL (n) { LOAD CSV FROM 'x' AS l RETURN l } RETURN l", "LOAD CSV"),
        ("RETURN COUNT { LOAD CSV FROM 'x' AS l RETURN l } AS c", "LOAD CSV"),
        (
            "RETURN [x IN [1] | COLLECT { LOAD CSV FROM 'file:///x' AS l RETURN l }] AS y",
            "LOAD CSV",
        ),
        (
            "RETURN CASE WHEN true THEN COUNT { LOAD CSV FROM 'x' AS l RETURN l } END AS y",
            "LOAD CSV",
        ),
        (
            "MATCH (n) WHERE any(x IN [1] WHERE EXISTS { LOAD CSV FROM 'x' AS l RETURN l }) RETURN n",
            "LOAD CSV",
        ),
        (
            "RETURN [x IN [1] | COLLECT { CALL dbms.listConfig() YIELD name RETURN name }] AS y",
            "the procedure dbms.listConfig",
        ),
        ("TERMINATE TRANSACTIONS 'neo4j-transaction-1'", "TERMINATE TRANSACTIONS"),
        (
            "SHOW TRANSACTIONS YIELD transactionId AS i TERMINATE TRANSACTIONS i YIELD message"
            " RETURN message",
            "SHOW TRANSACTIONS and TERMINATE TRANSACTIONS",
        ),
        ("SHOW SETTINGS", "SHOW SETTINGS"),
        ("SHOW USERS", "an administration command"),
        ("CREATE USER someone SET PASSWORD 'long-enough'", "an administration command"),
        ("CALL { MATCH (n) RETURN n } IN TRANSACTIONS RETURN n", "IN TRANSACTIONS"),
        ("CALL dbms.listConfig() YIELD name RETURN name", "the procedure dbms.listConfig"),
        (
            "CALL dbms.killConnections([]) YIELD connectionId RETURN connectionId",
            "the procedure dbms.killConnections",
        ),
        ("CALL db.clearQueryCaches()", "the procedure db.clearQueryCaches"),
        ("USE neo4j MATCH (n) RETURN n", "USE, so another database"),
        ("// a comment\ncypher 5 \\u0075se `neo4j` RETURN 1 AS n", "USE, so another database"),
        ("MATCH (n) CALL (n) { USE neo4j RETURN 1 AS m } RETURN m", "USE, so another database"),
        ("RETURN 1 AS n UNION ALL USE neo4j RETURN 2 AS n", "USE, so another database"),
    ],
)
def test_a_statement_that_does_more_than_read_the_graph_is_refused(
    graph: Graph, servers: TestServers, statement: str, used: str
) -> None:
    with pytest.raises(GraphError) as refused:
        refuse_beyond_reading(graph, statement, {}, timeout_seconds=10)
    if servers.neo4j_line == "5.26" and "\\u" in statement:
        # It reads no escape in a keyword, and refuses the statement itself.
        assert "SyntaxError" in str(refused.value)
        return
    if servers.neo4j_line == "5.26" and "COLLECT { CALL" in statement:
        # Its plan does not show the text of a subquery.
        used = "a system command"
    assert str(refused.value) == (
        f"The statement uses {used}. A question may only read the graph. Remove it from the file."
    )


@pytest.mark.parametrize(
    "statement",
    [
        "// LOAD CSV is only mentioned\nRETURN 'TERMINATE TRANSACTIONS' AS text",
        "RETURN [x IN ['LOAD CSV', \"CALL dbms.x()\"] | x + 'LOAD CSV'] AS y",
        "CYPHER 5 MATCH (n) RETURN count(n) AS n",
        "CALL db.labels() YIELD label RETURN count(label) AS n",
        "WITH 1 AS use RETURN use AS n",
        "RETURN 'USE neo4j' AS n, {use: 1} AS m // USE neo4j",
        "RETURN duration.between(date('2024-01-01'), date . truncate('month', date())) AS d",
        "WITH point({x: 1, y: 1}) AS p RETURN `point`.distance(p, p) AS d",
        "CALL db.schema.visualization() YIELD nodes RETURN size(nodes) AS n",
    ],
)
def test_a_statement_that_reads_the_graph_is_run(graph: Graph, statement: str) -> None:
    refuse_beyond_reading(graph, statement, {}, timeout_seconds=10)
    assert read(graph, statement, {}, timeout_seconds=10, keep=5).row_count == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UNWIND range(1, 30000) AS x RETURN x ORDER BY -x // all of them",
        "UNWIND range(30000, 1, -1) AS x RETURN x UNION ALL UNWIND [1] AS x RETURN x",
        # These are no subqueries, so all their rows are read.
        "UNWIND range(30000, 1, -1) AS x RETURN x + 0",
        "CYPHER runtime = slotted UNWIND range(30000, 1, -1) AS x RETURN x",
    ],
)
def test_rows_beyond_those_kept_are_counted_by_the_server_where_that_is_sooner(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    counted: list[int] = []

    def count(self: RowCount) -> int:
        found = counting(self)
        counted.append(found)
        return found

    counting = RowCount.count
    monkeypatch.setattr(RowCount, "count", count)
    # Any time is as long as the first row took.
    monkeypatch.setattr(RowCount, "first_row_is_here", lambda self: None)
    found = read(graph, statement, {}, timeout_seconds=60, keep=1_000)
    more = statement.count("UNION")
    assert found.row_count == 30_000 + more
    assert [value for (value,) in found.rows] == list(range(30_000, 29_000, -1))
    assert counted == ([] if "x + 0" in statement or "runtime" in statement else [30_000 + more])


def test_an_answer_whose_rows_are_counted_by_a_column_is_read_to_its_end(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RowCount, "first_row_is_here", lambda self: None)
    statement = "UNWIND range(1, 30000) AS x RETURN x % 2 AS y"
    found = read(graph, statement, {}, timeout_seconds=60, keep=1_000, tally_by="y")
    assert (found.row_count, found.tally) == (30_000, ((1, 15_000), (0, 15_000)))
