"""Names of any kind: tables, columns, labels, relationship types, folders."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from c360_graph.cypher.quoting import identifier, string_literal
from c360_graph.graph.connection import Graph
from c360_graph.mapping.model import RelationshipMapping
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.cypher_shell import load_by_cypher_shell
from c360_graph_tests.integration.types.pieces import (
    SourceDatabase,
    load,
)

# fmt: off
NAMES = (
    "users", "Users", "USERS", "select", "MATCH", "order by", " ", "  x ", "a.b", "a/b", ".", "..", "/", "a\\b", "\\", "\\\\",
    "\\u0060", "\\\\u0060", "\\\\\\u0060", "\\u0060) DETACH DELETE (n", "`", "``", "a`b``c", "\"", "\"\"", "'", "it's", "%", "%s", "%(a)s", "100%",
    "a\nb", "a\r\nb", "\t", "\x01\x1f", "\x7f", ":x", "$p", "{a}", "[0]", "a-b", "a--b", "/* a */", "// a", "; DROP TABLE users", "1st", "été",
    "日本語のテーブル", "таблица", "جدول", "字" * 21, "n" * 63, "🇺🇳👩‍👩‍👧", "e\u0301", "é", "\u2028", "\ufeff", "row", "line", "n", "null", "~", "%7E",
)
# fmt: on


TABLES = (
    "Users", "users", "match (n)", "a.b/c", "..", "\\", "\\u0060", "\\\\u0060", "\\u0060) DETACH DELETE (n", "a`b``c", "it's \"so\" %s 100%", "a\r\nb\t",
    ":x // y /* z", "字" * 21,
)  # fmt: skip


def in_quotes(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def test_every_name_a_column_may_have_is_that_name_in_the_graph(
    source: SourceDatabase, graph: Graph, servers: TestServers
) -> None:
    columns = ", ".join(f"{in_quotes(name)} text NOT NULL" for name in NAMES)
    values = ", ".join("'" + name.replace("'", "''") + "'" for name in NAMES)
    source.execute(f"CREATE TABLE t ({columns})", f"INSERT INTO t VALUES ({values})")
    script = source.script(source.extract("t"))
    load(graph, script)
    named = [{"n": {name: name for name in NAMES}}]
    assert graph.rows("MATCH (n:t) RETURN n") == named
    graph.rows("MATCH (n) DETACH DELETE n")
    load_by_cypher_shell(servers, script)
    assert graph.rows("MATCH (n:t) RETURN n") == named


def test_every_name_a_table_may_have_names_its_label_its_key_and_its_relationships(
    source: SourceDatabase, graph: Graph, servers: TestServers
) -> None:
    extracts, mappings = [], []
    for number, name in enumerate(TABLES):
        quoted = in_quotes(name)
        source.execute(
            f"CREATE TABLE {quoted} ({quoted} int PRIMARY KEY)",
            f"INSERT INTO {quoted} VALUES ({number})",
        )
        extracts.append(source.extract(name))
        mappings.append(
            RelationshipMapping(
                relationship_id=number,
                relationship_type=name,
                from_label=name,
                to_label=name,
                pairs=((name, name),),
            )
        )
    assert len({str(extract.folder.parent).casefold() for extract in extracts}) == len(TABLES)
    script = source.script(*extracts, mappings=tuple(mappings))
    found = "MATCH (n)-[r]->(n) RETURN labels(n) AS labels, n, type(r) AS type"
    expected = [
        {"labels": [name], "n": {name: number}, "type": name} for number, name in enumerate(TABLES)
    ]
    for client in (lambda: load(graph, script), lambda: load_by_cypher_shell(servers, script)):
        graph.rows("MATCH (n) DETACH DELETE n")
        client()
        assert sorted(graph.rows(found), key=lambda row: row["n"][row["type"]]) == expected
        assert graph.rows("MATCH (n) WHERE NOT n:_C360Load RETURN count(n) AS n") == [
            {"n": len(TABLES)}
        ]
    keys = graph.rows("SHOW CONSTRAINTS YIELD labelsOrTypes AS labels, properties RETURN *")
    assert sorted(keys, key=str) == sorted(
        ({"labels": [name], "properties": [name]} for name in TABLES), key=str
    )


def test_tables_of_one_name_in_two_schemas_keep_apart(source: SourceDatabase, graph: Graph) -> None:
    source.execute(
        "CREATE TABLE t (id int PRIMARY KEY)",
        "INSERT INTO t VALUES (1)",
        'CREATE SCHEMA "Other %s"',
        'CREATE TABLE "Other %s".t (id text PRIMARY KEY)',
        "INSERT INTO \"Other %s\".t VALUES ('a'), ('b')",
        'SET search_path = "Other %s"',
    )
    other = source.within(schema="Other %s")
    one, two = source.extract("t", label="One"), other.extract("t", label="Two")
    assert one.folder.parent != two.folder.parent
    load(graph, source.script(one, two))
    assert graph.rows(
        "MATCH (n) WHERE NOT n:_C360Load RETURN labels(n)[0] AS label, collect(n.id) AS ids ORDER BY label"
    ) == [{"label": "One", "ids": [1]}, {"label": "Two", "ids": ["a", "b"]}]


HOSTILE = st.text(
    st.one_of(
        st.sampled_from("\\`'\"u0065c{}$;/*\n\r\t "),
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=12,
)


def test_a_hostile_text_is_one_name_and_one_string_and_nothing_else(servers: TestServers) -> None:
    with servers.open_graph() as graph:

        @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(HOSTILE, min_size=20, max_size=20, unique=True))
        def holds(names: list[str]) -> None:
            inside = ", ".join(f"{identifier(name)}: {string_literal(name)}" for name in names)
            assert graph.rows(f"CYPHER 5 RETURN {{{inside}}} AS m") == [
                {"m": {name: name for name in names}}
            ]

        holds()
