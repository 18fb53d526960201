"""Arrays of every kind: lists where Neo4j has them, JSON where it has not."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from c360_graph.graph.connection import Graph
from c360_graph_tests.integration.types.pieces import SourceDatabase, load


class Tried(NamedTuple):
    """A column's type, its value in SQL, and what the graph holds; `absent` elements are counted."""

    type: str
    value: str
    expected: Any
    absent: int = 0


MARKS = "\x1c\x1d\x1e\x1f \x1d0\x1d1\x1d2 \x1c["
TRIED = (
    Tried("text[]", "'{}'", []),
    Tried("text[]", "'{\"\"}'", [""]),
    Tried("text[]", "'{\"\",\"\"}'", ["", ""]),
    Tried("text[]", "'{NULL}'", [], 1),
    Tried("text[]", "NULL", None),
    Tried("text[]", "'{a,NULL,b,NULL}'", ["a", "b"], 2),
    Tried("text[]", f"ARRAY[E'{MARKS}', E'\\x1c', E'\\x1d', E'\\x1f', 'NULL', E'\\\\N', E'\\n\\t\\r''\"{{}},']",
          [MARKS, "\x1c", "\x1d", "\x1f", "NULL", "\\N", "\n\t\r'\"{},"]),
    Tried("text[]", "'[-3:-1]={x,y,z}'", ["x", "y", "z"]),
    Tried("text[]", "'{{a,NULL},{b,c}}'", '[["a",null],["b","c"]]'),
    Tried("text[]", "ARRAY[ARRAY[E'\\x1c']]", '[["\\u001c"]]'),
    Tried("text[][]", "'{{a,b},{c,d}}'", '[["a","b"],["c","d"]]'),
    Tried("text[][]", "'{a,b}'", '["a","b"]'),
    Tried("text[][]", "'{}'", "[]"),
    Tried("varchar(3)[]", "'{abc}'", ["abc"]),
    Tried("char(4)[]", "'{ab,\"\"}'", ["ab", ""]),
    Tried("smallint[]", "'{-32768,32767}'", [-32768, 32767]),
    Tried("int[]", "'{}'", []),
    Tried("int[]", "'{NULL,NULL}'", [], 2),
    Tried("int[]", "'{1,NULL,3}'", [1, 3], 1),
    Tried("int[]", "'{{1,2},{3,4}}'", "[[1,2],[3,4]]"),
    Tried("bigint[]", "'{-9223372036854775808,9223372036854775807}'", [-(2**63), 2**63 - 1]),
    Tried("real[]", "'{0.1,-0,1e-45}'", [0.1, -0.0, 1e-45]),
    Tried("float8[]", "'{NaN,Infinity,-Infinity,5e-324}'", [math.nan, math.inf, -math.inf, 5e-324]),
    Tried("numeric(9,2)[]", "'{1.50,NaN}'", [1.5, math.nan]),
    Tried("numeric[]", "'{1.50,NaN,12345678901234567890.1}'", ["1.50", "NaN", "12345678901234567890.1"]),
    Tried("boolean[]", "'{t,f,NULL}'", [True, False], 1),
    Tried("citext[]", "'{Aa,NULL}'", ["Aa"], 1),
    Tried("uuid[]", "'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    Tried("inet[]", "'{10.0.0.1,10.0.0.0/8}'", ["10.0.0.1", "10.0.0.0/8"]),
    Tried("mood[]", "'{sad,ok}'", ["sad", "ok"]),
    Tried("positive[]", "'{1,2}'", [1, 2]),
    Tried("numbers", "'{1,2}'", [1, 2]),
    Tried("numbers", "'{{1},{2}}'", "[[1],[2]]"),
    Tried("numbers[]", "ARRAY['{1,2}'::numbers, '{3}'::numbers]", "[[1,2],[3]]"),
    Tried("words", "'{a,\"\"}'", ["a", ""]),
    Tried("prices", "'{1.5,2}'", [1.5, 2.0]),
    Tried("pair[]", "ARRAY[(1,'x')::pair, (NULL,NULL)::pair, NULL]", ["(1,x)", "(,)"], 1),
    Tried("single[]", "ARRAY[ROW('x')::single]", ["(x)"]),
    Tried("pg_class[]", "(SELECT array_agg(c)::pg_class[] FROM pg_class c WHERE false)", None),
    Tried("int4range[]", "'{\"[1,5)\",empty}'", ["[1,5)", "empty"]),
    Tried("json[]", "ARRAY['{\"a\": 1}', 'null', NULL]::json[]", ['{"a": 1}', "null"], 1),
    Tried("jsonb[]", "ARRAY['{\"a\":1}']::jsonb[]", ['{"a": 1}']),
    Tried("bytea[]", "ARRAY['\\x00ff'::bytea, '']", ["AP8=", ""]),
    Tried("point[]", "ARRAY['(1,2)'::point]", ["(1,2)"]),
    Tried("money[]", "ARRAY['1.5'::money]", ["$1.50"]),
    Tried("date[]", "'{2024-02-29,infinity,0044-03-15 BC,10000-01-01}'", ["2024-02-29", "-0043-03-15", "+10000-01-01"], 1),
    Tried("timestamptz[]", "'{\"2024-02-29 12:34:56.5+02\",-infinity}'", ["2024-02-29T10:34:56.5Z"], 1),
    Tried("timestamp[]", "'{\"2024-02-29 12:34:56\",NULL}'", ["2024-02-29T12:34:56"], 1),
    Tried("time[]", "'{24:00,12:34:56.000001}'", ["12:34:56.000001"], 1),
    Tried("timetz[]", "'{12:00+05:30,24:00+00}'", ["12:00:00+05:30"], 1),
    Tried("interval[]", "'{1 day,infinity,-1 mon}'", ["P1D", "P-1M"], 1),
    Tried("date[]", "'{{2024-02-29,infinity}}'", '[["2024-02-29","infinity"]]'),
    Tried("oid[]", "'{1,2}'", ["1", "2"]),
    Tried("int[] NOT NULL", "'{5}'", [5]),
)  # fmt: skip


def test_a_list_holds_the_elements_and_an_array_in_an_array_is_json(
    source: SourceDatabase, graph: Graph
) -> None:
    source.execute(
        "CREATE EXTENSION citext",
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE TYPE pair AS (low int, high text)",
        "CREATE TYPE single AS (only_one text)",
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
        "CREATE DOMAIN numbers AS int[] CHECK (cardinality(VALUE) < 9)",
        "CREATE DOMAIN words AS text[]",
        "CREATE DOMAIN prices AS numeric(9, 2)[]",
    )
    columns = {f"c{index}": tried for index, tried in enumerate(TRIED)}
    definitions = ", ".join(f"{name} {tried.type}" for name, tried in columns.items())
    values = ", ".join(
        f"CAST({tried.value} AS {tried.type.removesuffix(' NOT NULL')})" for tried in TRIED
    )
    source.execute(
        f"CREATE TABLE t (id int, {definitions})",
        f"INSERT INTO t VALUES (1, {values})",
    )
    extract = source.extract("t")
    load(graph, source.script(extract))
    found = graph.rows(
        "MATCH (n:t) RETURN "
        + ", ".join(
            f"CASE WHEN valueType(n.{name}) =~ '.*(DATE|TIME|DURATION).*'"
            f" THEN [x IN n.{name} | toString(x)] ELSE n.{name} END AS {name}"
            for name in columns
        )
    )[0]
    wrong = {
        name: (tried, found[name])
        for name, tried in columns.items()
        if repr(found[name]) != repr(tried.expected)
    }
    assert wrong == {}
    assert extract.manifest.values_absent == {
        name: tried.absent for name, tried in columns.items() if tried.absent
    }
