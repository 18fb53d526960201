"""What identifies a row: primary keys, unique indexes that serve, those that do not, and absent parts."""

from __future__ import annotations

import pytest

from c360_graph.graph.connection import Graph
from c360_graph_tests.integration.types.pieces import HASH_KEY, SourceDatabase, load, rule

# fmt: off
KEYS = {
    "composite": ("(b int, a text, c int, PRIMARY KEY (c, a))", ("c", "a")),
    "none": ("(a int, b text)", ()),
    "unique": ("(a int NOT NULL UNIQUE, b text)", ("a",)),
    "unique_nullable": ("(a int UNIQUE)", ()),
    "unique_half_nullable": ("(a int NOT NULL, b int, UNIQUE (a, b))", ()),
    "nulls_not_distinct": ("(a int, UNIQUE NULLS NOT DISTINCT (a))", ()),
    "two_unique": ('(z int NOT NULL, y int NOT NULL, CONSTRAINT "2" UNIQUE (z), CONSTRAINT "1" UNIQUE (y))', ("y",)),
    "primary_before_unique": ('(a int NOT NULL UNIQUE, b int PRIMARY KEY)', ("b",)),
    "deferrable": ("(a int NOT NULL UNIQUE DEFERRABLE)", ()),
    "included": ("(a int NOT NULL, b int NOT NULL, UNIQUE (b) INCLUDE (a))", ("b",)),
    "domain": ("(a never_null UNIQUE)", ()),
    "generated": ("(a int, b int GENERATED ALWAYS AS (a + 1) STORED PRIMARY KEY)", ("b",)),
    "excluding": ("(a int4range NOT NULL, EXCLUDE USING gist (a WITH &&))", ()),
}
INDEXED = {
    "partial": ("(a int NOT NULL)", "(a) WHERE a > 0", ()),
    "expression": ("(a text NOT NULL)", "(lower(a))", ()),
    "half_expression": ("(a text NOT NULL, b int NOT NULL)", "(b, lower(a))", ()),
    "plain": ("(a text NOT NULL)", "(a)", ("a",)),
    "descending": ("(a text NOT NULL)", '(a COLLATE "C" text_pattern_ops DESC)', ("a",)),
}
# fmt: on


def test_only_an_index_that_holds_for_every_row_is_a_key(source: SourceDatabase) -> None:
    source.execute("CREATE DOMAIN never_null AS int NOT NULL")
    for name, (columns, _) in KEYS.items():
        source.execute(f'CREATE TABLE "{name}" {columns}')
    for name, (columns, index, _) in INDEXED.items():
        source.execute(f'CREATE TABLE "{name}" {columns}', f"CREATE UNIQUE INDEX ON {name} {index}")
    wanted = {name: key for name, (_, key) in KEYS.items()} | {
        name: key for name, (_, _, key) in INDEXED.items()
    }
    assert {name: source.mapping(name).key for name in wanted} == wanted


def test_a_not_null_that_is_only_declared_is_not_believed(
    source: SourceDatabase, graph: Graph
) -> None:
    source.execute(
        "CREATE TABLE later (a text UNIQUE, b text)",
        "INSERT INTO later VALUES (NULL, NULL), (NULL, NULL), ('x', 'y')",
        "ALTER TABLE later ADD CONSTRAINT n NOT NULL a NOT VALID",
        "ALTER TABLE later ADD CONSTRAINT m NOT NULL b NOT VALID",
        # The parent's index says nothing of the rows that it inherits.
        "CREATE TABLE parent (id int PRIMARY KEY)",
        "CREATE TABLE child () INHERITS (parent)",
        "INSERT INTO parent VALUES (1)",
        "INSERT INTO child VALUES (1)",
    )
    later, parent = source.extract("later"), source.extract("parent")
    assert (later.manifest.table.key, parent.manifest.table.key) == ((), ())
    load(graph, source.script(later, parent))
    assert graph.rows("MATCH (n:later) RETURN n.a AS a, n.b AS b ORDER BY a") == [
        {"a": "x", "b": "y"},
        {"a": None, "b": None},
        {"a": None, "b": None},
    ]
    assert graph.rows("MATCH (n:parent) RETURN n.id AS id") == [{"id": 1}, {"id": 1}]


def test_a_row_whose_key_the_graph_cannot_hold_is_left_out_and_counted(
    source: SourceDatabase, graph: Graph
) -> None:
    source.execute(
        "CREATE TABLE t (day date, id int, until timestamptz, PRIMARY KEY (id, day))",
        "INSERT INTO t VALUES ('2024-01-01', 1, 'infinity'), ('infinity', 1, now()),"
        " ('-infinity', 2, 'infinity'), ('2024-01-01', 2, NULL)",
    )
    extract = source.extract("t")
    assert (extract.manifest.rows, extract.manifest.rows_left_out) == (2, 2)
    assert extract.manifest.values_absent == {"day": 2, "until": 2}
    load(graph, source.script(extract))
    assert graph.rows("MATCH (n:t) RETURN n.id AS id ORDER BY id") == [{"id": 1}, {"id": 2}]


def test_a_row_whose_key_is_longer_than_an_index_takes_is_left_out_and_named(
    source: SourceDatabase, graph: Graph
) -> None:
    source.execute(
        "CREATE TABLE t (part text, id int, PRIMARY KEY (id, part))",
        # btree takes 2,704 bytes after compression; text as long as this compresses well.
        "INSERT INTO t VALUES (repeat('é', 3999), 1), (repeat('b''ä', 2667), 7)",
    )
    extract = source.extract("t")
    manifest = extract.manifest
    assert (manifest.rows, manifest.rows_left_out, manifest.rows_too_long) == (1, 1, 1)
    assert manifest.left_out_sample == (f"id = '7', part = {('b' + chr(39) + 'ä') * 20!r}",)
    load(graph, source.script(extract))
    assert graph.rows("MATCH (n:t) RETURN n.id AS id, size(n.part) AS size") == [
        {"id": 1, "size": 3999}
    ]


LONGEST = (
    ("text", "repeat('k', 8000)", "repeat('k', 8001)"),
    ("text[]", "array_fill('k'::text, ARRAY[1990])", "array_fill('k'::text, ARRAY[2700])"),
    ("int[]", "array_fill(1, ARRAY[790])", "array_fill(1, ARRAY[1100])"),
    ("timestamptz[]", "array_fill(now(), ARRAY[250])", "array_fill(now(), ARRAY[600])"),
    ("bytea", "decode(repeat('00', 6000), 'hex')", "decode(repeat('00', 6001), 'hex')"),
)


@pytest.mark.parametrize(("name", "fits", "too_long"), LONGEST, ids=[n for n, *_ in LONGEST])
def test_what_is_taken_for_short_enough_is_taken_by_an_index_whatever_its_type(
    source: SourceDatabase, graph: Graph, name: str, fits: str, too_long: str
) -> None:
    short = ("interval", "timestamptz", "int8", "float8", "numeric(9,2)", "time", "uuid")
    columns = ", ".join(
        f"c{i} {kind} NOT NULL DEFAULT {_VALUES[kind]}" for i, kind in enumerate(short)
    )
    source.execute(
        f"CREATE TABLE t (long {name}, n int, {columns}, PRIMARY KEY (long, n))",
        f"INSERT INTO t VALUES ({fits}, 1), ({too_long}, 2)",
        f"CREATE TABLE wide (long text, {columns},"
        f" PRIMARY KEY (long, {', '.join(f'c{i}' for i in range(len(short)))}))",
        "INSERT INTO wide SELECT repeat('k', n) FROM generate_series(7700, 8100, 10) AS n",
    )
    extracts = source.extract("t"), source.extract("wide")
    assert extracts[0].manifest.rows_too_long == 1
    assert 0 < extracts[1].manifest.rows_too_long < 30
    load(graph, source.script(*extracts))
    assert graph.rows("MATCH (n:t) RETURN n.n AS n") == [{"n": 1}]


_VALUES = {
    "interval": "'178000 years 11 months 3 days 04:05:06.7'",
    "timestamptz": "now()",
    "int8": "9223372036854775807",
    "float8": "1.7976931348623157e308",
    "numeric(9,2)": "1.5",
    "time": "'23:59:59.999999'",
    "uuid": "gen_random_uuid()",
}


def test_a_row_whose_key_is_nan_is_left_out_since_nothing_finds_it_again(
    source: SourceDatabase, graph: Graph
) -> None:
    source.execute(
        "CREATE TABLE t (a float8, b text, PRIMARY KEY (a, b))",
        "INSERT INTO t VALUES ('NaN', 'x'), ('Infinity', 'NaN'), (1.5, 'y')",
        "CREATE TABLE lists (a real[] PRIMARY KEY)",
        "INSERT INTO lists VALUES ('{1,NaN}'), ('{1,2}'), ('{}')",
    )
    extracts = source.extract("t"), source.extract("lists")
    assert [e.manifest.rows_left_out for e in extracts] == [1, 1]
    assert extracts[0].manifest.left_out_sample == ("a = 'NaN', b = 'x'",)
    load(graph, source.script(*extracts))
    assert graph.rows("MATCH (n:t) RETURN n.b AS b ORDER BY b") == [{"b": "NaN"}, {"b": "y"}]


def test_no_value_of_a_hashed_column_is_named(source: SourceDatabase) -> None:
    source.execute(
        "CREATE TABLE t (id text, part text, PRIMARY KEY (id, part))",
        "INSERT INTO t VALUES ('secret', repeat('k', 9000)), (repeat('s', 9000), 'short')",
    )
    manifest = source.extract("t", rules=(rule("t", "id", "hash"),)).manifest
    assert (manifest.rows, manifest.rows_too_long) == (1, 1)
    assert manifest.left_out_sample == (f"id = '(hashed)', part = {'k' * 60!r}",)


def test_a_key_that_is_not_read_whole_gives_way_to_another(source: SourceDatabase) -> None:
    source.execute("CREATE TABLE t (id int, part text, code uuid NOT NULL UNIQUE, PRIMARY KEY (id, part))")  # fmt: skip
    for treatment, key in (("exclude", ("code",)), ("mask", ("code",)), ("hash", ("id", "part"))):
        assert source.mapping("t", rules=(rule("t", "part", treatment),)).key == key
    both = (rule("t", "part", "exclude"), rule("t", "code", "mask"))
    assert source.mapping("t", rules=both).key == ()


def test_a_hashed_key_is_unique_and_found_in_the_graph(
    source: SourceDatabase, graph: Graph
) -> None:
    source.execute(
        "CREATE TABLE t (id text PRIMARY KEY)",
        "INSERT INTO t SELECT repeat('k', 9000) || i FROM generate_series(1, 3) i",
    )
    extract = source.extract("t", rules=(rule("t", "id", "hash"),))
    load(graph, source.script(extract))
    assert HASH_KEY not in str(extract.manifest)
    assert graph.rows("MATCH (n:t) RETURN count(DISTINCT n.id) AS n") == [{"n": 3}]
