"""Every type with null, ordinary and extreme values: the graph holds what PostgreSQL says itself."""

from __future__ import annotations

import base64
from typing import Any

import psycopg
import pytest

from c360_graph.cypher import script_writer
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.cypher_shell import load_by_cypher_shell
from c360_graph_tests.integration.types.matrix import (
    CASES,
    IN_CYPHER,
    IN_SQL,
    PREPARATION,
    SHOWN_OTHERWISE,
    Case,
)
from c360_graph_tests.integration.types.pieces import SourceDatabase, load

ROWS = max(len(case.values) for case in CASES) + 1
ABSENT = {
    "timestamptz": 2, "moment": 1, "timestamp": 2, "date": 2, "day": 2, "time": 1, "timetz": 2, "interval": 2, "spoken": 1,
}  # fmt: skip

WITH_ESCAPES = (
    "text", "composite", "json", "jsonb", "enum", "tsvector", "one_char", "email", "citext", "hstore",
)  # fmt: skip


def cases(source: SourceDatabase) -> list[Case]:
    """All of them; xml only where the server was built with it."""
    try:
        source.rows("SELECT '<a/>'::xml")
    except psycopg.errors.FeatureNotSupported:
        return [case for case in CASES if case.type != "xml"]
    return list(CASES)


def fill(source: SourceDatabase, table: str, tried: list[Case], *, extra: str) -> None:
    """A table of all types: each row has each column's next value, the first and the rest are NULL."""
    columns = ", ".join(case.definition for case in tried)
    source.execute(f'CREATE TABLE {table} ("row" int PRIMARY KEY, {columns}, extra text)')
    given = [case for case in tried if case.values]
    names = ", ".join(f'"{case.name}"' for case in given)
    for row in range(ROWS):
        values = ", ".join(_value(case, row) for case in given)
        source.execute(f"INSERT INTO {table} (\"row\", {names}, extra) VALUES ({row}, {values}, {extra})")  # fmt: skip


def _value(case: Case, row: int) -> str:
    if not 1 <= row <= len(case.values):
        return "'a@b'" if case.name == "work_email" else "NULL"
    text = case.values[row - 1].replace("'", "''")
    return f"CAST('{text}' AS {case.type})"


def in_postgres(source: SourceDatabase, table: str, tried: list[Case]) -> dict[str, list[Any]]:
    expressions = ", ".join(
        SHOWN_OTHERWISE.get(case.type, IN_SQL[case.becomes]).format(c=f't."{case.name}"')
        for case in tried
    )
    rows = source.rows(f'SELECT {expressions} FROM {table} t ORDER BY t."row"')
    found = {
        case.name: list(column) for case, column in zip(tried, zip(*rows, strict=True), strict=True)
    }
    raw = source.rows(f"SELECT bytea FROM {table} ORDER BY \"row\"")  # fmt: skip
    found["bytea"] = [None if v is None else base64.b64encode(v).decode() for (v,) in raw]
    floats = [case.name for case in tried if case.becomes == "FLOAT"]
    return found | {
        name: [None if text is None else float(text) for text in found[name]] for name in floats
    }


def in_graph(graph: Graph, label: str, tried: list[Case]) -> dict[str, list[Any]]:
    expressions = ", ".join(
        f"CASE WHEN n.`{case.name}` IS NOT NULL THEN"
        f" {IN_CYPHER[case.becomes].format(p=f'n.`{case.name}`')} END AS `{case.name}`"
        for case in tried
    )
    rows = graph.rows(f"MATCH (n:{label}) RETURN {expressions} ORDER BY n.row")
    return {case.name: [row[case.name] for row in rows] for case in tried}


def property_types(graph: Graph, label: str) -> dict[str, str]:
    rows = graph.rows(
        f"MATCH (n:{label}) UNWIND keys(n) AS name WITH DISTINCT name, valueType(n[name]) AS type RETURN name, type"
    )
    return {row["name"]: row["type"].removesuffix(" NOT NULL") for row in rows}


@pytest.mark.parametrize("client", ["loader", "loader of many labels", "cypher-shell"])
def test_every_value_of_every_type_arrives_as_postgresql_says_it(
    source: SourceDatabase,
    graph: Graph,
    servers: TestServers,
    client: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if client == "loader of many labels":
        monkeypatch.setattr(script_writer, "MANY_LABELS", 1)
    source.execute(*PREPARATION)
    tried = cases(source)
    # One batch's bytes are quoted as they are; a lone \x0b in a value makes the other be decoded.
    fill(source, "quoted", tried, extra="NULL")
    fill(source, "decoded", tried, extra=r"E'\x0b\\ '")
    source.execute(*(f"UPDATE quoted SET {name} = NULL" for name in WITH_ESCAPES))
    extracts = [source.extract(table) for table in ("quoted", "decoded")]
    for extract in extracts:
        assert extract.manifest.values_absent == ABSENT
        assert extract.manifest.rows_left_out == 0
    script = source.script(*extracts)
    assert script.read_bytes().count(rb"split(line, '\t') AS row") == 1
    assert (b'"general"' in script.read_bytes()) == (client == "loader of many labels")
    if client != "cypher-shell":
        load(graph, script)
    else:
        load_by_cypher_shell(servers, script)
    for table in ("quoted", "decoded"):
        expected, found = in_postgres(source, table, tried), in_graph(graph, table, tried)
        # By repr, in which NaN equals itself and -0.0 differs from 0.0.
        wrong = [
            (name, row, *pair)
            for name in found
            for row, pair in enumerate(zip(expected[name], found[name], strict=True))
            if repr(pair[0]) != repr(pair[1])
        ]
        assert wrong == []
    types = property_types(graph, "decoded")
    assert {case.name: types[case.name] for case in tried} == {c.name: c.becomes for c in tried}
