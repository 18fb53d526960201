"""Databases of other encodings than UTF-8."""

from __future__ import annotations

import pytest
from psycopg import sql

from c360_graph.errors import SourceError
from c360_graph.graph.connection import Graph
from c360_graph_tests.integration.types.pieces import SourceDatabase, load


def encoded(source: SourceDatabase, encoding: str) -> SourceDatabase:
    """A database of that encoding; it is dropped with the one whose name it begins with."""
    name = f"{source.database}_{encoding.lower()}"
    with source.servers.postgres.connect("postgres") as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 LOCALE 'C' ENCODING {}").format(
                sql.Identifier(name), sql.Literal(encoding)
            )
        )
    return source.within(database=name)


def test_a_database_of_another_encoding_is_converted(source: SourceDatabase, graph: Graph) -> None:
    latin = encoded(source, "LATIN1")
    latin.execute("SET client_encoding = 'UTF8'; CREATE TABLE t AS SELECT 'é' AS \"ä\"")
    load(graph, latin.script(latin.extract("t")))
    assert graph.rows("MATCH (n:t) RETURN n") == [{"n": {"ä": "é"}}]


def test_bytes_of_no_known_encoding_are_refused(source: SourceDatabase, graph: Graph) -> None:
    unknown = encoded(source, "SQL_ASCII")
    unknown.execute("CREATE TABLE t (a text)", r"INSERT INTO t VALUES (E'\xc3\xa9')")
    load(graph, unknown.script(unknown.extract("t")))
    assert graph.rows("MATCH (n:t) RETURN n.a AS a") == [{"a": "é"}]
    unknown.execute(r"INSERT INTO t VALUES (E'\xe9')")
    with pytest.raises(SourceError, match='invalid byte sequence for encoding "UTF8": 0xe9'):
        unknown.extract("t")
