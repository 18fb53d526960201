"""Generated rows through COPY, one script and both clients: what PostgreSQL held is what the graph holds."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from c360_graph.cypher.copy_text import MAX_BATCH_ROWS, decode_rows
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.cypher_shell import load_by_cypher_shell
from c360_graph_tests.integration.types.pieces import SourceDatabase, load

TEXT = st.text(
    st.one_of(
        st.sampled_from("\\'`\"\t\n\r\v\b\f\x1c\x1d\x1e\x1f,{}Nu0aé:/*;"),
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    ),
    max_size=12,
)
ROW = st.tuples(st.none() | TEXT, TEXT, st.none() | st.lists(TEXT, max_size=4))


def generated_rows(count: int) -> list[tuple[Any, ...]]:
    """Many rows at once: a server is asked once, not for each."""
    found: list[tuple[Any, ...]] = []

    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.lists(ROW, min_size=count // 10, max_size=count // 5))
    def collect(rows: list[tuple[Any, ...]]) -> None:
        found.extend(rows)

    collect()
    return found


def test_rows_of_any_text_arrive_unchanged_by_either_client(
    source: SourceDatabase, graph: Graph, servers: TestServers
) -> None:
    rows = generated_rows(600)
    # Batches of one table by turns with and without escapes, so that both kinds of literal occur.
    plain = [(f"plain {i} '\"`\x01", str(i), ["x'y"]) for i in range(3 * MAX_BATCH_ROWS)]
    first = MAX_BATCH_ROWS + 200
    everything = [*plain[:first], *rows, *plain[first:]]
    source.execute("CREATE TABLE t (id int PRIMARY KEY, may text, must text NOT NULL, list text[])")
    with servers.postgres.connect(source.database) as connection:
        connection.cursor().executemany(
            "INSERT INTO t VALUES (%s, %s, %s, %s)",
            [(index, *row) for index, row in enumerate(everything)],
        )
    extract = source.extract("t")
    block = extract.rows_paths[0].read_bytes()[:-1]
    decoded = sorted(decode_rows(block), key=lambda row: int(row[0] or 0))
    assert [row[1:3] for row in decoded] == [[row[0], row[1]] for row in everything]
    script = source.script(extract)
    assert (
        1
        < script.read_bytes().count(rb"split(line, '\t') AS row")
        < len(everything) / MAX_BATCH_ROWS
    )
    for client in (lambda: load(graph, script), lambda: load_by_cypher_shell(servers, script)):
        graph.rows("MATCH (n) DETACH DELETE n")
        client()
        found = graph.rows("MATCH (n:t) RETURN n.may AS a, n.must AS b, n.list AS c ORDER BY n.id")
        wrong = [
            (row, expected)
            for row, expected in zip(found, everything, strict=True)
            if tuple(row.values()) != expected
        ]
        assert wrong == []


def test_copy_text_is_decoded_to_what_postgresql_encoded(
    source: SourceDatabase, servers: TestServers
) -> None:
    every = [chr(code) for code in range(1, 0x180)]
    pairs = ["\\" + character for character in every]
    mixed = ["".join(random.Random(7).choices("\\Ntnrbfvx0.u'\t\n", k=9)) for _ in range(50)]
    texts = [*every, *pairs, *mixed, "\\N", "\\.", "", "N"]
    with servers.postgres.connect(source.database) as connection:
        connection.execute("CREATE TABLE t (id int, a text, b text)")
        connection.cursor().executemany(
            "INSERT INTO t VALUES (%s, %s, NULL)", list(enumerate(texts))
        )
        with connection.cursor().copy("COPY (SELECT * FROM t ORDER BY id) TO STDOUT") as copy:
            block = b"".join(bytes(part) for part in copy)[:-1]
    assert decode_rows(block) == [[str(index), text, None] for index, text in enumerate(texts)]
